"""Real messages of every topic: for the documentation, and for tests of programs that speak the contract."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from dynexport import messages as m
from dynexport import topics
from dynexport.topics import Topic

NOW = datetime(2026, 1, 15, 2, 30, 0, 120_000, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
MEASURED = NOW - timedelta(milliseconds=12)

EXAMPLES: dict[Topic, m.Message | str] = {
    topics.METER_READING: m.MeterReading(
        issued_at=NOW,
        measured_at=MEASURED,
        power_w=-1498.0,
        power_a_w=-499.0,
        power_b_w=-501.0,
        power_c_w=-498.0,
        voltage_a_v=238.1,
        voltage_b_v=237.6,
        voltage_c_v=238.4,
        frequency_hz=49.99,
        import_wh=1_204_311.0,
        export_wh=8_711_020.0,
    ),
    topics.INVERTER_READING: m.InverterReading(
        issued_at=NOW,
        measured_at=MEASURED,
        power_w=2298.0,
        state=m.InverterState.THROTTLED,
        available_w=8400.0,
        connected=True,
        available=True,
        operating=True,
    ),
    topics.INVERTER_CAPABILITY: m.InverterCapability(
        issued_at=NOW,
        max_w=10_000.0,
        max_va=10_000.0,
        nameplate_w=10_000.0,
        manufacturer="Example",
        model="X10",
        serial="0001",
        der_type=4,
        control_model=123,
        resolution_w=1.0,
        hardware_fallback=m.HardwareFallback.HOLDS_LAST,
        can_disconnect=True,
    ),
    topics.INVERTER_CONTROL: m.InverterControl(
        issued_at=NOW,
        state=m.ControlState.FOLLOWING,
        requested_w=2300.4,
        applied_w=2300.0,
        read_back_w=2300.0,
        connect=True,
        setpoint_seq=4711,
        engine_id="3fa1c09b",
    ),
    topics.BATTERY_READING: m.BatteryReading(
        issued_at=NOW, measured_at=MEASURED, power_w=-1200.0, soc_pct=61.0
    ),
    topics.UNCONTROLLED_READING: m.PowerReading(issued_at=NOW, measured_at=MEASURED, power_w=850.0),
    topics.BATTERY_SETPOINT: m.BatterySetpoint(issued_at=NOW, target_w=500.0, engine_id="3fa1c09b", seq=12),
    topics.BATTERY_CONTROL: m.BatteryControl(
        issued_at=NOW,
        state=m.ControlState.FOLLOWING,
        requested_w=500.0,
        applied_w=500.0,
        read_back_w=500.0,
        setpoint_seq=12,
        engine_id="3fa1c09b",
    ),
    topics.LOAD_SETPOINT: m.Setpoint(issued_at=NOW, target_w=1800.0, engine_id="3fa1c09b", seq=12),
    topics.LOAD_CONTROL: m.LoadControl(
        issued_at=NOW,
        state=m.ControlState.FOLLOWING,
        requested_w=1800.0,
        applied_w=1800.0,
        setpoint_seq=12,
        engine_id="3fa1c09b",
    ),
    topics.LOAD_READING: m.PowerReading(issued_at=NOW, measured_at=MEASURED, power_w=1750.0),
    topics.LIMIT: m.Limit(
        issued_at=NOW,
        export_limit_w=1500.0,
        ttl_s=3600.0,
        until=LATER,
        reason="the battery of the neighbourhood is full",
    ),
    topics.ACTIVE: m.Active(
        issued_at=NOW,
        mode=m.Mode.NORMAL,
        reason="Export is limited to 1500 W by you (limit/manual) until 14:00.",
        export_limit_w=1500.0,
        export_limit_source="manual",
        target_w=2300.4,
        until=LATER,
        curtailed_w=6102.0,
        curtailed_basis="available power as the inverters report it",
    ),
    topics.SETPOINT: m.Setpoint(issued_at=NOW, target_w=2300.4, engine_id="3fa1c09b", seq=4711),
    topics.FEED_IN_PRICE: m.FeedInPrice(issued_at=NOW, cents_per_kwh=-4.2, until=LATER),
    topics.TARIFF_STATUS: m.TariffStatus(
        issued_at=NOW, window="Two-way tariff", export_limit_w=1500.0, until=LATER, next_at=LATER
    ),
    topics.CSIP_STATUS: m.CsipStatus(
        issued_at=NOW, reachable=True, last_contact_at=NOW, certificate_days_left=210.0
    ),
    topics.CSIP_SCHEDULE: m.CsipSchedule(issued_at=NOW, current={"opModExpLimW": 1500}),
    topics.AVAILABILITY: "online",
    topics.HEALTH: m.Health(
        issued_at=NOW, loop_age_s=0.004, tick_ms=0.8, learned={"meter": {"latency_s": 0.1}}
    ),
    topics.INFO: m.Info(
        issued_at=NOW,
        version="0.1.0",
        contract_version=1,
        settings={"site": {"time_zone": "Australia/Adelaide"}},
        settings_sha256="9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    ),
    topics.EVENT: m.Event(
        issued_at=NOW, level=m.Level.WARNING, code="mode_open_loop", message="control is now in open loop"
    ),
    topics.REQUEST: m.Request(issued_at=NOW, source="tariff", for_s=3600.0),
}

IDS: dict[Topic, tuple[str, ...]] = {
    topics.INVERTER_READING: ("roof",),
    topics.INVERTER_CAPABILITY: ("roof",),
    topics.INVERTER_CONTROL: ("roof",),
    topics.BATTERY_READING: ("garage",),
    topics.BATTERY_SETPOINT: ("garage",),
    topics.BATTERY_CONTROL: ("garage",),
    topics.UNCONTROLLED_READING: ("shed",),
    topics.LOAD_READING: ("boiler",),
    topics.LOAD_SETPOINT: ("boiler",),
    topics.LOAD_CONTROL: ("boiler",),
    topics.LIMIT: ("manual",),
    topics.SETPOINT: ("roof",),
    topics.AVAILABILITY: ("limit-engine",),
    topics.HEALTH: ("limit-engine",),
    topics.INFO: ("limit-engine",),
    topics.EVENT: ("limit-engine",),
    topics.REQUEST: ("limit-engine", "pause"),
}
"""The ids under which the examples stand."""

MORE: dict[Topic, tuple[tuple[tuple[str, ...], m.Message], ...]] = {
    topics.LIMIT: (
        (("manual",), m.Limit(export_limit_w=0.0, ttl_s=3600.0)),
        (("manual",), m.Limit(export_limit_w=None, generation_limit_w=3000.0, ttl_s=900.0)),
    ),
    topics.REQUEST: (
        (("limit-engine", "pause"), m.Request(source="tariff", for_s=3600.0)),
        (("site-simulator", "fault"), m.Request(fault="night", for_s=60.0)),
    ),
}
"""What may be said by hand, with its ids."""
