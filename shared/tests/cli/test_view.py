"""What watch and demo say, from a snapshot."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
import typer

from dynexport import messages as m
from dynexport.cli.live import show
from dynexport.cli.owner import parse_duration, summary
from dynexport.cli.snapshot import Snapshot
from dynexport.cli.view import beside_rows, envelope_rows, grid, inverter_rows, line, service_words
from dynexport.clock import FakeClock
from dynexport.ports import Received
from dynexport.testing.builders import inverter_reading, meter_reading, site
from dynexport.testing.examples import EXAMPLES
from dynexport.testing.fakebus import FakeBus
from dynexport.topics import (
    ACTIVE,
    AVAILABILITY,
    BATTERY_READING,
    BATTERY_SETPOINT,
    EVENT,
    HEALTH,
    INVERTER_CONTROL,
    INVERTER_READING,
    LOAD_READING,
    LOAD_SETPOINT,
    METER_READING,
    Topic,
)

NOW = datetime(2026, 1, 15, 2, 30, tzinfo=UTC)


def heard(*messages: tuple[Topic, m.Message | str, str], mono: float = 100.0) -> Snapshot:
    snapshot = Snapshot()
    snapshot.take([Received(topic, (name,), message, False, mono) for topic, message, name in messages])
    return snapshot


def test_before_anything_is_heard_everything_is_unknown() -> None:
    said = line(Snapshot(), NOW, 100.0, UTC)
    assert "export unknown" in said
    assert "limit unknown" in said
    assert "mode unknown" in said


def test_a_line_says_export_limit_source_and_mode() -> None:
    snapshot = heard(
        (METER_READING, meter_reading(-1498.0, NOW), ""),
        (INVERTER_READING, inverter_reading(2298.0, NOW), "roof"),
        (ACTIVE, EXAMPLES[ACTIVE], ""),
    )
    said = line(snapshot, NOW, 100.5, UTC)
    assert said.startswith("02:30:00 export 1498 W")
    assert "limit 1500 W (manual until 03:30:00)" in said
    assert "made 2298 W" in said
    assert "mode normal" in said


def test_an_import_is_no_export() -> None:
    assert (
        grid(heard((METER_READING, meter_reading(320.0, NOW), "")), 100.0) == "export 0 W (importing 320 W)"
    )


def test_an_island_is_said_in_place_of_a_power() -> None:
    said = heard((METER_READING, meter_reading(0.0, NOW, islanded=True), ""))
    assert grid(said, 100.0) == "export 0 W (islanded: cut off from the grid)"


def test_a_stale_reading_is_shown_with_its_age_and_never_as_current() -> None:
    assert "(30 s old)" in grid(heard((METER_READING, meter_reading(-5.0, NOW), "")), 130.0)


def test_a_service_that_is_offline_or_silent_is_named() -> None:
    snapshot = heard((AVAILABILITY, "offline", "csip-client"), (AVAILABILITY, "online", "limit-engine"))
    snapshot.take([Received(HEALTH, ("limit-engine",), EXAMPLES[HEALTH], False, 100.0)])
    assert "csip-client OFFLINE" in service_words(snapshot, 101.0)
    assert "limit-engine ok" in service_words(snapshot, 101.0)
    assert "limit-engine silent for 60 s" in service_words(snapshot, 160.0)


def test_a_conflict_is_shown() -> None:
    control = m.InverterControl(issued_at=NOW, state=m.ControlState.FOLLOWING, conflict=True, requested_w=1.0)
    (row,) = inverter_rows(heard((INVERTER_CONTROL, control, "roof")), 100.0)
    assert row[-1] == "following CONFLICT"


def test_a_disconnection_is_a_row_of_the_envelope() -> None:
    active = m.Active(
        issued_at=NOW, mode=m.Mode.NORMAL, reason="", connect=False, connect_source="csip", energize=True
    )
    assert ("connection", "open", "csip", "") in envelope_rows(heard((ACTIVE, active, "")), UTC)


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("15m", 900), ("1h", 3600), ("1.5h", 5400), ("1d", 86400)]
)
def test_durations_are_read(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "5", "h", "-1h", "0s", "1w", "1h30m"])
def test_what_is_no_duration_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="15m"):
        parse_duration(text)


def test_the_summary_names_the_failsafe_shares_and_says_when_nothing_is_written() -> None:
    said = " ".join(summary(site(control={"enabled": False})))
    assert "roof 1500 W" in said
    assert "nothing is written" in said


def test_without_a_terminal_what_the_utility_server_says_is_a_line_once(
    capsys: pytest.CaptureFixture[str],
) -> None:
    clock = FakeClock()
    bus = FakeBus(clock)
    for name, text in (("utility-simulator", "the client answers 1"), ("limit-engine", "the mode changed")):
        event = m.Event(issued_at=clock.now(), level=m.Level.INFO, code="said", message=text)
        bus.deliver(EVENT, event, name)
    turns = iter([True, True, True, False])
    show(bus, clock, zone=None, go_on=lambda: next(turns))
    said = capsys.readouterr().out
    assert said.count("-- utility-simulator: the client answers 1") == 1
    assert "the mode changed" not in said


def test_loads_and_batteries_are_shown_with_what_they_may_do() -> None:
    used = m.PowerReading(issued_at=NOW, measured_at=NOW, power_w=1750.0)
    allowed = m.Setpoint(issued_at=NOW, target_w=1800.0, engine_id="e", seq=1)
    given = m.BatteryReading(issued_at=NOW, measured_at=NOW, power_w=-900.0)
    order = m.BatterySetpoint(issued_at=NOW, target_w=500.0, max_charge_w=0.0, engine_id="e", seq=2)
    snapshot = heard(
        (LOAD_READING, used, "boiler"),
        (LOAD_SETPOINT, allowed, "boiler"),
        (BATTERY_READING, given, "wall"),
        (BATTERY_SETPOINT, order, "wall"),
        (BATTERY_READING, given, "shed"),
    )
    assert beside_rows(snapshot, 100.0) == [
        ("boiler", "uses 1750 W", "may use 1800 W"),
        ("shed", "charges 900 W", "by itself"),
        ("wall", "charges 900 W", "is to: discharges 500 W, charging at most 0 W"),
    ]


def test_a_storage_target_is_a_row_of_the_envelope() -> None:
    active = m.Active(
        issued_at=NOW,
        mode=m.Mode.NORMAL,
        reason="",
        storage_target_w=-3000.0,
        storage_target_source="csip",
    )
    assert ("storage target", "charge 3000 W", "csip", "") in envelope_rows(heard((ACTIVE, active, "")))
