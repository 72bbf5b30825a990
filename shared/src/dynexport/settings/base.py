"""What every section of `site.yaml` is made of: the strict section, numbers with units, names, times."""

from __future__ import annotations

import re
from datetime import time
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Whole = Annotated[int, Field(strict=True)]
Watts = Annotated[Number, Field(ge=0, le=1e7)]
Rating = Annotated[Number, Field(gt=0, le=1e7)]
IDENTIFIER = r"^[a-z0-9][a-z0-9_-]{0,31}$"
Identifier = Annotated[str, Field(pattern=IDENTIFIER)]
Port = Annotated[Whole, Field(ge=1, le=65535)]


class Section(BaseModel):
    """A part of `site.yaml`; a key that is not listed is a mistake."""

    model_config = ConfigDict(frozen=True, extra="forbid")


_CLOCK = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)(?::([0-5]\d))?")


def _clock_time(value: object) -> time:
    """Only `10:00`: pydantic would also take 1000, as seconds, and an offset, which no window has."""
    if isinstance(value, time) and value.tzinfo is None:
        return value
    found = _CLOCK.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise ValueError('must be a time of day without an offset, such as "10:00"; midnight is "00:00"')
    hour, minute, second = found.groups(default="0")
    return time(int(hour), int(minute), int(second))


ClockTime = Annotated[time, BeforeValidator(_clock_time, json_schema_input_type=str)]


class Tcp(Section):
    """A Modbus TCP endpoint."""

    host: str = Field(description="Name or address.")
    port: Port = Field(default=502, description="TCP port.")
