"""`scan` against simulated devices, and the endpoints that it leaves alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML
from typer.testing import CliRunner

from dynexport import messages as m
from dynexport.broker import free_port
from dynexport.cli.main import application
from dynexport.cli.targets import BadTarget, hosts_of
from dynexport.clock import SystemClock
from dynexport.settings.load import load

CLOCK = SystemClock()


def test_a_network_is_its_hosts_and_each_host_is_asked_once() -> None:
    assert hosts_of(["192.0.2.0/30", "192.0.2.1", "inverter.local"]) == [
        "192.0.2.1",
        "192.0.2.2",
        "inverter.local",
    ]


@pytest.mark.parametrize("target", ["192.0.2.0/33", "house/24", "10.0.0.0/8", "192.0.2..1", "inverter:502"])
def test_what_is_no_network_or_too_large_is_refused_with_what_to_write(target: str) -> None:
    with pytest.raises(BadTarget):
        hosts_of([target])
    done = CliRunner().invoke(application(), ["scan", target])
    assert done.exit_code == 2
    assert target in done.output


def test_a_machine_without_a_network_is_told_to_name_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.if_nameindex", lambda: [(1, "lo"), (2, "docker0")])
    done = CliRunner().invoke(application(), ["scan"])
    assert done.exit_code == 2
    assert "name the addresses" in done.output


def test_nothing_found_says_what_to_try(tmp_path: Path) -> None:
    done = CliRunner().invoke(application(), ["scan", "127.0.0.9", "--config", f"{tmp_path}/none.yaml"])
    assert done.exit_code == 1
    assert "no device answered that is known" in done.output
    assert "Modbus TCP switched on" in done.output


@pytest.mark.integration
def test_simulated_devices_are_found_on_several_addresses_and_their_lines_can_be_pasted(stack: Any) -> None:
    stack.start("site_simulator")
    stack.wait_for_port("127.0.0.2", stack.inverter_port)
    done = stack.run(
        "scan", "127.0.0.0/30", "--port", str(stack.meter_port), "--port", str(stack.inverter_port)
    )
    assert done.returncode == 0, done.stderr
    assert f"127.0.0.1:{stack.meter_port} unit 240: meter Dynexport Simulated meter" in done.stdout
    assert (
        f"127.0.0.2:{stack.inverter_port} unit 1: inverter Dynexport Simulator, serial roof, 10000 W"
        in done.stdout
    )
    assert "holds its last limit for ever" in done.stdout
    lines = done.stdout.partition("for site.yaml:")[2].partition("next:")[0]
    pasted = YAML(typ="safe").load(lines)
    assert pasted["inverters"][0]["rated_w"] == 10000
    assert pasted["meter"]["tcp"] == {"host": "127.0.0.1", "port": stack.meter_port}


@pytest.mark.integration
def test_an_endpoint_whose_owner_is_online_is_left_alone(stack: Any) -> None:
    stack.start("site_simulator", "inverter_writer")
    stack.wait_for("service/inverter-writer/availability")
    place = f"127.0.0.2:{stack.inverter_port}"
    done = stack.run("scan", "127.0.0.2", "--port", str(stack.inverter_port))
    assert f"{place} is left alone: inverter-writer is online and owns it" in done.stdout
    assert "inverter Dynexport" not in done.stdout
    stack.stop("inverter_writer")
    done = stack.run("scan", "127.0.0.2", "--port", str(stack.inverter_port))
    assert f"{place} unit 1: inverter Dynexport Simulator" in done.stdout


@pytest.mark.integration
def test_without_the_broker_the_endpoints_of_site_yaml_are_left_alone(stack: Any) -> None:
    stack.start("site_simulator")
    stack.broker.stop()
    done = stack.run("scan", "127.0.0.2", "--port", str(stack.inverter_port))
    assert "may own it" in done.stdout
    assert "nobody can say" in done.stderr


@pytest.mark.integration
def test_a_serial_bus_is_looked_at_and_left_alone_while_its_owner_is_online(
    stack: Any, tmp_path: Path
) -> None:
    port = tmp_path / "bus"
    stack.site["inverters"][0].pop("tcp")
    stack.site["inverters"][0]["serial"] = {"port": str(port), "baudrate": 115200}
    stack.write()
    stack.start("site_simulator")
    stack.wait_for("service/site-simulator/availability")
    words = ("scan", "--serial", str(port), "--baudrate", "115200")
    done = stack.run(*words)
    assert f"{port} unit 1: inverter Dynexport Simulator" in done.stdout, done.stdout + done.stderr
    pasted = YAML(typ="safe").load(done.stdout.partition("for site.yaml:")[2].partition("next:")[0])
    assert pasted["inverters"][0]["serial"]["baudrate"] == 115200
    stack.start("inverter_writer")
    stack.wait_for("service/inverter-writer/availability")
    assert f"{port} is left alone: inverter-writer is online and owns it" in stack.run(*words).stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--serial", "/dev/nothing-here"], "cannot be opened"),
        (["--serial", "ttyUSB0"], "port"),
        (["--serial", "/dev/ttyUSB0", "--parity", "X"], "parity"),
    ],
)
def test_a_serial_port_that_makes_no_sense_is_refused(tmp_path: Path, words: list[str], said: str) -> None:
    done = CliRunner().invoke(application(), ["scan", *words, "--config", str(tmp_path / "none.yaml")])
    assert done.exit_code == 2
    assert said in done.output


MAKES = {"sma": ("sma-core1", 3), "edge": ("solaredge", 1), "sun": ("huawei-sun2000", 1)}


def five_devices(stack: Any) -> list[int]:
    """The simulator's site: SunSpec meter and inverter, and three other makes, on five ports; returns the ports."""
    ports = [free_port() for _ in range(5)]
    where = [{"host": "127.0.0.1", "port": port} for port in ports]
    stack.site["meter"]["tcp"] = where[0]
    stack.site["inverters"][0]["tcp"] = where[1]
    for (name, (device, unit)), place in zip(MAKES.items(), where[2:], strict=True):
        stack.site["inverters"].append(
            {"id": name, "driver": "registers", "device": device, "tcp": place, "unit": unit, "rated_w": 5000}
        )
    stack.write()
    return ports


@pytest.mark.integration
def test_five_devices_on_five_ports_become_a_site_yaml_that_runs_as_pasted(stack: Any) -> None:
    ports = five_devices(stack)
    stack.start("site_simulator")
    stack.wait_for_port("127.0.0.1", ports[-1])
    home = stack.directory / "home"
    home.mkdir()
    pasted = stack.config = home / "site.yaml"  # not there yet: nobody has set this site up
    words = [word for port in ports for word in ("--port", str(port))]
    done = stack.run("scan", "127.0.0.1", *words)
    assert done.returncode == 0, done.stdout + done.stderr
    pasted.write_text(done.stdout.partition("for site.yaml:\n")[2].partition("\nnext:")[0])
    broker = {"DYNEXPORT__MQTT__HOST": stack.broker.host, "DYNEXPORT__MQTT__PORT": str(stack.broker.port)}
    checked = stack.run("check", **broker)
    assert checked.returncode == 0, checked.stderr
    site = load(pasted)
    assert site.meter.driver == "sunspec"
    assert sorted(getattr(one, "device", "sunspec") for one in site.inverters) == sorted(
        ["sunspec", *(device for device, _ in MAKES.values())]
    )
    stack.start("meter_reader", "inverter_writer", "limit_engine", **broker)
    stack.wait_for("meter/site/reading")
    for one in site.inverters:
        reading = m.InverterReading.model_validate_json(stack.wait_for(f"inverter/{one.id}/reading"))
        assert reading.power_w > 0.9 * one.rated_w
    said = m.Active.model_validate_json(stack.wait_for("active"))
    assert said.export_limit_w == 0
