"""csip.md, section 7: how often and in which order the server is asked, and what a wire that fails does to a limit."""

from __future__ import annotations

import socket
import ssl
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lane_site import START, Site

from csip_client.adapters.http import HttpSession, Unreachable
from csip_client.adapters.tls import context
from csip_client.pace import Pace
from dynexport.testing.pki import Pki, make_pki
from utility_simulator.style import PLAIN
from utility_simulator.tree import Program, Request, stated, watts

RATE_S = 60.0


def asked_at(site: Site, after_s: float = 0.0) -> dict[str, list[float]]:
    """The moments of each path's first pages, by path."""
    found: dict[str, list[float]] = defaultdict(list)
    for each in site.utility.requests:
        if each.method == "GET" and each.query.get("s", ["0"]) == ["0"] and each.at >= START + after_s:
            found[each.path].append(each.at)
    return found


def most_in_3_polls(moments: list[float]) -> int:
    return max(sum(first <= other < first + 3 * RATE_S for other in moments) for first in moments)


STORMS: dict[str, Callable[[Request], tuple[int, dict[str, str]] | None]] = {
    "everything is 500": lambda each: (500, {}),
    "everything is 429": lambda each: (429, {}),
    "time is 500, the rest is well": lambda each: (500, {}) if each.name == "tm" else None,
    "every second is 503": lambda each: (503, {}) if int(each.at) % 2 else None,
    "device capability is gone": lambda each: (404, {}) if each.name == "dcap" else None,
    "a list of programs that is listed is gone": lambda each: (404, {}) if each.name == "derp:0" else None,
    "assignments are gone": lambda each: (410, {}) if each.name == "fsa" else None,
    "the registration is gone": lambda each: (404, {}) if each.name == "rg" else None,
    "controls are gone": lambda each: (404, {}) if each.name == "derc:0:0" else None,
    "the list of end devices is forbidden": lambda each: (403, {}) if each.name == "edev" else None,
}


@pytest.mark.parametrize("failing", STORMS.values(), ids=STORMS.keys())
def test_never_more_than_6_requests_of_one_path_in_3_poll_periods(
    site: Site, failing: Callable[[Request], tuple[int, dict[str, str]] | None]
) -> None:
    site.utility.style, site.utility.pin = PLAIN, 111115
    site.run(60.0)
    site.utility.failing = failing
    site.run(900.0)
    most = {
        site.utility.names.of(path) or path: most_in_3_polls(moments)
        for path, moments in asked_at(site).items()
    }
    assert max(most.values()) <= 6, most


def test_a_server_that_is_gone_from_the_start_is_asked_patiently(site: Site) -> None:
    site.utility.failing = lambda each: (404, {})
    site.run(900.0)
    assert len(site.utility.requests) <= 8


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(["well", "fails", "patience", "soon"]), max_size=60), st.randoms())
def test_a_pace_keeps_to_6_requests_in_3_periods_whatever_happens(what: list[str], rng: object) -> None:
    pace, mono, moments = Pace(rng.random, rate_s=RATE_S), 0.0, []  # type: ignore[attr-defined]
    for each in what:
        if each == "soon":
            pace.soon(mono)
            continue
        mono = max(mono, pace.due)
        moments.append(mono)
        pace.asked(mono)
        match each:
            case "well":
                pace.answered(RATE_S)
            case "fails":
                pace.failed(mono)
            case _:
                pace.failed(mono, 90.0)
                pace.soon(mono)
                assert pace.due >= mono + 90.0, "Retry-After stands, whoever is in a hurry"
    assert not moments or most_in_3_polls(moments) <= 6


def test_no_back_off_exceeds_the_poll_rate(site: Site) -> None:
    site.utility.style = PLAIN
    site.run(60.0)
    site.utility.failing = lambda each: (500, {})
    site.run(600.0)
    for path, moments in asked_at(site, 60.0).items():
        gaps = [later - earlier for earlier, later in pairwise(moments)]
        assert max(gaps, default=0.0) <= 1.5 * RATE_S, path


def test_p_05_429_without_retry_after_backs_off_2_to_9_requests_in_210_s(site: Site) -> None:
    site.run(60.0)
    began = site.utility.now()
    site.utility.failing = lambda each: (
        (429, {}) if each.name == "derc:0:0" and each.at < began + 120 else None
    )
    site.run(210.0)
    assert 2 <= len([each for each in site.got("derc") if each.at >= began]) <= 9


def test_p_06_429_with_retry_after_180_is_asked_exactly_twice_in_280_s(site: Site) -> None:
    site.run(60.0)
    first: list[float] = []

    def refuse(each: Request) -> tuple[int, dict[str, str]] | None:
        if each.name != "derc:0:0":
            return None
        first.append(each.at)
        return (429, {"Retry-After": "180"}) if each.at < first[0] + 180 else None

    site.utility.failing = refuse
    site.run(400.0)
    within = [at for at in first if at <= first[0] + 280]
    assert len(within) == 2
    assert within[1] - within[0] >= 180


def test_a_program_cycle_is_one_burst_controls_before_defaults(site: Site) -> None:
    site.utility.programs = [
        [Program(number, default=stated(watts("opModExpLimW", 900))) for number in (1, 2)]
    ]
    site.run(130.0)
    kinds = [(each.name or "").split(":")[0] for each in site.utility.requests if each.method == "GET"]
    burst = [kind for kind in kinds if kind in ("derp", "derc", "dderc", "fsa", "edev", "dcap", "tm")]
    at = len(burst) - 1 - burst[::-1].index("derp")
    while at and burst[at - 1] == "derp":
        at -= 1
    ordered = [kind for kind in burst[at : at + 12] if kind != "derp"][:4]
    assert ordered == ["derc", "dderc", "derc", "dderc"]


def test_the_rate_in_an_answer_times_the_very_next_poll(site: Site) -> None:
    site.utility.style = PLAIN
    site.run(100.0)
    site.utility.rates["derp"] = 300
    site.run(100.0)
    began = site.mono
    site.run(600.0)
    moments = next(
        each for path, each in asked_at(site, began).items() if path == site.utility.names.path("derp:0")
    )
    assert len(moments) == 2


def test_a_control_in_force_when_served_is_answered_1_2_3_even_if_it_is_over_by_then(site: Site) -> None:
    site.run(10.0)
    now = int(site.utility.now())
    site.utility.programs[0][0].controls["A"] = site.utility.control("AA", now, 200, watts("opModExpLimW", 5))

    def slow(each: Request) -> None:
        if each.name == "dderc:0:0" and "AA" not in {name for name, _ in site.utility.answers()}:
            site.mono = max(site.mono, now + 230 - START)

    site.utility.arriving = slow
    site.run(120.0)
    site.run(10.0)
    assert site.utility.answers() == [("AA", 1), ("AA", 2), ("AA", 3)]


def test_the_first_success_after_an_outage_reruns_the_walk_at_once(site: Site) -> None:
    site.utility.style = PLAIN
    site.run(60.0)
    site.utility.failing = lambda each: (500, {})
    site.run(400.0)
    site.utility.failing = lambda each: None
    back = site.utility.now()
    site.run(120.0)
    first = min(each.at for each in site.utility.requests if each.at >= back)
    assert min(each.at for each in site.got("derc") if each.at >= back) - first <= 120.0 - (first - back)


@pytest.mark.parametrize("status", [404, 204])
def test_a_default_that_is_404_or_204_is_none_and_any_other_failure_keeps_the_last(
    site: Site, status: int
) -> None:
    site.run(30.0)
    site.utility.failing = lambda each: (503, {}) if each.name == "dderc:0:0" else None
    site.run(130.0)
    assert site.watts() == {"export_limit_w": 0.0}
    site.utility.failing = lambda each: (status, {}) if each.name == "dderc:0:0" else None
    site.run(130.0)
    assert site.watts() == {}, "nothing is stated, so that the fallback counts"


def test_a_withdrawn_default_is_one_with_an_empty_base(site: Site) -> None:
    site.run(30.0)
    site.utility.programs[0][0].default = "<DERControlBase/>"
    site.run(70.0)
    assert site.watts() == {}


def test_a_program_that_fails_keeps_its_last_content_and_lets_the_others_in(site: Site) -> None:
    site.utility.programs[0].append(Program(2, default=stated(watts("opModGenLimW", 5000))))
    site.run(30.0)
    now = int(site.utility.now())
    for number, program in enumerate(site.utility.programs[0]):
        mode = ("opModExpLimW", "opModGenLimW")[number]
        program.controls["A"] = site.utility.control(f"A{number}", now, 900, watts(mode, 0))
    site.utility.failing = lambda each: (500, {}) if each.name == "derc:0:0" else None
    site.run(70.0)
    assert site.watts() == {"export_limit_w": 0.0, "generation_limit_w": 0.0}


def test_a_list_that_is_cut_short_withdraws_nothing(site: Site) -> None:
    site.utility.programs = [
        [Program(1, default=stated(watts("opModExpLimW", 10 * number))) for number in range(5)]
    ]
    site.run(30.0)
    pages, real = site.utility._pages, site.utility._pages._list

    def short(name: str, entries: list[str], rate: str | None, request: Request) -> bytes:
        if name == "DERProgramList" and int(request.query.get("s", ["0"])[0]) > 0:
            return real(name, [], rate, request)
        body = real(name, entries, rate, request)
        return body.replace(b'all="5"', b'all="6"') if name == "DERProgramList" else body

    pages._list = short  # type: ignore[method-assign]
    site.run(200.0)
    assert site.watts() == {"export_limit_w": 0.0}
    assert any("entries came of" in each for each in site.trouble)


def test_a_server_clock_that_is_off_and_jumps_loses_no_limit_and_no_answer(site: Site) -> None:
    site.utility.style = PLAIN
    site.run(70.0)
    for jump_s in (3600.0, -3600.0, 0.0):
        site.jump_s = jump_s
        site.run(70.0)
        now = int(site.utility.now())
        mrid = f"A{int(jump_s) % 7}"
        site.utility.programs[0][0].controls[mrid] = site.utility.control(
            mrid, now, 100, watts("opModGenLimW", 9)
        )
        site.run(70.0)
        assert site.watts() == {"export_limit_w": 0.0, "generation_limit_w": 9.0}
        site.run(130.0)
        assert [answer for name, answer in site.utility.answers() if name == mrid] == [1, 2, 3]


WIRE = {
    "500": "status",
    "nothing": "down",
    "an expired certificate": "expired",
    "garbage": "garbage",
    "a hang": "hang",
}


@pytest.mark.parametrize("fault", WIRE.values(), ids=WIRE.keys())
def test_whatever_the_wire_does_the_limit_stands_and_it_recovers(
    pki: Pki, tmp_path: Path, fault: str
) -> None:
    site = Site(pki, tmp_path, style=PLAIN)
    site.utility.programs = [[Program(1, default=stated(watts("opModExpLimW", 0), 0))]]
    site.http = {"read_s": 0.2}
    site.boot()
    site.run(30.0)
    faults = site.server.faults
    if fault == "status":
        site.utility.failing = lambda each: (500, {})
    else:
        faults.begin(fault, 1.0, None)
        site.store.close()
        site.boot()  # with connections of its own, so that the certificate is looked at
    site.run(100.0)
    assert site.obedience.now(site.lanes.server_now()).statement.watts == {"export_limit_w": 0.0}
    assert site.trouble
    site.utility.failing = lambda each: None
    faults.clear()
    site.utility.programs[0][0].default = stated(watts("opModExpLimW", 70))
    site.run(400.0)
    assert site.watts() == {"export_limit_w": 70.0}
    site.end()


@pytest.fixture
def raw(pki: Pki) -> Iterator[Callable[[Callable[[ssl.SSLSocket], None]], str]]:
    """A TLS server that answers each connection as it is told."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(pki.file("server.pem"), pki.file("server.key"))
    listening = socket.create_server(("127.0.0.1", 0))

    def serve(answer: Callable[[ssl.SSLSocket], None]) -> str:
        def accept() -> None:
            try:
                with tls.wrap_socket(listening.accept()[0], server_side=True) as secure:
                    secure.recv(4096)
                    answer(secure)
            except OSError:
                return

        threading.Thread(target=accept, daemon=True).start()
        return f"https://localhost:{listening.getsockname()[1]}"

    yield serve
    listening.close()


def drip(secure: ssl.SSLSocket) -> None:
    secure.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    stop = threading.Event()
    for _ in range(200):
        secure.sendall(b"<")
        stop.wait(0.05)


def drip_head(secure: ssl.SSLSocket) -> None:
    stop = threading.Event()
    for _ in range(200):
        secure.sendall(b"H")
        stop.wait(0.05)


def reset(secure: ssl.SSLSocket) -> None:
    secure.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


def cut_off(secure: ssl.SSLSocket) -> None:
    secure.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n<Time><curr")


@pytest.mark.parametrize("answer", [drip, drip_head, reset, cut_off])
def test_an_answer_that_drips_breaks_off_or_is_cut_short_ends_as_unreachable_in_time(
    pki: Pki, raw: Callable[[Callable[[ssl.SSLSocket], None]], str], answer: Callable[[ssl.SSLSocket], None]
) -> None:
    server = raw(answer)
    session = HttpSession(
        server, context(pki.file("client.pem"), pki.file("client.key"), pki.ca), read_s=1.0, longest_s=0.5
    )
    with pytest.raises(Unreachable):
        session.request("GET", "/tm", None, "application/sep+xml")
    session.close()


def test_a_server_of_another_root_is_never_spoken_to(site: Site, tmp_path: Path) -> None:
    other = make_pki(tmp_path / "other")
    tls = context(site.pki.file("client.pem"), site.pki.file("client.key"), other.ca)
    with pytest.raises(Unreachable, match="certificate"):
        HttpSession(site.server.address, tls).request("GET", "/dcap")
    assert site.utility.requests == []


def test_ca_may_hold_several_roots_or_only_an_intermediate(site: Site, tmp_path: Path) -> None:
    other = make_pki(tmp_path / "other")
    roots = tmp_path / "roots.pem"
    roots.write_bytes(site.pki.ca.read_bytes() + other.ca.read_bytes())
    leaf = site.pki.file("server.pem")  # a partial chain: not self-signed
    for trusted in (roots, leaf):
        tls = context(site.pki.file("client.pem"), site.pki.file("client.key"), trusted)
        assert HttpSession(site.server.address, tls).request("GET", "/dcap").status == 200
