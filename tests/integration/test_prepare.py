"""What compose.yaml's one-shot `init` does before anything else starts, in a container of its own."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from tests.integration.composed import ROOT

pytestmark = [pytest.mark.integration, pytest.mark.needs("docker")]

DEMO = ROOT / "deploy/config/demo.yaml"
SECRETS = "/var/lib/dynexport/access/secrets"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A folder such as deploy/config: with the demo's file only."""
    shutil.copy(DEMO, tmp_path / "demo.yaml")
    tmp_path.chmod(0o755)
    return tmp_path


def prepare(image: str, config: Path, script: str) -> subprocess.CompletedProcess[str]:
    """Run a script in a new container of the image."""
    command = [
        "docker",
        "run",
        "--rm",
        "--volume",
        f"{config}:/etc/dynexport:ro",
        "--entrypoint",
        "sh",
        image,
    ]
    return subprocess.run([*command, "-ec", script], capture_output=True, text=True, timeout=60, check=False)


def test_without_a_site_yaml_nothing_starts_and_the_next_step_is_said(image: str, config: Path) -> None:
    said = prepare(image, config, "dynexport-prepare")
    assert said.returncode == 2
    assert "deploy/config/site.yaml is missing" in said.stderr
    assert "./dynexport setup" in said.stderr


def test_a_demo_does_not_take_the_place_of_a_real_site(image: str, config: Path) -> None:
    shutil.copy(DEMO, config / "site.yaml")
    said = prepare(image, config, "dynexport-prepare demo; dynexport-prepare")
    assert said.returncode == 2
    assert "nothing is started" in said.stderr


def test_a_demo_that_has_ended_does_not_start_again_by_itself(image: str, config: Path) -> None:
    said = prepare(image, config, "dynexport-prepare demo; dynexport-prepare; dynexport-prepare")
    assert said.returncode == 2
    assert "deploy/config/site.yaml is missing" in said.stderr


def test_passwords_are_made_once(image: str, config: Path) -> None:
    twice = (
        f"dynexport-prepare && md5sum {SECRETS}/* >/tmp/first && dynexport-prepare && md5sum -c /tmp/first"
    )
    shutil.copy(DEMO, config / "site.yaml")
    said = prepare(image, config, twice)
    assert said.returncode == 0, said.stderr
    assert f"{SECRETS}/observer: OK" in said.stdout


def test_a_config_folder_that_the_containers_may_not_read_is_said(image: str, config: Path) -> None:
    config.chmod(0o700)
    said = prepare(image, config, "dynexport-prepare")
    assert said.returncode == 2
    assert "chmod -R a+rX deploy/config" in said.stderr
