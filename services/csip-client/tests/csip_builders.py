"""Controls and programs for tests, with everything but what matters filled in."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from csip_client.model import Control, Default, Draws, Held, Mode, Program

LFDI = "3E4F45AB31EDFE5B67E343E5E4562E3100000000"


def control(
    mrid: str, start: int, duration: int, values: dict[Mode, Any] | None = None, **other: Any
) -> Control:
    """A control that wants every answer, of program P1 unless said otherwise."""
    settled: dict[str, Any] = {
        "program": "P1",
        "primacy": 1,
        "created": 0,
        "reply_to": "/rsp",
        "response_required": 3,
    }
    return Control(
        LFDI,
        mrid,
        start=start,
        duration=duration,
        values=values or {Mode.EXPORT: 1000.0},
        **{**settled, **other},
    )


def held(mrid: str, start: int, duration: int, values: dict[Mode, Any] | None = None, **other: Any) -> Held:
    """A held control; `draws`, `cancelled_at`, `answered`, `received_at` go to Held, the rest to Control."""
    remembered = {
        key: other.pop(key) for key in ("draws", "cancelled_at", "answered", "listed") if key in other
    }
    received_at = other.pop("received_at", 0)
    given = control(mrid, start, duration, values, **other)
    return replace(Held(given, given.created, received_at, Draws()), **remembered)


def program(
    name: str, primacy: int, values: dict[Mode, Any] | None = None, grad: float | None = None
) -> Program:
    """A program, with a default when it has values."""
    return Program(LFDI, name, primacy, None if values is None else Default(values, grad))
