"""The payloads of the contract: frozen, strict, one flat JSON object each, the unit in every name.

Signs: site power + is import, - is export; inverter power + is generation; battery power + is discharge.
Limits are positive watts; JSON null in a limit means "this source states: no limit".
"""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
)

from dynexport.clock import rfc3339

EARLIEST, LATEST = datetime(2, 1, 1, tzinfo=UTC), datetime(9998, 12, 31, tzinfo=UTC)


def _on_every_calendar(moment: datetime) -> datetime:
    """Some say "for ever" by the last second of 9999, which is beyond Python's calendar east of Greenwich."""
    return min(max(moment, EARLIEST), LATEST)


Utc = Annotated[
    AwareDatetime,
    AfterValidator(_on_every_calendar),
    PlainSerializer(rfc3339, return_type=str, when_used="json"),
]
Watts = Annotated[float, Field(ge=-1e8, le=1e8)]
LimitW = Annotated[float, Field(ge=0, le=1e8)]
Pct = Annotated[float, Field(ge=0, le=100)]
Seconds = Annotated[float, Field(ge=0, le=1e9)]


class Message(BaseModel):
    """What every payload has: the contract's version and when it was said. Unknown fields are ignored."""

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore", allow_inf_nan=False)

    v: Literal[1] = 1
    issued_at: Utc

    def to_payload(self) -> bytes:
        """The bytes on the wire; what is unknown (None) is left out."""
        return self.model_dump_json(exclude_none=True).encode()


class Location(StrEnum):
    """Where a meter sits: at the grid connection, or measuring what the house consumes."""

    FEED_IN = "feed_in"
    CONSUMPTION = "consumption"


class MeterReading(Message):
    """The site meter: `power_w` + is import (feed_in), or the house's consumption (consumption).

    `islanded`: the site is cut off from the grid and makes its own; None where nobody can tell.
    """

    power_w: Watts
    location: Location = Field(default=Location.FEED_IN, strict=False)
    power_a_w: Watts | None = None
    power_b_w: Watts | None = None
    power_c_w: Watts | None = None
    reactive_var: Watts | None = None
    voltage_a_v: float | None = None
    voltage_b_v: float | None = None
    voltage_c_v: float | None = None
    frequency_hz: float | None = None
    import_wh: float | None = None
    export_wh: float | None = None
    islanded: bool | None = None
    measured_at: Utc


class InverterState(StrEnum):
    """SunSpec 103 `St`, in words."""

    OFF = "off"
    SLEEPING = "sleeping"
    STARTING = "starting"
    MPPT = "mppt"
    THROTTLED = "throttled"
    SHUTTING_DOWN = "shutting_down"
    FAULT = "fault"
    STANDBY = "standby"


class InverterReading(Message):
    """One inverter: `power_w` + is generation; `available_w` is what it could make (SunSpec 122 `WAval`)."""

    power_w: Watts
    state: InverterState = Field(strict=False)
    reactive_var: Watts | None = None
    voltage_a_v: float | None = None
    voltage_b_v: float | None = None
    voltage_c_v: float | None = None
    frequency_hz: float | None = None
    energy_wh: float | None = None
    available_w: Watts | None = None
    connected: bool | None = None
    available: bool | None = None
    operating: bool | None = None
    measured_at: Utc


class HardwareFallback(StrEnum):
    """What an inverter does when nobody refreshes its limit."""

    CHOSEN_W = "chosen_w"
    RELEASES_LIMIT = "releases_limit"
    HOLDS_LAST = "holds_last"
    UNKNOWN = "unknown"


class Scope(StrEnum):
    """What an inverter's limit holds down: what it makes, or, by its own loop and meter, what the site exports."""

    GENERATION = "generation"
    EXPORT = "export"


class InverterCapability(Message):
    """What one inverter is and can: the base of its percentages (`max_w`) and what it does when we die.

    `driver` names the device description it is driven by, `confidence` how sure that description is.
    """

    max_w: LimitW
    max_va: LimitW | None = None
    max_var: LimitW | None = None
    nameplate_w: LimitW | None = None
    manufacturer: str | None = None
    model: str | None = None
    serial: str | None = None
    der_type: int | None = None
    control_model: int | None = None
    driver: str | None = None
    confidence: str | None = None
    scope: Scope = Field(default=Scope.GENERATION, strict=False)
    persistent: bool | None = None
    resolution_w: LimitW | None = None
    hardware_fallback: HardwareFallback = Field(default=HardwareFallback.UNKNOWN, strict=False)
    fallback_w: LimitW | None = None
    fallback_s: Seconds | None = None
    min_limit_pct: Pct = 0.0
    can_disconnect: bool | None = None
    found_limit_w: LimitW | None = None
    adopted: bool | None = None


class ControlState(StrEnum):
    """What the writer is doing with one inverter."""

    FOLLOWING = "following"
    FAILSAFE = "failsafe"
    DISABLED = "disabled"
    FAULT = "fault"


class InverterControl(Message):
    """What was asked, what was really written, and what the inverter says it holds. Watts of generation.

    With scope `export` the watts written and read back are of the site's export: `applied_export_w`,
    `read_back_export_w`; `applied_w` is then left out.
    """

    state: ControlState = Field(strict=False)
    requested_w: LimitW | None = None
    applied_w: LimitW | None = None
    read_back_w: LimitW | None = None
    applied_export_w: LimitW | None = None
    read_back_export_w: LimitW | None = None
    connect: bool | None = None
    conflict: bool = False
    setpoint_seq: int | None = None
    engine_id: str | None = None
    reason: str | None = None


class BatteryState(StrEnum):
    """What a battery does (SunSpec 124 and 802 `ChaSt`)."""

    OFF = "off"
    EMPTY = "empty"
    DISCHARGING = "discharging"
    CHARGING = "charging"
    FULL = "full"
    HOLDING = "holding"
    TESTING = "testing"


class BatteryReading(Message):
    """A battery: `power_w` + is discharge."""

    power_w: Watts
    soc_pct: Pct | None = None
    energy_wh: float | None = None
    state: BatteryState | None = Field(default=None, strict=False)
    measured_at: Utc


class BatteryControl(Message):
    """What was asked of a battery, what was really written, and what it says it is told. Watts, + discharge.

    A target that is absent: it does what it does by itself, within the two bounds. `following` only with a live
    setpoint; `failsafe`: no target, and the bounds that were told last.
    """

    state: ControlState = Field(strict=False)
    requested_w: Watts | None = None
    requested_max_charge_w: LimitW | None = None
    requested_max_discharge_w: LimitW | None = None
    applied_w: Watts | None = None
    applied_max_charge_w: LimitW | None = None
    applied_max_discharge_w: LimitW | None = None
    read_back_w: Watts | None = None
    read_back_max_charge_w: LimitW | None = None
    read_back_max_discharge_w: LimitW | None = None
    conflict: bool = False
    setpoint_seq: int | None = None
    engine_id: str | None = None
    reason: str | None = None


class LoadControl(Message):
    """What was asked of a load, and what it was told: the most that it may use, watts."""

    state: ControlState = Field(strict=False)
    requested_w: LimitW | None = None
    applied_w: LimitW | None = None
    setpoint_seq: int | None = None
    engine_id: str | None = None


class PowerReading(Message):
    """A generator that does not obey us (+ generation), or a load (+ consumption)."""

    power_w: Watts
    measured_at: Utc


WATT_LIMITS = ("export_limit_w", "generation_limit_w", "import_limit_w", "load_limit_w")
SWITCHES = ("connect", "energize")


class Limit(Message):
    """A limit source's whole statement; a field that is absent states nothing, a null watt "no limit".

    `issued_at` is optional here because a preference may be published by hand.
    """

    issued_at: Utc | None = None  # type: ignore[assignment]
    export_limit_w: LimitW | None = None
    generation_limit_w: LimitW | None = None
    import_limit_w: LimitW | None = None
    load_limit_w: LimitW | None = None
    connect: bool | None = None
    energize: bool | None = None
    storage_target_w: Watts | None = None
    ttl_s: Seconds | None = None
    until: Utc | None = None
    reason: str | None = Field(default=None, max_length=500)
    ref: str | None = Field(default=None, max_length=200)

    def states(self, attribute: str) -> bool:
        """Whether this says anything about `attribute`: a null watt does, a null switch does not."""
        if attribute in SWITCHES:
            return getattr(self, attribute) is not None
        return attribute in self.model_fields_set

    def to_payload(self) -> bytes:
        """The bytes on the wire; "absent" and "null" stay apart."""
        return self.model_copy(update={"v": 1}).model_dump_json(exclude_unset=True).encode()


class Mode(StrEnum):
    """How the engine holds the envelope now."""

    NORMAL = "normal"
    OPEN_LOOP = "open_loop"
    FAILSAFE = "failsafe"


class Active(Message):
    """The envelope in force: each merged value with the source that set it, and why, in a sentence.

    `islanded`: the site is cut off from the grid, as its meter tells; None where nobody can.
    """

    mode: Mode = Field(strict=False)
    reason: str
    export_limit_w: LimitW | None = None
    export_limit_source: str | None = None
    generation_limit_w: LimitW | None = None
    generation_limit_source: str | None = None
    import_limit_w: LimitW | None = None
    import_limit_source: str | None = None
    load_limit_w: LimitW | None = None
    load_limit_source: str | None = None
    connect: bool = True
    connect_source: str | None = None
    energize: bool = True
    energize_source: str | None = None
    storage_target_w: Watts | None = None
    storage_target_source: str | None = None
    target_w: LimitW | None = None
    until: Utc | None = None
    curtailed_w: LimitW | None = None
    curtailed_basis: str | None = None
    islanded: bool | None = None

    def to_payload(self) -> bytes:
        """The bytes on the wire, nulls included: here null is "no limit"."""
        return self.model_dump_json().encode()


class Setpoint(Message):
    """What one inverter may make now, watts of generation, or one load may use; never retained, 15 s at most.

    `export_limit_w` is what the site may export, for an inverter that holds that by its own meter (scope `export`).
    """

    target_w: Watts
    export_limit_w: LimitW | None = None
    connect: bool = True
    engine_id: str = Field(min_length=1, max_length=64)
    seq: int = Field(ge=0)
    ttl_s: Seconds = 15.0
    release: bool = False


class BatterySetpoint(Message):
    """What one battery is to do now: `target_w` + discharge, None: by itself, within the two bounds (watts)."""

    target_w: Watts | None = None
    max_charge_w: LimitW | None = None
    max_discharge_w: LimitW | None = None
    engine_id: str = Field(min_length=1, max_length=64)
    seq: int = Field(ge=0)
    ttl_s: Seconds = 15.0
    release: bool = False


class TariffStatus(Message):
    """What the tariff does now and next."""

    window: str | None = None
    export_limit_w: LimitW | None = None
    until: Utc | None = None
    next_at: Utc | None = None
    next_export_limit_w: LimitW | None = None


class FeedInPrice(Message):
    """The feed-in price now (+ earns) and as far as it is known."""

    cents_per_kwh: float | None
    until: Utc | None = None
    coming: list[dict[str, Any]] = []


class CsipStatus(Message):
    """Whether the utility's server can be reached, what we are to it, and for how long our certificate lasts."""

    reachable: bool
    last_contact_at: Utc | None = None
    certificate_days_left: float | None = None
    standing: str | None = None
    version: str | None = None
    lfdi: str | None = None
    clock_offset_s: float | None = None
    trouble: str | None = None


class CsipSchedule(Message):
    """The utility's control in force and those to come."""

    current: dict[str, Any] | None = None
    coming: list[dict[str, Any]] = []
    coming_until: Utc | None = None


class Health(Message):
    """A control loop says that it runs, and what it had to drop."""

    loop_age_s: Seconds
    tick_ms: float
    rejected: int = 0
    reconnects: int = 0
    device_errors: int = 0
    clock_offset_s: float | None = None
    learned: dict[str, Any] = {}


class Info(Message):
    """What runs: version, contract version, settings with secrets masked."""

    version: str
    contract_version: int
    settings: dict[str, Any]
    settings_sha256: str | None = None


class Level(StrEnum):
    """How much an event matters."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class Event(Message):
    """Something changed; never the only place where a state is told."""

    level: Level = Field(strict=False)
    code: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    message: str
    data: dict[str, Any] = {}


def _as_id(value: object) -> object:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


class Request(Message):
    """Asks a service for something; what each verb reads stands in the topic table."""

    issued_at: Utc | None = None  # type: ignore[assignment]
    source: str | None = None
    for_s: Seconds | None = None
    id: Annotated[str | None, BeforeValidator(_as_id)] = None
    fault: str | None = None
    value: float | None = None


def stamp(moment: datetime) -> datetime:
    """`moment` cut to milliseconds, as the wire carries it."""
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def decode(model: type[Message], payload: bytes) -> Message:
    """Read a payload; raises pydantic.ValidationError with every mistake."""
    return model.model_validate_json(payload)
