"""Valid messages and sites in one line each, for tests."""

from __future__ import annotations

import copy
from datetime import datetime
from typing import Any

from dynexport import messages as m
from dynexport.settings.models import Site

SITE: dict[str, Any] = {
    "site": {"name": "Test", "time_zone": "Australia/Adelaide", "clock": "trusted"},
    "mqtt": {"host": "127.0.0.1"},
    "agreement": {"export_limit_w": 5000, "failsafe_export_limit_w": 1500},
    "meter": {"driver": "sunspec", "tcp": {"host": "127.0.0.1", "port": 1502}, "unit": 240, "poll_s": 0.5},
    "inverters": [
        {
            "id": "roof",
            "driver": "sunspec",
            "tcp": {"host": "127.0.0.1", "port": 1503},
            "unit": 1,
            "rated_w": 10000,
        }
    ],
    "sources": {"manual": {"kind": "preference"}},
    "control": {"enabled": True},
}


def site(**sections: Any) -> Site:
    """A site of one inverter; a section given replaces the usual one."""
    return Site.model_validate({**copy.deepcopy(SITE), **sections})


def meter_reading(power_w: float, now: datetime, **fields: Any) -> m.MeterReading:
    """A meter reading measured now, + import."""
    return m.MeterReading(power_w=power_w, **{"issued_at": now, "measured_at": now, **fields})


def inverter_reading(power_w: float, now: datetime, **fields: Any) -> m.InverterReading:
    """An inverter's reading measured now, + generation."""
    state = fields.pop("state", m.InverterState.MPPT)
    return m.InverterReading(power_w=power_w, state=state, **{"issued_at": now, "measured_at": now, **fields})


def setpoint(target_w: float, now: datetime, seq: int, **fields: Any) -> m.Setpoint:
    """A setpoint of the engine `e1`."""
    return m.Setpoint(target_w=target_w, seq=seq, **{"engine_id": "e1", "issued_at": now, **fields})


def limit(now: datetime, **fields: Any) -> m.Limit:
    """A limit said now."""
    return m.Limit(**{"issued_at": now, **fields})
