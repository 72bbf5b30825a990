"""deploy/: what the files promise, without Docker; tests/integration brings them up."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from dynexport import __version__
from dynexport.access import PEOPLE, SERVICES
from dynexport.settings.load import load

ROOT = Path(__file__).parent.parent
DEPLOY = ROOT / "deploy"
TEXT = (DEPLOY / "compose.yaml").read_text()
COMPOSE: dict[str, Any] = YAML(typ="safe").load(TEXT)
CONTAINERS: dict[str, dict[str, Any]] = COMPOSE["services"]
ONE_SHOT = {"init", "demo-site", "cli"}

each = pytest.mark.parametrize("name", CONTAINERS)
each_that_runs_on = pytest.mark.parametrize("name", sorted(set(CONTAINERS) - ONE_SHOT))


@each
def test_an_image_has_a_version_and_ours_is_this_one(name: str) -> None:
    image = CONTAINERS[name]["image"]
    assert not image.endswith("latest")
    assert ":" in image
    if "DYNEXPORT" in image:
        assert image.endswith(":${DYNEXPORT_VERSION:-" + __version__ + "}")


@each
def test_a_container_is_hardened(name: str) -> None:
    container = CONTAINERS[name]
    assert container["read_only"] is True
    assert container["cap_drop"] == ["ALL"]
    assert container["security_opt"] == ["no-new-privileges:true"]
    assert container["pids_limit"] <= 100
    assert container["mem_limit"]
    assert container["logging"]["options"]["max-size"]


@each_that_runs_on
def test_a_service_comes_back_says_how_it_does_and_waits_for_init(name: str) -> None:
    container = CONTAINERS[name]
    assert container["restart"] == "unless-stopped"
    assert container["healthcheck"]["test"]
    assert container["depends_on"]["init"] == {"condition": "service_completed_successfully"}


@each_that_runs_on
def test_a_service_signs_in_as_a_user_of_its_own(name: str) -> None:
    if name == "mosquitto":
        return
    environment = CONTAINERS[name]["environment"]
    user = environment["DYNEXPORT__MQTT__USERNAME"]
    assert user == ("owner" if name == "demo" else name)
    assert user in {*SERVICES, *PEOPLE}
    assert environment["DYNEXPORT__MQTT__PASSWORD_FILE"] == f"/var/lib/dynexport/access/secrets/{user}"


def test_the_broker_answers_on_this_machine_only() -> None:
    assert all(port.startswith("127.0.0.1:") for port in CONTAINERS["mosquitto"]["ports"])
    assert [name for name in CONTAINERS if name != "mosquitto" and "ports" in CONTAINERS[name]] == []


def test_the_example_of_variables_names_each_that_compose_yaml_reads() -> None:
    read = set(re.findall(r"\$\{(\w+)", TEXT))
    told = set(re.findall(r"^#(\w+)=", (DEPLOY / ".env.example").read_text(), re.MULTILINE))
    assert told == read


def test_the_example_of_an_override_names_services_that_are_there() -> None:
    override = YAML(typ="safe").load((DEPLOY / "compose.override.example.yaml").read_text())
    assert set(override["services"]) <= set(CONTAINERS)


def test_the_demos_site_can_be_read_and_is_simulated() -> None:
    site = load(DEPLOY / "config" / "demo.yaml", {})
    assert site.simulator is not None
    assert {inverter.tcp and inverter.tcp.host for inverter in site.modbus_inverters} == {"site-simulator"}
