"""What each field of a payload means: here, and not in `messages.py`, which every service loads."""

from __future__ import annotations

from dynexport import messages as m

UNITS = {
    "_w": "W",
    "_wh": "Wh",
    "_va": "VA",
    "_var": "var",
    "_v": "V",
    "_hz": "Hz",
    "_pct": "%",
    "_s": "s",
    "_ms": "ms",
    "_per_kwh": "cents/kWh",
    "days_left": "days",
}
PHASES = {"power_{}_w": "Power of phase {}, signed as `power_w`.", "voltage_{}_v": "Voltage of phase {}."}
LIMITED = {"export": "Export", "generation": "Generation", "import": "Import", "load": "Consumption"}

COMMON = {
    "v": "Version of the contract: 1.",
    "issued_at": "When this was said.",
    "measured_at": "When it was measured.",
    "reactive_var": "Reactive power, signed as `power_w`.",
    "frequency_hz": "Grid frequency.",
    "until": "For eyes: how long this is expected to hold. Only `ttl_s` and the deadline end it.",
    "reason": "Why, in a sentence.",
    **{shape.format(p): text.format(p.upper()) for shape, text in PHASES.items() for p in "abc"},
}
OF_A_LIMIT = {
    **{
        f"{name}_limit_w": f"{word} at most. null: no limit; left out: nothing is said."
        for name, word in LIMITED.items()
    },
    "connect": "false: disconnect the inverters. null or left out: nothing is said.",
    "energize": "false: target 0 and disconnect. null or left out: nothing is said.",
    "storage_target_w": "What batteries should do, + discharge: a target, never a limit. An obligation's goes before a "
    "preference's, then the source first in the alphabet.",
    "ttl_s": "How long it counts after its arrival; clipped to the source's `max_ttl_s`, 60 s without it.",
    "ref": "The source's own name for this statement.",
}
IN_FORCE = {
    **{f"{name}_limit_w": f"{word} at most; null: no limit." for name, word in LIMITED.items()},
    "connect": "false: the inverters are disconnected.",
    "energize": "false: the site is de-energized.",
    "storage_target_w": "What batteries should do, + discharge.",
}
SOURCES = {f"{name.removesuffix('_w')}_source": f"Who set `{name}`." for name in IN_FORCE}

MEANINGS: dict[type[m.Message], dict[str, str]] = {
    m.MeterReading: {
        "power_w": "`feed_in`: + import, - export. `consumption`: what the house consumes.",
        "location": "Where the meter sits.",
        "import_wh": "Energy imported since the meter was made.",
        "export_wh": "Energy exported since the meter was made.",
        "islanded": "true: the site is cut off from the grid and makes its own.",
    },
    m.InverterReading: {
        "power_w": "+ generation.",
        "state": "SunSpec 103 `St`, in words.",
        "energy_wh": "Energy made since the inverter was made.",
        "available_w": "What it could make now (SunSpec 122 `WAval`).",
        "connected": "Connected to the grid (SunSpec 122 `PVConn`, 701 `ConnSt`).",
        "available": "SunSpec 122 `PVConn`: available.",
        "operating": "Running (SunSpec 122 `PVConn`, 701 `InvSt`).",
    },
    m.InverterCapability: {
        "max_w": "The base of its percentages (SunSpec 702 or 121 `WMax`).",
        "max_va": "Apparent power at most (SunSpec 121 or 702 `VAMax`).",
        "max_var": "Reactive power at most (SunSpec 121 `VArMaxQ1`, 702 `VarMaxInj`).",
        "nameplate_w": "Rated power (SunSpec 120 `WRtg`, 702 `WMaxRtg`).",
        "manufacturer": "Who made it.",
        "model": "Its model.",
        "serial": "Its serial number.",
        "der_type": "What it is (SunSpec 120 `DERTyp`).",
        "driver": "The device description that it is driven by, or `mqtt`; absent with a SunSpec map.",
        "confidence": "How sure that description is.",
        "scope": "What its limit holds down: what it makes, or by its own meter what the site exports.",
        "persistent": "true: its limit outlives a power cut and is written seldom.",
        "control_model": "The SunSpec model through which it is limited: 704 or 123.",
        "resolution_w": "The smallest step of its limit.",
        "hardware_fallback": "What it does by itself when nobody refreshes its limit.",
        "fallback_w": "With `chosen_w`: the limit that it then takes, or a smaller one.",
        "fallback_s": "After how long it does so.",
        "min_limit_pct": "Below this share of `max_w` it goes to standby; less is written as 0.",
        "can_disconnect": "false: it has no switch that we may use; it is held at 0 W instead.",
        "found_limit_w": "A limit that stood in it and is not ours (registers that persist); left out: none.",
        "adopted": "true: the owner let the found limit be loosened; false: it caps this inverter.",
    },
    m.InverterControl: {
        "state": "What the writer does with it.",
        "requested_w": "What was asked of it, generation.",
        "applied_w": "What was really written, after rounding down; generation.",
        "read_back_w": "What it says that it holds, generation.",
        "applied_export_w": "The same with scope `export`: what the site may export by its own loop.",
        "read_back_export_w": "What it says that it holds of that.",
        "connect": "false: it was told to disconnect.",
        "conflict": "true: somebody else writes other values into it.",
        "setpoint_seq": "The `seq` of the setpoint in force.",
        "engine_id": "Whose setpoint it is.",
    },
    m.BatteryReading: {
        "power_w": "+ discharge.",
        "soc_pct": "State of charge.",
        "energy_wh": "Energy stored in it.",
        "state": "What it does (SunSpec 802 or 124 `ChaSt`, in words).",
    },
    m.BatteryControl: {
        "state": "What the writer does with it.",
        "requested_w": "The rate that was asked, + discharge; absent: what it does by itself.",
        "requested_max_charge_w": "The most that it should charge; absent: no bound.",
        "requested_max_discharge_w": "The most that it should discharge; absent: no bound.",
        "applied_w": "The rate that was really written, + discharge; absent: none.",
        "applied_max_charge_w": "The bound on charging that was really written; absent: none.",
        "applied_max_discharge_w": "The bound on discharging that was really written; absent: none.",
        "read_back_w": "The rate that it says it is told.",
        "read_back_max_charge_w": "The bound on charging that it says it is told.",
        "read_back_max_discharge_w": "The bound on discharging that it says it is told.",
        "conflict": "true: somebody else writes other values into it.",
        "setpoint_seq": "The `seq` of the setpoint in force.",
        "engine_id": "Whose setpoint it is.",
    },
    m.LoadControl: {
        "state": "What the writer does with it.",
        "requested_w": "The most that it should use; absent: nobody has said anything yet.",
        "applied_w": "The most that it was told it may use; a switch is on with its whole rating only.",
        "setpoint_seq": "The `seq` of the setpoint in force.",
        "engine_id": "Whose setpoint it is.",
    },
    m.PowerReading: {"power_w": "A generator: + generation. A load: + consumption."},
    m.Limit: OF_A_LIMIT,
    m.Active: {
        **IN_FORCE,
        **SOURCES,
        "mode": "`open_loop`: without a meter. `failsafe`: something that is needed has failed.",
        "target_w": "What all inverters together may make now.",
        "curtailed_w": "What could be made and is not; null: unknown, or nothing is curtailed.",
        "curtailed_basis": "How `curtailed_w` is known.",
        "islanded": "Whether the site is cut off from the grid; null: nobody can tell.",
    },
    m.Setpoint: {
        "target_w": "What it may make (a load: use) at most.",
        "export_limit_w": "What the site may export so that the target holds, for an inverter with scope `export`: "
        "tightened at once, raised to what was allowed for 10 s.",
        "connect": "false: disconnect (a load: off).",
        "engine_id": "The engine that speaks: random for each process.",
        "seq": "Grows with every setpoint of this `engine_id`.",
        "ttl_s": "How long it counts: 15 at most.",
        "release": "true: the last one of an engine that stops; another may take over at once.",
    },
    m.BatterySetpoint: {
        "target_w": "What it is to do, + discharge; absent: what it does by itself, within the two bounds.",
        "max_charge_w": "The most that it may charge.",
        "max_discharge_w": "The most that it may discharge.",
        "engine_id": "The engine that speaks: random for each process.",
        "seq": "Grows with every setpoint of this `engine_id`.",
        "ttl_s": "How long it counts: 15 at most.",
        "release": "true: the last one of an engine that stops; another may take over at once.",
    },
    m.TariffStatus: {
        "window": "The window in force; null: none.",
        "export_limit_w": "Its export limit; null: none.",
        "next_at": "When the next limit starts.",
        "next_export_limit_w": "The export limit that it brings; null: none.",
    },
    m.FeedInPrice: {
        "cents_per_kwh": "What a kWh fed in earns now; below 0 it costs. null: unknown.",
        "coming": "The prices to come, as far as they are known.",
    },
    m.CsipStatus: {
        "reachable": "Whether the utility's server answers.",
        "last_contact_at": "When it last answered.",
        "certificate_days_left": "How long our certificate is still valid.",
        "standing": "To it we are `registered`, `waiting_for_registration`, `disabled`, `pin_mismatch` or `unknown`.",
        "version": "CSIP-AUS version that is spoken.",
        "lfdi": "Who we are to it.",
        "clock_offset_s": "Its clock less ours.",
        "trouble": "What failed last, in words; absent while all is well.",
    },
    m.CsipSchedule: {
        "current": "The control in force, in the words of IEEE 2030.5; null: none.",
        "coming": "The controls to come, the nearest first.",
        "coming_until": "From this moment on `coming` is cut: the payload has no room for all; absent: it is whole.",
    },
    m.Health: {
        "loop_age_s": "How old the turn of the loop was when this was said.",
        "tick_ms": "The longest turn of the loop lately.",
        "rejected": "Messages refused since start.",
        "reconnects": "Connections to the broker made anew since start.",
        "device_errors": "Modbus requests that failed since start.",
        "clock_offset_s": "How far off the last message was that was refused for its clock.",
        "learned": "limit-engine: what it has learned of each inverter and of the meter. The owner of a shared "
        "endpoint: `shared`, what others have had of it since start.",
    },
    m.Info: {
        "version": "Version of Dynexport.",
        "contract_version": "Version of the contract.",
        "settings": "`site.yaml` as it counts, secrets as stars.",
        "settings_sha256": "Of the file's settings at its start, without secrets: another one now means restart.",
    },
    m.Event: {
        "level": "How much it matters.",
        "code": "What happened, for programs: `meter_implausible`.",
        "message": "What happened, for people.",
        "data": "What belongs to it.",
    },
    m.Request: {
        "source": "`limit-engine/pause`: the preference to ignore.",
        "for_s": "How long.",
        "id": "The inverter meant.",
        "fault": "`site-simulator/fault`: its name.",
        "value": "`site-simulator/fault`: how much.",
    },
}


def meaning(model: type[m.Message], field: str) -> str:
    """A sentence; raises KeyError for a field that has none."""
    return MEANINGS[model].get(field) or COMMON[field]


def unit(field: str) -> str:
    """The unit by the end of a field's name; empty for what has none."""
    found = [ending for ending in UNITS if field.endswith(ending)]
    return UNITS[max(found, key=len)] if found else ""
