"""The image by itself, as `docker run` uses it: a Mosquitto container, services from the image, a simulated site."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from bench.record import Record
from bench.shape import site
from bench.stack import CLOCK
from ruamel.yaml import YAML
from testcontainers.core.container import DockerContainer
from tests.integration.composed import ROOT, run

from dynexport.broker import free_port
from dynexport.settings.models import MqttSection

pytestmark = [pytest.mark.integration, pytest.mark.needs("docker")]

SERVICES = ["site-simulator", "meter-reader", "inverter-writer", "limit-engine"]
EXPORT_LIMIT_W, FAILSAFE_PCT, MARGIN_W = 5000.0, 15.0, 60.0
ACCESS = "/var/lib/dynexport/access"
LARGEST_MB = 300


class Site:
    """Containers on this machine's own network, as unprivileged as compose.yaml makes them."""

    def __init__(self, image: str, directory: Path) -> None:
        directory.chmod(0o777)  # for the simulator's record
        self.image = image
        self.directory = directory
        self.port = free_port()
        self.record = Record(directory / "record.jsonl")
        self.volumes = {
            part: f"dynexport-test-{secrets.token_hex(3)}" for part in ("", "/mosquitto", "/secrets")
        }
        self.containers: dict[str, DockerContainer] = {}
        shape = site(
            MqttSection(host="127.0.0.1", port=self.port), export_limit_w=EXPORT_LIMIT_W, load_w=3000
        )
        shape["simulator"]["record"] = "/site/record.jsonl"
        YAML().dump(shape, directory / "site.yaml")

    def container(self, command: Sequence[str], user: str | None = None) -> DockerContainer:
        """One of the image, not started; `user` is whom it signs in as."""
        made = (
            DockerContainer(self.image)
            .with_command(list(command))
            .with_env("DYNEXPORT_CONFIG", "/site/site.yaml")
        )
        made.with_volume_mapping(str(self.directory), "/site", "rw")
        for part, volume in self.volumes.items():
            made.with_volume_mapping(volume, ACCESS + part, "rw")
        if user is not None:
            made.with_env("DYNEXPORT__MQTT__USERNAME", user)
            made.with_env("DYNEXPORT__MQTT__PASSWORD_FILE", f"{ACCESS}/secrets/{user}")
        hardened = {
            "read_only": True,
            "cap_drop": ["ALL"],
            "security_opt": ["no-new-privileges"],
            "init": True,
        }
        return made.with_tmpfs_mount("/tmp", "size=16m").with_kwargs(network_mode="host", **hardened)

    def once(self, *words: str) -> str:
        """A verb of the command line; what it said. Raises AssertionError when it fails."""
        with self.container(["dynexport", *words]) as running:
            found = running.get_wrapped_container()
            status, said = found.wait(timeout=60)["StatusCode"], found.logs().decode()
        assert status == 0, said
        return str(said)

    def start(self) -> None:
        """Users and passwords, the broker, the services."""
        self.once("init")
        broker = DockerContainer("eclipse-mosquitto:2", user="1883:1883").with_bind_ports(
            "1883/tcp", self.port
        )
        broker.with_volume_mapping(str(ROOT / "mosquitto"), "/opt/mosquitto", "ro")
        broker.with_volume_mapping(self.volumes["/mosquitto"], "/etc/dynexport/mosquitto", "ro")
        broker.with_kwargs(entrypoint=["/opt/mosquitto/run", "-c", "/opt/mosquitto/mosquitto.conf"])
        self.containers["mosquitto"] = broker
        self.containers |= {name: self.container([name], user=name) for name in SERVICES}
        for container in self.containers.values():
            container.start()

    def stop(self) -> None:
        """Leave nothing behind."""
        for container in self.containers.values():
            container.stop()
        run("docker", "volume", "rm", "--force", *self.volumes.values())

    def exports(self, seconds: float) -> list[float]:
        """The true export of the next seconds, watts."""
        start = CLOCK.mono()
        CLOCK.sleep(seconds)
        self.record.update()
        return [sample.export_w for sample in self.record.since(start)]


@pytest.fixture
def running(image: str, tmp_path: Path) -> Iterator[Site]:
    """A site in containers."""
    made = Site(image, tmp_path)
    try:
        made.start()
        yield made
    finally:
        made.stop()


def test_the_image_is_smaller_than_300_mb(image: str) -> None:
    assert int(run("docker", "image", "inspect", "--format", "{{.Size}}", image)) < LARGEST_MB * 1_000_000


def test_the_images_services_keep_a_site_at_its_limit_and_leave_the_failsafe_when_stopped(
    running: Site,
) -> None:
    running.exports(15.0)
    settled = running.exports(3.0)
    assert EXPORT_LIMIT_W - 100.0 < sum(settled) / len(settled) < EXPORT_LIMIT_W + MARGIN_W
    assert "in force now" in running.once("limit", "1500", "--for", "1m"), (
        "as the owner, by the password that init made"
    )
    running.exports(7.0)
    assert max(running.exports(3.0)) < 1500.0 + MARGIN_W
    writer, asked = running.containers["inverter-writer"].get_wrapped_container(), CLOCK.mono()
    writer.stop(timeout=15)
    assert CLOCK.mono() - asked < 10.0
    running.record.update()
    assert running.record.writes[-1].pct <= FAILSAFE_PCT


def test_an_unknown_service_is_said_with_exit_code_2(image: str) -> None:
    with DockerContainer(image).with_command("meter-raeder") as container:
        found = container.get_wrapped_container()
        assert found.wait(timeout=30)["StatusCode"] == 2
        assert b"no service 'meter-raeder'" in found.logs()


def test_the_health_check_fails_when_the_loop_has_not_ticked_for_15_s(image: str) -> None:
    check = ["docker", "run", "--rm", "--entrypoint", "sh", image, "-ec"]
    run(*check, "touch -d '-10 seconds' /tmp/ticked; dynexport-ticked")
    said = run(
        *check, "touch -d '-16 seconds' /tmp/ticked; ! dynexport-ticked; rm /tmp/ticked; ! dynexport-ticked"
    )
    assert said.count("the loop has not ticked for 15 s") == 2
