"""The whole stack with a utility server over mutual TLS: a control that it creates is obeyed at the meter."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from bench.stack import CLOCK, CONTROL, Stack, stack
from csip_seed import SEED
from ruamel.yaml import YAML

from dynexport.testing.pki import Pki, make_pki
from utility_simulator.server import Server
from utility_simulator.style import drawn
from utility_simulator.tree import Program, Utility, stated, watts

pytestmark = pytest.mark.integration

AGREEMENT_W, DEFAULT_W, FALLBACK_W, LOAD_W = 5000.0, 4000, 1500.0, 2000.0


def with_csip(site: Stack, server: Server, pki: Pki) -> None:
    """Add the utility to the stack's site.yaml before the services start."""
    yaml = YAML()
    text = yaml.load(site.config)
    text["sources"]["csip"] = {"kind": "obligation", "fallback": {"export_limit_w": FALLBACK_W}}
    text["csip"] = {
        "server": server.address,
        "version": "1.2",
        "cert": str(pki.file("client.pem")),
        "key": str(pki.file("client.key")),
        "ca": str(pki.ca),
        "pen": 28547,
    }
    yaml.dump(text, site.config)


def mean_export_w(site: Stack, seconds: float) -> float:
    start = CLOCK.mono()
    site.wait(seconds)
    samples = [sample.export_w for sample in site.record.since(start)]
    return sum(samples) / len(samples)


def settles(site: Stack, low_w: float, high_w: float, within_s: float) -> bool:
    end = CLOCK.mono() + within_s
    while CLOCK.mono() < end:
        if low_w < mean_export_w(site, 2.0) < high_w:
            return True
    return False


@pytest.fixture
def utility(tmp_path: Path) -> Iterator[tuple[Utility, Server, Pki]]:
    pki = make_pki(tmp_path)
    made = Utility(lambda: CLOCK.now().timestamp(), style=drawn(random.Random(SEED)))
    made.rates = dict.fromkeys(made.rates, 5)
    made.registered = True
    made.programs = [[Program(1, default=stated(watts("opModExpLimW", DEFAULT_W)))]]
    server = Server(made, pki)
    yield made, server, pki
    server.close()


def test_a_control_of_the_utility_is_obeyed_at_the_meter_and_answered(
    utility: tuple[Utility, Server, Pki],
) -> None:
    server_side, server, pki = utility
    with stack(export_limit_w=AGREEMENT_W, load_w=LOAD_W) as site:
        with_csip(site, server, pki)
        site.start([*CONTROL, "csip_client"])
        assert settles(site, DEFAULT_W - 100, DEFAULT_W + 30, 60.0), "the utility's default"
        now = int(server_side.now())
        server_side.programs[0][0].controls["A"] = server_side.control(
            "AA", now, 40, watts("opModExpLimW", 500)
        )
        assert settles(site, 300.0, 530.0, 25.0), "obeyed within a poll and the inverter's lag"
        site.wait(max(0.0, now + 42 - server_side.now()))
        assert settles(site, DEFAULT_W - 100, DEFAULT_W + 30, 40.0), "the default again"
        assert server_side.answers() == [("AA", 1), ("AA", 2), ("AA", 3)]
        assert server_side.bodies("dercap")
        assert server_side.bodies("derg")
        assert server_side.bodies("ders")
        assert len(server_side.mirrors) == 2


def test_csip_client_killed_within_a_control_leaves_the_fallback_and_repeats_no_answer(
    utility: tuple[Utility, Server, Pki],
) -> None:
    server_side, server, pki = utility
    with stack(export_limit_w=AGREEMENT_W, load_w=LOAD_W) as site:
        with_csip(site, server, pki)
        now = int(server_side.now())
        control = server_side.control("AA", now, 600, watts("opModExpLimW", 3000))
        server_side.programs[0][0].controls["A"] = control
        site.start([*CONTROL, "csip_client"])
        assert settles(site, 2900.0, 3030.0, 60.0)
        killed = site.processes.pop("csip_client")
        killed.kill()
        killed.wait()
        assert settles(site, FALLBACK_W - 200, FALLBACK_W + 30, 90.0), "silence is its fallback"
        site.start(["csip_client"])
        assert settles(site, 2900.0, 3030.0, 60.0), "and obeyed again"
        assert server_side.answers() == [("AA", 1), ("AA", 2)]
