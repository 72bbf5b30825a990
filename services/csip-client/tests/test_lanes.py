"""Both lanes against a utility server over real mutual TLS, under one clock that jumps."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from lane_site import DER_W, FACTS, SITE_W, START, Site

from csip_client.der_status import DerStatus
from csip_client.model import Mode
from csip_client.registration import Standing
from dynexport.testing.pki import Pki
from utility_simulator.tree import Program, stated, watts


def test_all_02_and_all_03_it_registers_itself_puts_its_connection_point_and_describes_itself(
    site: Site,
) -> None:
    site.run(30.0)
    assert site.standing[-1] is Standing.REGISTERED
    assert f"<lFDI>{site.pki.lfdi}</lFDI>".encode() in site.utility.bodies("edev")[0]
    assert b"41020000000" in site.utility.bodies("cp")[0]
    assert [len(site.utility.bodies(name)) for name in ("cp", "dercap", "derg", "ders")] == [1, 1, 1, 1]
    assert site.watts() == {"export_limit_w": 0.0}


def test_all_01_registered_out_of_band_it_does_not_register_again(site: Site) -> None:
    site.utility.registered = True
    site.run(30.0)
    assert site.utility.bodies("edev") == []
    assert site.standing[-1] is Standing.REGISTERED


def test_a_server_that_registers_by_hand_is_waited_for(site: Site) -> None:
    site.utility.may_register = False
    site.run(30.0)
    assert site.standing == [Standing.WAITING]
    site.utility.registered = True
    site.run(1000.0)
    assert site.standing[-1] is Standing.REGISTERED


def test_all_03_rej_another_pin_stops_every_request(pki: Pki, tmp_path: Path) -> None:
    site = Site(pki, tmp_path, pin=111115)
    site.utility.registered, site.utility.pin = True, 332213
    site.run(30.0)
    assert site.standing == [Standing.PIN_MISMATCH]
    sent = [each for each in site.utility.requests if each.method != "GET"]
    assert sent == [], "nothing is sent before the PIN was compared"
    so_far = len(site.utility.requests)
    site.run(600.0)
    assert len(site.utility.requests) == so_far
    site.end()


def test_all_04_the_pin_that_fits_lets_it_go_on(pki: Pki, tmp_path: Path) -> None:
    site = Site(pki, tmp_path, pin=111115)
    site.utility.registered, site.utility.pin = True, 111115
    site.run(30.0)
    assert site.standing == [Standing.REGISTERED]
    site.end()


def test_a_disabled_end_device_is_never_posted_again(site: Site) -> None:
    site.utility.registered, site.utility.enabled = True, False
    site.run(300.0)
    assert site.standing == [Standing.DISABLED]
    assert [each for each in site.utility.requests if each.method != "GET"] == []


def test_all_06_the_seven_lists_are_polled_at_the_servers_rate(site: Site) -> None:
    site.utility.style = replace(site.utility.style, unrated=frozenset())
    site.lanes.run_control(0.0)
    site.run(60.0)
    for _ in range(540):
        report = site.lanes.report
        assert report is not None
        report.sample(SITE_W, -1500.0, site.lanes.server_now())
        report.sample(DER_W, 3000.0, site.lanes.server_now())
        site.run(1.0)
    for name in ("dcap", "edev", "fsa", "der", "derp", "dderc", "mup"):
        asked = [
            each.at for each in site.got(name) if each.method == "GET" and each.query.get("s", ["0"]) == ["0"]
        ]
        gaps = [later - earlier for earlier, later in pairwise(asked) if earlier > START + 60]
        assert gaps, name
        assert max(gaps) <= 90.0, name
        for moment in asked:
            assert sum(moment <= other < moment + 180.0 for other in asked if moment > START + 60) <= 6, name


def test_all_18_and_all_24_controls_are_obeyed_in_watts_and_answered_in_order(site: Site) -> None:
    program = site.utility.programs[0][0]
    site.run(10.0)
    now = int(site.utility.now())
    program.controls["A"] = site.utility.control("AA", now, 200, watts("opModExpLimW", 15, 2))
    site.run(70.0)
    assert site.watts() == {"export_limit_w": 1500.0}
    program.controls["A"] = site.utility.control("AA", now, 200, watts("opModExpLimW", 15, 2), status=2)
    site.run(70.0)
    assert site.watts() == {"export_limit_w": 0.0}
    assert site.utility.answers() == [("AA", 1), ("AA", 2), ("AA", 6)]


def test_all_23_out_of_touch_the_held_schedule_runs_then_the_default_and_derc_is_asked_soon_after(
    site: Site,
) -> None:
    program = site.utility.programs[0][0]
    site.run(10.0)
    first = int(site.utility.now()) + 60
    for number in range(5):
        base = watts("opModExpLimW", 1000 + number)
        program.controls[str(number)] = site.utility.control(f"A{number}", first + 120 * number, 120, base)
    site.run(60.0)
    site.utility.failing = lambda request: (500, {})
    for number in range(5):
        site.mono = first + 120 * number + 30 - START
        site.run(5.0)
        assert site.watts() == {"export_limit_w": 1000.0 + number}
    site.mono = first + 600 + 10 - START
    site.run(120.0)
    assert site.watts() == {"export_limit_w": 0.0}
    site.utility.failing = lambda request: None
    back = site.utility.now()
    site.run(120.0)
    assert any(each.at >= back for each in site.got("derc"))
    assert [answer for name, answer in site.utility.answers() if name == "A4"] == [1, 2, 3]
    assert len(site.utility.answers()) == 15


def test_all_30_after_a_power_cut_without_the_server_the_stored_default_is_stated(site: Site) -> None:
    site.utility.programs[0][0].default = stated(watts("opModExpLimW", 3000))
    site.run(30.0)
    site.store.close()
    site.utility.failing = lambda request: (500, {})
    site.boot()
    site.run(30.0)
    assert site.obedience.now(None).statement.watts == {"export_limit_w": 3000.0}


def test_no_answer_is_repeated_by_a_restart(site: Site) -> None:
    program = site.utility.programs[0][0]
    site.run(10.0)
    now = int(site.utility.now())
    program.controls["A"] = site.utility.control("AA", now, 300, watts("opModExpLimW", 5))
    site.run(70.0)
    site.store.close()
    site.boot()
    site.run(400.0)
    assert site.utility.answers() == [("AA", 1), ("AA", 2), ("AA", 3)]


def test_p_02_a_withdrawn_assignment_takes_its_controls_with_it(site: Site) -> None:
    site.utility.programs.append([Program(0)])
    site.run(10.0)
    now = int(site.utility.now())
    site.utility.programs[1][0].controls["A"] = site.utility.control(
        "AA", now, 900, watts("opModExpLimW", 77)
    )
    site.run(70.0)
    assert site.watts() == {"export_limit_w": 77.0}
    site.utility.programs.pop()
    site.run(130.0)
    assert site.watts() == {"export_limit_w": 0.0}
    assert site.utility.answers() == [("AA", 1), ("AA", 2)]


@pytest.mark.parametrize("restarts", [False, True])
def test_an_assignment_that_is_away_for_a_while_answers_nothing_twice_not_even_after_a_restart(
    site: Site, restarts: bool
) -> None:
    site.run(10.0)
    now = int(site.utility.now())
    site.utility.programs[0][0].controls["A"] = site.utility.control(
        "AA", now, 3000, watts("opModExpLimW", 700)
    )
    site.run(330.0)
    assert site.watts() == {"export_limit_w": 700.0}
    away = site.utility.programs.pop(0)
    site.run(330.0)
    assert site.watts() == {}
    if restarts:
        site.store.close()
        site.boot()
        site.run(30.0)
        assert site.watts() == {}
    site.utility.programs.append(away)
    site.run(330.0)
    assert site.watts() == {"export_limit_w": 700.0}
    site.run(2500.0)
    assert site.utility.answers() == [("AA", 1), ("AA", 2), ("AA", 3)]


def test_p_04_a_program_that_moved_is_found_again_and_its_old_address_is_left_alone(site: Site) -> None:
    site.run(90.0)
    old = site.utility.names._paths["derp:0"]
    site.utility.names.move("derp:0")
    moved = site.mono
    site.run(300.0)
    later = [each for each in site.utility.requests if each.path == old and each.at > START + moved]
    assert len(later) <= 1, "only the request that found it gone"
    assert any(each.at > START + moved for each in site.got("derp"))


def test_p_06_retry_after_is_kept_to_the_second(site: Site) -> None:
    site.run(70.0)
    controls = [path for name, path in site.utility.names._paths.items() if name.startswith("derc:")]
    site.utility.failing = lambda request: (429, {"Retry-After": "180"}) if request.path in controls else None
    since = site.utility.now()
    site.run(280.0)
    asked = [each.at for each in site.utility.requests if each.path in controls and each.at > since]
    assert len(asked) == 2
    assert asked[1] - asked[0] >= 180.0


def test_gen_10_programs_over_two_assignments_and_several_pages_are_all_found(site: Site) -> None:
    site.utility.programs = [
        [Program(1, default=stated(watts("opModExpLimW", 9000 + number))) for number in range(5)],
        [Program(2, default=stated(watts("opModGenLimW", 8000 + number))) for number in range(10)],
    ]
    site.run(30.0)
    assert len(site.obedience.programs) == 15
    assert site.watts() == {"export_limit_w": 9000.0, "generation_limit_w": 8000.0}


def test_a_clock_that_is_an_hour_off_changes_nothing(pki: Pki, tmp_path: Path) -> None:
    site = Site(pki, tmp_path, skew_s=3600.0)
    site.utility.programs = [[Program(1)]]
    site.run(10.0)
    now = int(site.utility.now())
    site.utility.programs[0][0].controls["A"] = site.utility.control(
        "AA", now, 100, watts("opModExpLimW", 42)
    )
    site.run(70.0)
    assert site.watts() == {"export_limit_w": 42.0}
    created = site.utility.bodies("rsp")[0].decode().split("<createdDateTime>")[1].split("<")[0]
    assert abs(int(created) - site.utility.now()) < 100
    site.end()


def test_a_control_that_cannot_be_read_holds_the_fallback_and_lets_the_others_in(site: Site) -> None:
    site.utility.programs = [[Program(1, default=stated(watts("opModExpLimW", 9000)))]]
    site.run(10.0)
    assert site.watts() == {"export_limit_w": 9000.0}
    now = int(site.utility.now())
    program = site.utility.programs[0][0]
    program.controls["A"] = site.utility.control("AA", now, 500, watts("opModNewLimW", 5))
    site.run(70.0)
    assert site.watts() == {"export_limit_w": 1500.0}
    text = site.utility.control("AA", now, 500, watts("opModNewLimW", 5)).xml(now)
    program.controls["A"] = text.replace("<start>", "<begin>").replace("</start>", "</begin>")
    program.controls["B"] = site.utility.control("BB", now, 500, watts("opModExpLimW", 700))
    site.run(70.0)
    assert site.watts() == {"export_limit_w": 700.0}


def test_garbage_and_hangs_keep_what_was_known(site: Site) -> None:
    site.run(30.0)
    site.utility.failing = lambda request: (200, {}) if request.path != "/dcap" else None
    site.run(300.0)
    assert site.watts() == {"export_limit_w": 0.0}
    assert site.trouble


def test_readings_are_posted_for_whole_minutes_at_the_rate_that_the_server_wants(site: Site) -> None:
    site.utility.post_rate = 300
    site.run(30.0)
    for _ in range(700):
        report = site.lanes.report
        assert report is not None
        report.sample(SITE_W, -1500.0, site.lanes.server_now())
        site.run(1.0)
    posted = [body.decode() for body in site.utility.bodies("mirror")]
    starts = [int(body.split("<start>")[1].split("<")[0]) for body in posted]
    assert starts
    assert all(start % 60 == 0 for start in starts)
    assert posted[-1].count("<duration>300</duration>") == 1
    assert "<value>-15000</value>" in posted[-1]
    assert len(starts) == len(set(starts))


def test_an_answer_that_the_server_will_never_take_does_not_block_the_others(site: Site) -> None:
    site.run(10.0)
    now = int(site.utility.now())
    program = site.utility.programs[0][0]
    program.controls["A"] = site.utility.control("AA", now, 500, watts("opModExpLimW", 5))
    program.controls["B"] = site.utility.control("BB", now, 500, watts("opModGenLimW", 5))
    site.utility.failing = lambda request: (400, {}) if b"<subject>AA" in request.body else None
    site.run(90.0)
    assert site.utility.answers() == [("BB", 1), ("BB", 2)]


def test_ders_change_is_put_and_repeated_at_the_servers_rate(site: Site) -> None:
    site.run(30.0)
    site.lanes.give(replace(FACTS, status=DerStatus(0, 1)))
    site.run(5.0)
    assert b"<value>00</value>" in site.utility.bodies("ders")[-1]
    puts = len(site.utility.bodies("ders"))
    site.run(130.0)
    assert len(site.utility.bodies("ders")) >= puts + 2


def test_values_are_kept_by_mode(site: Site) -> None:
    site.run(10.0)
    assert set(site.obedience.now(site.lanes.server_now()).in_force) == {Mode.EXPORT}
