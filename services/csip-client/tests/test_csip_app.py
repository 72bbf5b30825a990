"""The service on a bus without a broker, its server over real TLS: what it states, takes back and tells."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import pytest
from csip_house import House

from csip_client.registration import Standing
from dynexport import messages as m
from dynexport import topics
from dynexport.messages import stamp
from dynexport.testing.builders import meter_reading
from dynexport.testing.context import codes
from dynexport.testing.pki import Pki
from utility_simulator.tree import Program, stated, watts


@pytest.fixture
def house(pki: Pki, tmp_path: Path) -> Iterator[House]:
    made = House(pki, tmp_path)
    yield made
    made.end()


def test_a_default_is_stated_in_words_every_10_s_and_never_as_null(house: House) -> None:
    house.turn(60.0)
    said = [each for each in house.bus.all(topics.LIMIT, "csip") if each is not None]
    assert 5 <= len(said) <= 9
    assert house.limit is not None
    assert (house.limit.export_limit_w, house.limit.ttl_s) == (3000.0, 60.0)
    assert house.limit.reason == "utility default: export at most 3000 W"
    assert all(b"null" not in each.to_payload() for each in said if isinstance(each, m.Limit))


def test_a_control_is_stated_with_its_mrid_its_end_and_a_ttl_that_ends_with_it(house: House) -> None:
    house.turn(10.0)
    now = int(house.utility.now())
    program = house.utility.programs[0][0]
    program.controls["A"] = house.utility.control("AA", now, 100, watts("opModExpLimW", 200))
    house.turn(60.0)
    assert house.limit is not None
    assert (house.limit.export_limit_w, house.limit.ref) == (200.0, "AA")
    assert house.limit.until == datetime.fromtimestamp(now + 100, UTC)
    for each in house.bus.all(topics.LIMIT, "csip"):
        if isinstance(each, m.Limit) and each.ref == "AA":
            assert each.issued_at is not None
            assert each.issued_at.timestamp() + (each.ttl_s or 0.0) <= now + 100 + 2.1
    house.turn(60.0)
    assert house.limit.export_limit_w == 3000.0
    assert house.utility.answers() == [("AA", 1), ("AA", 2), ("AA", 3)]


def test_a_ramp_is_stated_every_second_with_a_short_ttl(house: House) -> None:
    house.utility.programs[0][0].default = stated(watts("opModExpLimW", 3000), 100)  # 1 % of 10 kW a second
    house.turn(10.0)
    now = int(house.utility.now())
    program = house.utility.programs[0][0]
    program.controls["A"] = house.utility.control("AA", now, 900, watts("opModExpLimW", 0))
    house.turn(65.0)
    ramp = [each for each in house.bus.all(topics.LIMIT, "csip") if isinstance(each, m.Limit)]
    steps = [each.export_limit_w for each in ramp if each.export_limit_w not in (None, 0.0, 3000.0)]
    assert len(steps) > 15
    assert all(one - two == pytest.approx(100.0) for one, two in pairwise(steps))  # type: ignore[operator]
    assert all((each.ttl_s or 99.0) <= 7.0 for each in ramp if each.export_limit_w in steps)


def test_no_statement_lapses_while_it_stands_not_even_on_the_way_back_from_a_disconnection(
    house: House,
) -> None:
    house.turn(30.0)
    now = int(house.utility.now())
    off = house.utility.control("AA", now, 90, "<opModConnect>false</opModConnect>")
    house.utility.programs[0][0].controls["A"] = off
    house.turn(60.0)
    generation_w = []
    for _ in range(150):
        house.turn(1.0)
        said = house.limit
        assert said is not None
        assert said.issued_at is not None
        assert said.ttl_s is not None
        assert (house.clock.now() - said.issued_at).total_seconds() < said.ttl_s
        generation_w.append(said.generation_limit_w)
    assert generation_w.count(0.0) >= 59


def test_another_pin_takes_the_statement_back_at_once(pki: Pki, tmp_path: Path) -> None:
    house = House(pki, tmp_path, pin=111115)
    house.utility.pin = 111115
    house.turn(10.0)
    assert house.limit is not None
    house.client.store.close()
    house.utility.pin = 332213
    house.boot()
    house.turn(5.0)
    assert house.client.standing is Standing.PIN_MISMATCH
    assert house.limit is None
    assert codes(house.bus, "csip-client").count("csip_pin_mismatch") == 1
    house.end()


def test_a_new_registration_drops_what_was_held(house: House) -> None:
    house.turn(10.0)
    house.utility.registered = False
    house.utility.programs = [[Program(1)]]
    house.turn(70.0)
    assert house.limit is None, "the fallback counts"
    assert house.utility.registered, "it registered itself again"


def test_after_a_power_cut_without_the_server_the_stored_default_is_stated(house: House) -> None:
    house.turn(10.0)
    house.client.store.close()
    house.utility.failing = lambda request: (503, {})
    house.boot()
    house.turn(20.0)
    assert house.limit is not None
    assert house.limit.export_limit_w == 3000.0
    status = house.bus.last(topics.CSIP_STATUS)
    assert isinstance(status, m.CsipStatus)
    assert not status.reachable
    assert status.trouble is not None
    assert codes(house.bus, "csip-client").count("csip_unreachable") == 1, "said once, then every 60th time"


def test_status_and_schedule_tell_what_is_and_what_comes(house: House) -> None:
    house.turn(10.0)
    now = int(house.utility.now())
    house.utility.programs[0][0].controls["A"] = house.utility.control(
        "AA", now + 600, 60, watts("opModExpLimW", 5)
    )
    house.turn(60.0)
    status, plan = house.bus.last(topics.CSIP_STATUS), house.bus.last(topics.CSIP_SCHEDULE)
    assert isinstance(status, m.CsipStatus)
    assert isinstance(plan, m.CsipSchedule)
    assert (status.reachable, status.standing, status.version) == (True, "registered", "1.2")
    assert status.certificate_days_left is not None
    assert plan.current == {"opModExpLimW": {"value": 3000.0, "origin": "default"}}
    assert [(each["mrid"], each["value"]) for each in plan.coming] == [("AA", 5.0)]


def test_measurements_reach_the_server_and_inverters_that_are_silent_make_nothing(house: House) -> None:
    house.turn(10.0)
    for _ in range(130):
        now = stamp(house.clock.now())
        house.bus.deliver(
            topics.METER_READING, meter_reading(-1234.5, now, reactive_var=10.0, voltage_a_v=241.2)
        )
        house.turn(1.0)
    posted = b"".join(house.utility.bodies("mirror"))
    assert b"<value>-12345</value>" in posted
    assert b"<value>2412</value>" in posted
    assert b"<value>0</value>" in posted
    assert b"<value>00</value>" in house.utility.bodies("ders")[-1], "nothing is on the grid"


def test_a_running_inverter_is_reported_as_connected_and_operating(house: House) -> None:
    house.turn(5.0)
    for _ in range(10):
        now = stamp(house.clock.now())
        reading = m.InverterReading(
            issued_at=now, measured_at=now, power_w=4000.0, state=m.InverterState.MPPT, connected=True
        )
        house.bus.deliver(topics.INVERTER_READING, reading, "roof")
        house.turn(1.0)
    assert b"<value>07</value>" in house.utility.bodies("ders")[-1]
    assert b"<value>2</value>" in house.utility.bodies("ders")[-1]


@pytest.mark.parametrize("name", ["cert", "key", "ca"])
def test_an_identity_that_cannot_be_used_ends_with_exit_code_2(
    house: House, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert house.site.csip is not None
    broken = house.site.csip.model_copy(update={name: "/nowhere/at-all.pem"})
    with pytest.raises(SystemExit) as ended:
        house.boot(house.site.model_copy(update={"csip": broken}))
    assert ended.value.code == 2
    assert "/nowhere/at-all.pem" in caplog.text
