"""csip.md, section 7: the way in, by version, registration and connection point; each test is named after its rule."""

from __future__ import annotations

from pathlib import Path

import pytest
from lane_site import START, Site

from csip_client.model import Mode
from csip_client.registration import Standing
from dynexport.testing.pki import Pki
from utility_simulator.document import V1_2, V1_3
from utility_simulator.style import PLAIN
from utility_simulator.tree import WELL_KNOWN, Program, stated, watts

Refusal = tuple[int, dict[str, str]]
STORAGE = "<csipaus:opModStorageTargetW><multiplier>0</multiplier><value>-2000</value></csipaus:opModStorageTargetW>"


def site_1_3(pki: Pki, folder: Path, version: str = "auto", **wanted: str) -> Site:
    made = Site(pki, folder, version=V1_3, **{"version_wanted": version, **wanted})
    made.utility.programs = [[Program(1, default=stated(watts("opModExpLimW", 700)))]]
    return made


def test_1_3_is_found_through_the_well_known_file_at_a_path_drawn_at_random(pki: Pki, tmp_path: Path) -> None:
    site = site_1_3(pki, tmp_path, dcap_path="/nowhere")
    site.utility.names.alias("/x/1f2e", "dcap")
    site.utility.well_known = {"urn:of:tomorrow": ["/wrong"], V1_2.namespace: [], V1_3.namespace: ["/x/1f2e"]}
    site.run(130.0)
    assert site.watts() == {"export_limit_w": 700.0}
    asked = {each.path for each in site.utility.requests}
    assert "/nowhere" not in asked
    assert "/wrong" not in asked
    assert "/dcap" not in asked, "never its own href, which the body names"
    site.end()


def test_the_media_type_of_1_3_is_on_every_request_put_and_post_too(pki: Pki, tmp_path: Path) -> None:
    site = site_1_3(pki, tmp_path)
    site.utility.well_known = {V1_3.namespace: ["/dcap"]}
    site.run(90.0)
    others = [each for each in site.utility.requests if each.path != WELL_KNOWN]
    assert {each.method for each in others} == {"GET", "PUT", "POST"}
    assert {each.media_type for each in others} == {V1_3.media_type}
    site.end()


@pytest.mark.parametrize("status", [404, 410])
def test_no_well_known_file_means_1_2_at_the_configured_path(pki: Pki, tmp_path: Path, status: int) -> None:
    site = Site(pki, tmp_path, version_wanted="auto")
    site.utility.programs = [[Program(1, default=stated(watts("opModExpLimW", 700)))]]
    site.utility.failing = lambda request: (status, {}) if request.path == WELL_KNOWN else None
    site.run(30.0)
    assert site.lanes.version is not None
    assert site.lanes.version.name == "1.2"
    assert site.watts() == {"export_limit_w": 700.0}
    site.end()


@pytest.mark.parametrize("status", [500, 503, 429, 403])
def test_a_well_known_file_that_fails_is_retried_and_never_taken_for_1_2(
    pki: Pki, tmp_path: Path, status: int
) -> None:
    site = site_1_3(pki, tmp_path)
    site.utility.well_known = {V1_3.namespace: ["/dcap"]}
    site.utility.failing = lambda request: (status, {})
    site.run(60.0)
    assert site.lanes.version is None
    asked = [each.path for each in site.utility.requests]
    assert set(asked) == {WELL_KNOWN}
    assert 2 <= len(asked) <= 6
    site.utility.failing = lambda request: None
    site.run(300.0)
    assert site.watts() == {"export_limit_w": 700.0}
    site.end()


def test_the_well_known_file_is_read_again_after_a_404_of_the_device_capability(
    pki: Pki, tmp_path: Path
) -> None:
    site = site_1_3(pki, tmp_path)
    site.utility.style = PLAIN  # with a pollRate for each resource
    site.utility.well_known = {V1_3.namespace: ["/dcap"]}
    site.run(30.0)
    site.utility.names._paths["dcap"] = "/x/moved"
    site.utility.well_known = {V1_3.namespace: ["/x/moved"]}
    site.run(200.0)
    assert any(each.path == "/x/moved" for each in site.utility.requests)
    assert site.watts() == {"export_limit_w": 700.0}
    site.end()


def test_op_mod_storage_target_w_is_known_and_lifts_no_limit(pki: Pki, tmp_path: Path) -> None:
    site = site_1_3(pki, tmp_path)
    site.utility.well_known = {V1_3.namespace: ["/dcap"]}
    site.run(10.0)
    now = int(site.utility.now())
    program = site.utility.programs[0][0]
    program.controls["A"] = site.utility.control("AA", now, 200, STORAGE)
    site.run(70.0)
    said = site.obedience.now(site.lanes.server_now())
    assert Mode.UNKNOWN not in said.in_force
    assert said.statement.storage_target_w == -2000.0
    assert said.statement.watts == {"export_limit_w": 700.0}, "the default of the modes that it does not have"
    site.end()


def test_each_start_and_each_new_registration_discovers_from_the_top(site: Site) -> None:
    site.run(30.0)
    for how in ("a start", "a new registration"):
        began = site.utility.now()
        if how == "a start":
            site.store.close()
            site.boot()
            site.run(30.0)
        else:
            site.utility.registered = False
            site.run(130.0)
        for name in ("dcap", "edev", "fsa", "derp"):
            assert any(each.at >= began for each in site.got(name)), f"{name} after {how}"
        puts = {each.name for each in site.utility.requests if each.at >= began and each.method == "PUT"}
        assert {"dercap", "derg", "ders"} <= puts, how


def test_a_404_on_a_remembered_href_rediscovers_from_the_top(site: Site) -> None:
    site.run(30.0)
    site.utility.names.move("fsa")
    began = site.utility.now()
    site.run(130.0)
    for name in ("dcap", "edev", "fsa"):
        assert any(each.at >= began for each in site.got(name)), name


@pytest.mark.parametrize("answer", [409, 200, 204])
def test_only_a_201_makes_the_registration_new_and_drops_what_was_held(site: Site, answer: int) -> None:
    site.utility.registered = True
    site.run(30.0)
    site.utility.registered = False
    site.utility.failing = lambda each: (
        (answer, {}) if each.name == "edev" and each.method == "POST" else None
    )
    site.run(130.0)
    assert [each for each in site.got("edev") if each.method == "POST"]
    assert site.watts() == {"export_limit_w": 0.0}, "not listed for now is not withdrawn"


@pytest.mark.parametrize("status", [403, 404, 405])
def test_a_refused_registration_waits_at_the_rate_of_the_list(site: Site, status: int) -> None:
    site.utility.failing = lambda each: (
        (status, {}) if each.name == "edev" and each.method == "POST" else None
    )
    site.run(3000.0)
    assert site.standing == [Standing.WAITING]
    assert len([each for each in site.got("edev") if each.method == "POST"]) == 1
    assert len(site.got("edev")) <= 6


@pytest.mark.parametrize("status", [400, 409, 422])
def test_a_connection_point_that_is_refused_is_an_event_and_is_not_repeated(site: Site, status: int) -> None:
    site.utility.failing = lambda each: (status, {}) if each.name == "cp" and each.method == "PUT" else None
    site.run(400.0)
    assert len([each for each in site.got("cp") if each.method == "PUT"]) == 1
    assert any("csip.nmi" in each for each in site.trouble)
    assert site.watts() == {"export_limit_w": 0.0}


@pytest.mark.parametrize("status", [403, 429, 500])
def test_no_limit_waits_for_the_connection_point(site: Site, status: int) -> None:
    site.utility.failing = lambda each: (status, {}) if each.name == "cp" else None
    site.run(60.0)
    assert site.watts() == {"export_limit_w": 0.0}
    site.utility.failing = lambda each: None
    site.run(130.0)
    assert b"41020000000" in site.utility.bodies("cp")[-1]


def test_a_connection_point_that_has_the_nmi_is_left_alone(site: Site) -> None:
    site.run(30.0)
    site.store.close()
    site.boot()
    site.run(200.0)
    assert len([each for each in site.got("cp") if each.method == "PUT"]) == 1


def test_without_a_pin_of_ours_the_servers_is_a_warning(site: Site) -> None:
    site.utility.registered, site.utility.pin = True, 111115
    site.run(30.0)
    assert site.standing == [Standing.REGISTERED]
    assert any("csip.pin" in each for each in site.trouble)


UNREAD: dict[str, Refusal] = {
    "500": (500, {}),
    "403": (403, {}),
    "429": (429, {"Retry-After": "30"}),
    "no XML": (200, {}),
}


def unread(site: Site, refusal: Refusal) -> None:
    """From now on the registration cannot be read."""
    if refusal[0] != 200:
        site.utility.failing = lambda each: refusal if each.name == "rg" else None
        return
    real = site.utility._pages._document
    site.utility._pages._document = (  # type: ignore[method-assign]
        lambda kind, rest, request: b"<html>" if kind == "rg" else real(kind, rest, request)
    )


@pytest.mark.parametrize("refusal", UNREAD.values(), ids=UNREAD.keys())
def test_while_the_registration_cannot_be_read_nothing_is_sent_however_long_that_lasts(
    pki: Pki, tmp_path: Path, refusal: Refusal
) -> None:
    site = Site(pki, tmp_path, pin=111115, style=PLAIN)
    site.utility.registered, site.utility.pin = True, 332213
    site.utility.enabled = False
    site.run(
        130.0
    )  # so that the list of end devices has its rate, and is asked more often than what never answered
    site.utility.enabled = True
    document = site.utility._pages._document
    unread(site, refusal)
    site.run(3000.0)
    assert site.standing == [Standing.DISABLED]
    assert {each.name for each in site.utility.requests} == {"dcap", "tm", "edev", "rg"}
    assert {each.method for each in site.utility.requests} == {"GET"}
    moments = [each.at for each in site.got("rg")]
    assert len(moments) >= 6
    assert max(sum(first <= other < first + 180.0 for other in moments) for first in moments) <= 6
    site.utility.failing = lambda each: None
    site.utility._pages._document = document  # type: ignore[method-assign]
    site.run(1000.0)
    assert site.standing == [Standing.DISABLED, Standing.PIN_MISMATCH]
    site.end()


def test_a_registration_that_can_be_read_at_last_lets_it_go_on(pki: Pki, tmp_path: Path) -> None:
    site = Site(pki, tmp_path, pin=111115, style=PLAIN)
    site.utility.registered, site.utility.pin = True, 111115
    unread(site, (500, {}))
    site.run(600.0)
    site.utility.failing = lambda each: None
    site.run(1000.0)
    assert site.standing == [Standing.REGISTERED]
    site.end()


@pytest.mark.parametrize("status", [404, 410])
def test_a_registration_that_is_not_there_has_no_pin_to_compare(
    pki: Pki, tmp_path: Path, status: int
) -> None:
    site = Site(pki, tmp_path, pin=111115, style=PLAIN)
    site.utility.registered, site.utility.pin = True, 111115
    site.utility.programs = [[Program(1, default=stated(watts("opModExpLimW", 700)))]]
    site.utility.failing = lambda each: (status, {}) if each.name == "rg" else None
    site.run(3000.0)
    assert site.standing == [Standing.REGISTERED]
    assert site.watts() == {"export_limit_w": 700.0}
    assert len(site.utility.bodies("dercap")) == 1, "no discovery anew each time"
    site.end()


def test_nothing_that_is_no_list_of_end_devices_makes_us_register(site: Site) -> None:
    site.utility.registered = True
    site.run(30.0)
    real = site.utility._pages._list
    pages = site.utility._pages

    def other(name: str, entries: list[str], rate: str | None, request: object) -> bytes:
        if name == "EndDeviceList" and site.utility.now() > START + 35:
            return b"<html></html>"
        return real(name, entries, rate, request)  # type: ignore[arg-type]

    pages._list = other  # type: ignore[method-assign,assignment]
    site.run(200.0)
    assert [each for each in site.got("edev") if each.method == "POST"] == []
    assert site.watts() == {"export_limit_w": 0.0}
