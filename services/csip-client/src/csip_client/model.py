"""What the utility's server says, as this client thinks of it: controls, defaults, programs. Watts, server's seconds.

The wire's names stand in `wire/`; a value here is scaled (multiplier applied), a moment is seconds since 1970 on the
server's clock, a duration seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum


class Mode(StrEnum):
    """The control modes that this client knows, by their IEEE 2030.5 and CSIP-AUS names."""

    EXPORT = "opModExpLimW"
    IMPORT = "opModImpLimW"
    GENERATION = "opModGenLimW"
    LOAD = "opModLoadLimW"
    MAXIMUM = "opModMaxLimW"  # a fraction of setMaxW, here already in watts
    CONNECT = "opModConnect"
    ENERGIZE = "opModEnergize"
    STORAGE_TARGET = "opModStorageTargetW"  # + discharge; a target, no limit
    FIXED = "opModFixedW"  # demand response; a fraction of the rating, percent
    UNKNOWN = (
        "unknown"  # something that we cannot read is in force: held at the fallback (csip.md, section 7)
    )


Values = Mapping[Mode, float | bool]


class Status(IntEnum):
    """EventStatus.currentStatus as the server states it."""

    SCHEDULED = 0
    ACTIVE = 1
    CANCELLED = 2
    CANCELLED_RANDOMISED = 3
    SUPERSEDED = 4


class Answer(IntEnum):
    """Response.status: what we tell the server of a control (the only codes that we send)."""

    RECEIVED = 1
    STARTED = 2
    COMPLETED = 3
    CANCELLED = 6
    SUPERSEDED = 7


@dataclass(frozen=True, slots=True)
class Control:
    """A DERControl as served last. `key` is unique: the EndDevice's LFDI and the mRID (P-01)."""

    device: str
    mrid: str
    program: str
    primacy: int
    created: int
    start: int
    duration: int
    values: Values
    version: int = 0
    status: Status = Status.SCHEDULED
    randomize_start: int = 0
    randomize_duration: int = 0
    ramp_s: float | None = None
    reply_to: str | None = None
    response_required: int = 0

    @property
    def key(self) -> tuple[str, str]:
        """What tells it from every other control."""
        return self.device, self.mrid

    @property
    def end(self) -> int:
        """The nominal end, before any randomisation."""
        return self.start + self.duration


@dataclass(frozen=True, slots=True)
class Default:
    """A DefaultDERControl. `grad_pct_per_s` is setGradW in percent of setMaxW a second; None is not given."""

    values: Values
    grad_pct_per_s: float | None = None


@dataclass(frozen=True, slots=True)
class Program:
    """A DERProgram under one of the EndDevice's function set assignments; `default` None: it has none.

    `default_read` False: that could not be read since we started, so that the stored one still counts.
    """

    device: str
    id: str
    primacy: int
    default: Default | None = None
    default_read: bool = True


@dataclass(frozen=True, slots=True)
class Assignments:
    """All programs and all controls that the server lists for us.

    `complete` False: some part has not been read yet, so that nothing that is missing here is withdrawn.
    """

    programs: tuple[Program, ...] = ()
    controls: tuple[Control, ...] = ()
    complete: bool = True


@dataclass(frozen=True, slots=True)
class Draws:
    """The random numbers of one event, drawn once and kept, seconds.

    `cancel` counts from the moment of a cancellation with randomisation (sep.xsd, EventStatus.currentStatus 3).
    """

    start: int = 0
    duration: int = 0
    cancel: int = 0


@dataclass(frozen=True, slots=True)
class Held:
    """A control that we hold, with what we remember of it through restarts.

    `created` is the creation time seen first: servers rewrite it when they cancel or supersede. `withdrawn_at`,
    server's seconds: its program was taken from us then; it neither acts nor is answered, only remembered.
    """

    control: Control
    created: int
    received_at: int
    draws: Draws = Draws()
    cancelled_at: int | None = None
    listed: bool = True
    answered: frozenset[Answer] = field(default_factory=frozenset)
    withdrawn_at: int | None = None
