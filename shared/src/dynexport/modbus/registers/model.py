"""What a device description may say: the shape of `dynexport/devices/*.yaml` and of an owner's own."""

from __future__ import annotations

import math
from typing import Annotated, Literal, get_args

from pydantic import Field, PlainValidator

from dynexport.messages import HardwareFallback, InverterState, Scope
from dynexport.settings.base import Number, Section, Whole

Address = Annotated[Whole, Field(ge=0, le=0xFFFF)]
Function = Literal["holding", "input"]
WordOrder = Literal["big", "little"]
Kind = Literal["uint16", "int16", "uint32", "int32", "uint64", "int64", "float32", "string"]
Confidence = Literal["documented", "agreed", "unconfirmed"]
Unit = Literal["pct", "w", "kw"]
Limit = Literal["limit", "fallback", "watchdog_s"]


def _number_or_word(value: object) -> object:
    """Not a union: its mistakes would be told once for each of its members."""
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        return float(value)
    if value in get_args(Limit):
        return value
    raise ValueError(f"must be a number, or one of {', '.join(get_args(Limit))}")


Written = Annotated[float | Limit, PlainValidator(_number_or_word, json_schema_input_type=float | Limit)]


class Register(Section):
    """A value in one or more registers."""

    address: Address = Field(
        description="Protocol address of the first register, from 0; hexadecimal as 0xF322."
    )
    type: Kind = Field(default="uint16", description="How its bits are read.")
    count: Whole | None = Field(default=None, ge=1, le=64, description="Registers of a `string`.")
    function: Function | None = Field(
        default=None,
        description="Holding registers (FC03) or input registers (FC04), where not the file's own.",
    )
    word_order: WordOrder | None = Field(
        default=None, description="`little`: the low word comes first; where not the file's own."
    )
    scale: Number = Field(default=1.0, description="Factor from the raw number to the unit in the name.")
    absent: tuple[Whole, ...] = Field(
        default=(), description="Raw numbers, unsigned, that mean: no value. Beside the file's own."
    )


class Quantity(Register):
    """A measured value: a register with its scale, or a sum of several."""

    scale_from: Address | None = Field(
        default=None, description="A register with the power of ten to multiply by (SunSpec scale factor)."
    )
    plus: tuple[Register, ...] = Field(
        default=(), description="More registers to add; a negative scale subtracts."
    )


class Flag(Register):
    """A switch: on when one of these raw numbers stands there."""

    on: tuple[Whole, ...] = Field(min_length=1, description="The raw numbers, unsigned, that mean on.")


class State(Register):
    """What the device says that it does."""

    words: dict[str, InverterState] = Field(description="Raw number, in quotes, to state.")
    otherwise: InverterState = Field(
        default=InverterState.MPPT, description="The state for any other number."
    )


class Check(Register):
    """What tells this make from others: a register and what must stand there."""

    equals: tuple[Whole, ...] = Field(default=(), description="One of these raw numbers.")
    between: tuple[Whole, Whole] | None = Field(default=None, description="A raw number in this range.")
    contains: str | None = Field(default=None, description="Text that a `string` has in it, in any case.")


class Block(Section):
    """Registers that are read in one request, at every poll."""

    address: Address = Field(description="The first register.")
    count: Whole = Field(ge=1, le=125, description="How many.")
    every_s: Number = Field(
        default=0,
        ge=0,
        le=60,
        description="Read this seldom, where each request costs time; never for powers.",
    )
    function: Function | None = Field(default=None, description="Where not the file's own.")


class Line(Section):
    """What the device's Modbus wants of a master."""

    after_connect_s: Number = Field(
        default=0, ge=0, le=5, description="Quiet after a connection was made, seconds."
    )
    pause_s: Number = Field(default=0, ge=0, le=1, description="Pause between two requests, seconds.")
    one_client: bool = Field(
        default=False, description="It serves one TCP client at a time; for people to know."
    )


class Identity(Section):
    """Who the device says it is."""

    model: Register | None = Field(default=None, description="Its model, a `string` or a number.")
    serial: Register | None = Field(default=None, description="Its serial number, a `string` or a number.")


class Read(Section):
    """What is measured; watts are + generation for an inverter, + import for a meter."""

    power_w: Quantity = Field(description="Power.")
    power_a_w: Quantity | None = Field(default=None, description="A meter's power on phase A.")
    power_b_w: Quantity | None = Field(default=None, description="A meter's power on phase B.")
    power_c_w: Quantity | None = Field(default=None, description="A meter's power on phase C.")
    reactive_var: Quantity | None = Field(default=None, description="Reactive power.")
    voltage_a_v: Quantity | None = Field(default=None, description="Voltage of phase A.")
    voltage_b_v: Quantity | None = Field(default=None, description="Voltage of phase B.")
    voltage_c_v: Quantity | None = Field(default=None, description="Voltage of phase C.")
    frequency_hz: Quantity | None = Field(default=None, description="Frequency.")
    energy_wh: Quantity | None = Field(default=None, description="An inverter's energy since it was made.")
    import_wh: Quantity | None = Field(default=None, description="A meter's energy imported.")
    export_wh: Quantity | None = Field(default=None, description="A meter's energy exported.")
    available_w: Quantity | None = Field(default=None, description="What an inverter could make now.")
    state: State | None = Field(default=None, description="What an inverter does.")
    connected: Flag | None = Field(default=None, description="Whether an inverter is connected to the grid.")
    valid: Flag | None = Field(default=None, description="What must stand there for the reading to count.")
    asleep_without_power: bool = Field(
        default=False, description="An inverter without a power value sleeps: it makes 0 W."
    )


class Write(Section):
    """One register write; neighbours without a condition or a wait go in one request."""

    address: Address = Field(description="Protocol address of the first register.")
    type: Kind = Field(default="uint16", description="How its bits are written.")
    word_order: WordOrder | None = Field(default=None, description="Where not the file's own.")
    scale: Number = Field(
        default=1.0, gt=0, description="What one step of the raw number is, in the limit's unit."
    )
    value: Written = Field(
        description="A number as it is written; or `limit`, `fallback` (what its timer goes to) or `watchdog_s`."
    )
    single: bool = Field(default=False, description="By FC06 instead of FC16.")
    only_if_different: bool = Field(
        default=False,
        description="It is read first, and not written when it stands there already (flash wear).",
    )
    after_changes: bool = Field(
        default=False, description="Only when something before it in its sequence was written (a commit)."
    )
    wait_s: Number = Field(default=0, ge=0, le=5, description="Wait after it, seconds.")


class Connect(Section):
    """How it is taken off the grid and put back."""

    state: Flag = Field(description="Whether it may be connected, as it was told.")
    on: tuple[Write, ...] = Field(min_length=1, description="Connect.")
    off: tuple[Write, ...] = Field(min_length=1, description="Disconnect.")


class LimitSection(Section):
    """How an inverter is limited, and what becomes of the limit without us."""

    scope: Scope = Field(
        description="What the limit holds down: its `generation`, or by its own meter the `export`."
    )
    unit: Unit = Field(description="What the limit is in: percent of `rating`, watts or kilowatts.")
    resolution: Number = Field(gt=0, description="The smallest step, in that unit.")
    value: Register = Field(description="Where the limit that stands is read; its scale gives the unit.")
    unlimited: tuple[Whole, ...] = Field(
        default=(), description="Raw numbers, unsigned, that mean: no limit."
    )
    enabled: Flag | None = Field(default=None, description="What must stand there for the limit to count.")
    foreign: Flag | None = Field(
        default=None,
        description="Another kind of limit that may stand in the device, and that ours would undo. Where `persistent`, "
        "it counts as 0 % until `dynexport adopt`; else nothing is written until it is taken out at the device.",
    )
    prepare: tuple[Write, ...] = Field(
        default=(), description="Before the first limit after each contact; always only what differs."
    )
    write: tuple[Write, ...] = Field(min_length=1, description="Each time, in this order.")
    release: tuple[Write, ...] = Field(min_length=1, description="Takes our limit out: as before we came.")
    when_silent: HardwareFallback = Field(
        description="When nobody refreshes it: `chosen_w` (its timer goes to `fallback`), `holds_last`, "
        "`releases_limit`, `unknown`."
    )
    persistent: bool = Field(
        description="true: it outlives a power cut (flash memory): written on change only, seldom, and what stood "
        "there is kept until `dynexport adopt`."
    )
    writes_per_day: Whole = Field(
        default=40, ge=1, le=1000,
        description="Where it persists: after so many a day only tightenings are written.",
    )  # fmt: skip


class Rating(Section):
    """What 100 percent is."""

    max_w: Register | None = Field(
        default=None, description="A register with it, scaled to watts; else it is `rated_w` of site.yaml."
    )


class Description(Section):
    """A device: what it measures, and how it is limited."""

    version: Literal[1] = Field(description="Of this form.")
    kind: Literal["inverter", "meter"] = Field(description="What it is.")
    make: str = Field(min_length=1, description="Who makes it.")
    models: str = Field(min_length=1, description="Which devices it is for, in words.")
    confidence: Confidence = Field(
        description="`documented`: in the maker's document. `agreed`: two independent programs agree on it. "
        "`unconfirmed`: neither; it then writes only with `i_have_tested_this: true` in site.yaml."
    )
    evidence: tuple[str, ...] = Field(min_length=1, description="Where its registers are from.")
    notes: tuple[str, ...] = Field(default=(), description="What an owner must know or set on the device.")
    unit: Whole = Field(default=1, ge=0, le=247, description="The usual Modbus unit id.")
    function: Function = Field(default="holding", description="Which registers, where nothing else is said.")
    word_order: WordOrder = Field(default="big", description="Order of words, where nothing else is said.")
    absent: dict[Kind, tuple[Whole, ...]] = Field(
        default={}, description="By type: raw numbers, unsigned, that mean: no value."
    )
    line: Line = Field(default=Line(), description="What its Modbus wants.")
    recognise: tuple[Check, ...] = Field(
        default=(), description="`dynexport scan` takes it for this when all hold."
    )
    identity: Identity = Field(default=Identity(), description="Who it says it is.")
    rating: Rating = Field(default=Rating(), description="What 100 percent is.")
    blocks: tuple[Block, ...] = Field(
        min_length=1, description="What is read at every poll; `read` lies within."
    )
    read: Read = Field(description="What is measured.")
    limit: LimitSection | None = Field(default=None, description="How an inverter is limited.")
    connect: Connect | None = Field(default=None, description="How an inverter is disconnected.")
