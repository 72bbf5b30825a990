"""The whole stack with the utility server as a service, told by `dynexport utility` what to send."""

from __future__ import annotations

import re
import sys

import pytest
from bench.stack import CLOCK, CONTROL, Stack, stack
from ruamel.yaml import YAML
from tests.integration.composed import run

from dynexport.broker import free_port
from dynexport.testing.pki import make_pki

pytestmark = pytest.mark.integration

AGREEMENT_W, DEFAULT_W, CONTROL_W, LOAD_W = 5000.0, 4000.0, 500.0, 2000.0
MARGIN_W = 60.0
POLL_S, LAG_S, LASTS_S = 5.0, 8.0, 30.0


def with_utility(site: Stack) -> None:
    """Add the server and its client to the stack's site.yaml before the services start."""
    port, folder = free_port(), site.directory / "utility"
    make_pki(folder)
    yaml = YAML()
    text = yaml.load(site.config)
    text["sources"]["csip"] = {"kind": "obligation", "fallback": {"export_limit_w": 1500}}
    text["csip"] = {
        "server": f"https://localhost:{port}",
        "version": "1.2",
        "cert": "utility/client.pem",
        "key": "utility/client.key",
        "ca": "utility/ca.pem",
        "pen": 28547,
    }
    text["utility_simulator"] = {"port": port, "poll_s": round(POLL_S), "export_limit_w": DEFAULT_W}
    yaml.dump(text, site.config)


def utility(site: Stack, *words: str) -> str:
    """`dynexport utility`, as a user types it."""
    command = [sys.executable, "-c", "from dynexport.cli.main import run; run()", "utility", *words]
    return run(*command, "--config", str(site.config))


def export_w(site: Stack, seconds: float) -> tuple[float, float]:
    """The least and the most of the export in the coming seconds, watts."""
    start = CLOCK.mono()
    site.wait(seconds)
    samples = [sample.export_w for sample in site.record.since(start)]
    return min(samples), max(samples)


def settles(site: Stack, watts: float, within_s: float) -> bool:
    """Whether export comes to lie close below these watts."""
    end = CLOCK.mono() + within_s
    while CLOCK.mono() < end:
        least, most = export_w(site, 2.0)
        if watts - 300.0 < least and most < watts + MARGIN_W:
            return True
    return False


def answers(site: Stack) -> list[str]:
    """The statuses that `show` prints, in order."""
    return re.findall(r"^  (\d) to control", utility(site, "show"), re.MULTILINE)


def test_a_control_told_to_the_utility_server_is_obeyed_at_the_meter_answered_and_reported() -> None:
    with stack(export_limit_w=AGREEMENT_W, load_w=LOAD_W) as site:
        with_utility(site)
        site.start(["utility_simulator", *CONTROL, "csip_client"])
        assert settles(site, DEFAULT_W, 60.0), "the utility's default"
        utility(site, "control", "--id", "export", "--value", f"{CONTROL_W:.0f}", "--for", f"{LASTS_S:.0f}")
        assert settles(site, CONTROL_W, POLL_S + LAG_S), "obeyed within a poll and the inverter's lag"
        assert answers(site) == ["1", "2"]
        assert settles(site, DEFAULT_W, LASTS_S + LAG_S), "the default again"
        assert answers(site) == ["1", "2", "3"]
        site.wait(65.0)
        assert re.search(r"^readings received: [1-9]", utility(site, "show"), re.MULTILINE)


@pytest.mark.parametrize(
    "words", [("status", "--value", "500"), ("garbage",), ("down",), ("expired",)], ids=lambda words: words[0]
)
def test_a_server_that_fails_within_a_control_changes_nothing_and_the_end_is_kept(
    words: tuple[str, ...],
) -> None:
    """The held schedule counts: the limit stays until the control's own end, then the stored default."""
    with stack(export_limit_w=AGREEMENT_W, load_w=LOAD_W) as site:
        with_utility(site)
        site.start(["utility_simulator", *CONTROL, "csip_client"])
        assert settles(site, DEFAULT_W, 60.0)
        utility(site, "control", "--value", f"{CONTROL_W:.0f}", "--for", f"{LASTS_S:.0f}")
        assert settles(site, CONTROL_W, POLL_S + LAG_S)
        utility(site, *words)
        assert export_w(site, 8.0)[1] < CONTROL_W + MARGIN_W
        assert settles(site, DEFAULT_W, LASTS_S + LAG_S), "the stored default, without the server"
        utility(site, "clear")
        site.wait(15.0)
        assert sorted(answers(site)) == ["1", "2", "3"], "what was queued arrives, once"
