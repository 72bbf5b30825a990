"""`./dynexport`: the command line in a container, from wherever its owner is."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from tests.integration.composed import ROOT, VERSION, run

DEMO = ROOT / "deploy/config/demo.yaml"


def wrapper(
    *words: str, cwd: Path, env: Mapping[str, str], program: Path = ROOT / "dynexport"
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [program, *words], cwd=cwd, env=env, capture_output=True, text=True, timeout=120, check=False
    )


@pytest.fixture
def project(image: str) -> Iterator[dict[str, str]]:
    """The environment of a compose project of the test's own, gone afterwards."""
    env = {"COMPOSE_PROJECT_NAME": f"dynexport-test-{secrets.token_hex(3)}", "DYNEXPORT_VERSION": VERSION}
    yield {**os.environ, **env}
    run("docker", "compose", "--file", str(ROOT / "deploy/compose.yaml"), "down", "--volumes", env=env)


def test_without_docker_the_wrapper_says_what_to_type(tmp_path: Path) -> None:
    for program in ("dirname", "readlink"):
        (tmp_path / program).symlink_to(shutil.which(program) or "")
    said = wrapper("check", cwd=tmp_path, env={"PATH": str(tmp_path)})
    assert said.returncode == 2
    assert "Docker is not installed; next: `sudo apt install" in said.stderr


def test_a_docker_that_does_not_answer_is_said(tmp_path: Path) -> None:
    docker = tmp_path / "docker"
    docker.write_text(
        '#!/bin/sh\n[ "$1" = compose ] || { echo "Cannot connect to the Docker daemon" >&2; exit 1; }\n'
    )
    docker.chmod(0o755)
    said = wrapper("check", cwd=tmp_path, env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"})
    assert said.returncode == 2
    assert "Docker does not answer: Cannot connect to the Docker daemon" in said.stderr


@pytest.mark.integration
@pytest.mark.needs("docker")
def test_the_wrapper_reads_files_of_the_directory_it_is_called_in(
    project: dict[str, str], tmp_path: Path
) -> None:
    shutil.copy(DEMO, tmp_path / "mine.yaml")
    said = wrapper("check", "--config", "mine.yaml", cwd=tmp_path, env=project)
    assert said.returncode == 0, said.stderr
    assert "Demo: export is limited to 5000 W" in said.stdout
    assert said.stderr == ""


@pytest.mark.integration
@pytest.mark.needs("docker")
def test_the_wrapper_writes_files_as_the_owner_of_the_config_folder(
    project: dict[str, str], tmp_path: Path
) -> None:
    clone = tmp_path / "clone"
    shutil.copytree(ROOT / "deploy", clone / "deploy")
    shutil.copy(ROOT / "dynexport", clone / "dynexport")
    site = clone / "deploy/config/site.yaml"
    shutil.copy(DEMO, site)
    owner = (12345, 12345) if os.geteuid() == 0 else (os.getuid(), os.getgid())
    for path in (site, site.parent):
        os.chown(path, *owner)
    said = wrapper("enable", "--off", cwd=tmp_path, env=project, program=clone / "dynexport")
    assert said.returncode == 0, said.stderr
    assert "control: {enabled: false}" in site.read_text()
    assert (site.stat().st_uid, site.stat().st_gid) == owner


@pytest.mark.integration
@pytest.mark.needs("docker")
def test_a_verb_that_fails_gives_its_exit_code(project: dict[str, str], tmp_path: Path) -> None:
    said = wrapper("check", "--config", "missing.yaml", cwd=tmp_path, env=project)
    assert said.returncode == 2
    assert "missing.yaml: there is no such file" in said.stderr
