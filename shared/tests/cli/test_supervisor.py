"""The supervisor with small programs in the place of services."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from dynexport.cli.supervisor import Supervisor, services_of
from dynexport.clock import SystemClock
from dynexport.testing.builders import site

CLOCK = SystemClock()
STEADY = "import time\nprint('up', flush=True)\ntime.sleep(60)\n"
FALLS = "print('falling', flush=True)\nraise SystemExit(1)\n"
MISCONFIGURED = "raise SystemExit(2)\n"
STUBBORN = "import signal, time\nsignal.signal(15, signal.SIG_IGN)\nprint('up', flush=True)\ntime.sleep(60)\n"


def wait_until(holds: Callable[[], bool], supervisor: Supervisor, seconds: float = 10.0) -> None:
    end = CLOCK.mono() + seconds
    while not holds() and CLOCK.mono() < end:
        supervisor.poll()
        CLOCK.sleep(0.02)
    assert holds()


def supervisor(tmp_path: Path, lines: list[str], **programs: str) -> Supervisor:
    for name, text in programs.items():
        (tmp_path / f"{name}.py").write_text(text)
    env = {"PYTHONPATH": str(tmp_path)}
    return Supervisor(
        tmp_path / "site.yaml", list(programs), lambda name, line: lines.append(f"{name}: {line}"), env
    )


def test_output_is_passed_on_with_the_services_name(tmp_path: Path) -> None:
    lines: list[str] = []
    running = supervisor(tmp_path, lines, steady_one=STEADY)
    running.start()
    wait_until(lambda: "steady-one: up" in lines, running)
    running.stop()
    assert running.pids() == {}


def test_a_service_that_falls_is_started_again_with_back_off(tmp_path: Path) -> None:
    lines: list[str] = []
    running = supervisor(tmp_path, lines, faller=FALLS)
    running.start()
    wait_until(lambda: lines.count("faller: falling") >= 3, running)
    running.stop()
    assert "faller: ended with 1: started again in 0.5 s" in lines
    assert "faller: ended with 1: started again in 1 s" in lines


def test_a_service_whose_configuration_is_bad_is_not_started_again(tmp_path: Path) -> None:
    lines: list[str] = []
    running = supervisor(tmp_path, lines, wrong=MISCONFIGURED, steady=STEADY)
    running.start()
    wait_until(lambda: running.children[0].given_up, running)
    assert "mend site.yaml" in lines[-1] or any("mend site.yaml" in line for line in lines)
    assert set(running.pids()) == {"steady"}
    running.stop()


def test_a_service_that_does_not_obey_sigterm_is_killed(tmp_path: Path) -> None:
    lines: list[str] = []
    running = supervisor(tmp_path, lines, stubborn=STUBBORN)
    running.start()
    wait_until(lambda: "stubborn: up" in lines, running)
    (pid,) = running.pids().values()
    running.stop(timeout_s=0.5)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_only_the_services_that_a_site_needs_are_started() -> None:
    assert services_of(site()) == ["meter_reader", "inverter_writer", "limit_engine"]
    behind = {"driver": "sunspec", "tcp": {"host": "127.0.0.1", "port": 1503}, "unit": 240}
    windows = {"windows": [{"start": "10:00", "end": "15:00", "export_limit_w": 0}]}
    everything = site(meter=behind, tariff=windows, simulator={})
    assert services_of(everything) == ["site_simulator", "inverter_writer", "limit_engine", "tariff_limits"]


def test_a_simulated_utility_server_is_started_before_its_client() -> None:
    files = {"cert": "client.pem", "key": "client.key", "ca": "ca.pem"}
    csip = {"server": "https://localhost:8443", "pen": 28547, **files}
    sources = {"csip": {"kind": "obligation", "fallback": {"export_limit_w": 1500}}}
    modules = services_of(site(sources=sources, csip=csip, utility_simulator={}))
    assert modules.index("utility_simulator") < modules.index("csip_client")
