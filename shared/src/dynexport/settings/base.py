"""What every section of `site.yaml` is made of: the strict section, numbers with units, names, times."""

from __future__ import annotations

import re
from datetime import time
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo
from pydantic_core import PydanticCustomError

from dynexport.modbus.address import Framing, Parity

Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Whole = Annotated[int, Field(strict=True)]
Watts = Annotated[Number, Field(ge=0, le=1e7)]
Rating = Annotated[Number, Field(gt=0, le=1e7)]
DEVICE = r"^/\S*[^/\s]$"
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


_HOST = re.compile(r"[^\s/\x00:]+|[^\s/\x00:]*(:[^\s/\x00:]*){2,}")


def host(value: str) -> str:
    """What a resolver can be asked for (an empty or overlong label ends a thread that asks); raises ValueError."""
    try:
        value.encode("idna")
        fits = _HOST.fullmatch(value) is not None
    except UnicodeError:
        fits = False
    if not fits:
        raise ValueError("must be a name or an address only, such as 192.0.2.10")
    return value


Host = Annotated[str, AfterValidator(host)]


class Share(Section):
    """Others may read what is behind this endpoint, over Modbus TCP; their writes are refused."""

    port: Port = Field(description="TCP port on which others find it here, such as 1502.")
    host: Host = Field(
        default="127.0.0.1",
        description="The own address on which they find it: `0.0.0.0` for every network of this machine.",
    )
    units: tuple[Annotated[Whole, Field(ge=0, le=247)], ...] = Field(
        default=(),
        description="Units that others may read besides those that are devices in this file.",
    )


ShareChoice = Annotated[
    Share | None,
    Field(
        description="Lets other programs read it through us, for a device that serves one client only; at one of its "
        "devices, or the same at each."
    ),
]


class Tcp(Section):
    """A Modbus TCP endpoint."""

    host: Host = Field(description="Name or address.")
    port: Port = Field(default=502, description="TCP port.")
    framing: Framing = Field(
        default="tcp",
        description="`rtu` behind a gateway that passes a serial line's bytes on as they are (RTU over TCP, raw mode).",
    )
    share: ShareChoice = None


class Serial(Section):
    """A serial port with a Modbus RTU bus on it."""

    port: str = Field(
        pattern=DEVICE,
        description="Its device, best by `/dev/serial/by-id/`: that name stays when it is replugged.",
    )
    baudrate: Literal[2400, 4800, 9600, 19200, 38400, 57600, 115200] = Field(
        default=9600, description="Bits per second, as the devices are set."
    )
    parity: Parity = Field(default="N", description="None, even or odd.")
    stopbits: Literal[1, 2] = Field(default=1, description="Stop bits.")
    share: ShareChoice = None


def _one_of_two(tcp: Tcp | None, info: ValidationInfo) -> Tcp | None:
    """`serial` stands before `tcp` in each device, so that it is known here unless it has mistakes of its own."""
    if "serial" in info.data:
        if tcp is None and info.data["serial"] is None:
            raise PydanticCustomError("missing", "is missing")
        if tcp is not None and info.data["serial"] is not None:
            raise ValueError("the device answers by `tcp` or by `serial`, not by both: keep one")
    return tcp


SerialChoice = Annotated[
    Serial | None, Field(description="Where it answers by Modbus RTU; one of `serial` and `tcp` is required.")
]
TcpChoice = Annotated[
    Tcp | None,
    AfterValidator(_one_of_two),
    Field(
        validate_default=True,
        description="Where it answers by TCP. Inverters and meter may share it, as they may a port.",
    ),
]
Described = Annotated[
    str,
    Field(
        min_length=1,
        description="A shipped description by its name (`dynexport devices` lists them), or the path of your own "
        "(it ends in .yaml, and a relative one starts where `site.yaml` is).",
    ),
]
