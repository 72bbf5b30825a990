"""The shape of `site.yaml`: one file for the whole site, each service reads its sections."""

from __future__ import annotations

from datetime import time
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, model_validator

Watts = Annotated[float, Field(ge=0, le=1e7, allow_inf_nan=False)]
Rating = Annotated[float, Field(gt=0, le=1e7, allow_inf_nan=False)]
Identifier = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,31}$")]
Port = Annotated[int, Field(ge=1, le=65535)]


class Section(BaseModel):
    """A part of `site.yaml`; a key that is not listed is a mistake."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def _known_zone(name: str) -> str:
    if name not in available_timezones():
        raise ValueError("no such time zone; for example Australia/Adelaide")
    return name


class SiteSection(Section):
    """The site itself."""

    name: str = Field(default="Home", description="What the site is called on pages and in events.")
    time_zone: Annotated[str, AfterValidator(_known_zone)] = Field(
        description="IANA time zone of the site; the machine's own is never used."
    )
    phases: Literal[1, 3] = Field(default=1, description="Phases of the grid connection.")
    clock: Literal["auto", "trusted"] = Field(
        default="auto",
        description="`trusted` for a machine whose clock is known to be right; `auto` asks the kernel.",
    )

    @property
    def zone(self) -> ZoneInfo:
        """The site's time zone."""
        return ZoneInfo(self.time_zone)


class MqttSection(Section):
    """How to reach the broker."""

    host: str = Field(default="mosquitto", description="Name or address of the broker.")
    port: Port = Field(default=1883, description="The broker's port.")
    root: str = Field(
        default="dynexport", pattern=r"^[^+#/\s]+(/[^+#/\s]+)*$", description="First part of every topic."
    )
    username: str | None = Field(default=None, description="The broker's user; by default none.")
    password: SecretStr | None = Field(
        default=None, description="Better: `password_file` or the environment."
    )
    password_file: str | None = Field(default=None, description="A file that holds the password.")


class AgreementSection(Section):
    """The connection agreement: limits that never go stale."""

    export_limit_w: Watts = Field(description="What the site may export at most, watts.")
    failsafe_export_limit_w: Watts = Field(
        description="What it may export when something has failed, watts; many agreements say 1500."
    )
    export_limit_per_phase_w: Watts | None = Field(
        default=None, description="What each phase may export at most, watts."
    )
    generation_limit_w: Watts | None = Field(
        default=None, description="What all inverters may make together."
    )
    import_limit_w: Watts | None = Field(default=None, description="What the site may import at most.")
    load_limit_w: Watts | None = Field(default=None, description="What the site may consume at most.")


class Tcp(Section):
    """A Modbus TCP endpoint."""

    host: str = Field(description="Name or address.")
    port: Port = Field(default=502, description="TCP port.")


class SunSpecMeter(Section):
    """A SunSpec meter (models 201-204, 211-214) over Modbus TCP."""

    driver: Literal["sunspec"] = Field(description="What speaks to it.")
    tcp: Tcp = Field(description="Where the meter answers; may be an inverter's endpoint.")
    unit: int = Field(ge=0, le=247, description="Modbus unit id.")
    location: Literal["feed_in", "consumption"] = Field(
        default="feed_in", description="At the grid connection, or measuring what the house consumes."
    )
    invert: bool = Field(
        default=False, description="Turn the sign: for meters that report export as positive."
    )
    poll_s: float = Field(default=0.5, ge=0.2, le=5, description="Seconds between reads.")


class MeterFields(Section):
    """Which field of a publisher's JSON is what; dots step into nested objects."""

    power_w: str = Field(description="Path of the power, watts, for example `em:0.total_act_power`.")
    power_a_w: str | None = Field(default=None, description="Path of phase A's power.")
    power_b_w: str | None = Field(default=None, description="Path of phase B's power.")
    power_c_w: str | None = Field(default=None, description="Path of phase C's power.")
    reactive_var: str | None = Field(default=None, description="Path of the reactive power.")
    voltage_a_v: str | None = Field(default=None, description="Path of phase A's voltage.")
    voltage_b_v: str | None = Field(default=None, description="Path of phase B's voltage.")
    voltage_c_v: str | None = Field(default=None, description="Path of phase C's voltage.")
    frequency_hz: str | None = Field(default=None, description="Path of the frequency.")
    import_wh: str | None = Field(default=None, description="Path of the import counter, Wh.")
    export_wh: str | None = Field(default=None, description="Path of the export counter, Wh.")
    measured_at: str | None = Field(default=None, description="Path of the time, RFC 3339 or Unix seconds.")


class MqttMeter(Section):
    """A meter that somebody publishes on the same broker."""

    driver: Literal["mqtt"] = Field(description="What speaks to it.")
    topic: str = Field(min_length=1, pattern=r"^[^+#\s]+$", description="The publisher's full topic.")
    format: Literal["fields", "predecessor"] = Field(
        default="fields",
        description="`predecessor`: as open-dynamic-export takes it; `fields`: as mapped below.",
    )
    fields: MeterFields | None = Field(default=None, description="The mapping, with `format: fields`.")
    location: Literal["feed_in", "consumption"] = Field(
        default="feed_in", description="At the grid connection, or measuring what the house consumes."
    )
    invert: bool = Field(default=False, description="Turn the sign.")
    scale: float = Field(default=1.0, gt=0, description="Factor to watts: 1000 for a publisher of kilowatts.")
    period_s: float = Field(default=1.0, gt=0, le=60, description="How often it publishes, seconds.")

    @model_validator(mode="after")
    def _mapping_fits(self) -> Self:
        if (self.format == "fields") != (self.fields is not None):
            raise ValueError("`fields` goes with `format: fields`, and must be given there")
        return self

    @property
    def poll_s(self) -> float:
        """The period between readings, seconds."""
        return self.period_s


Meter = Annotated[SunSpecMeter | MqttMeter, Field(discriminator="driver")]


class SunSpecInverter(Section):
    """A SunSpec inverter (models 101-103, 111-113, limited through 123) over Modbus TCP."""

    id: Identifier = Field(description="Its name in topics.")
    driver: Literal["sunspec"] = Field(description="What speaks to it.")
    tcp: Tcp = Field(description="Where it answers.")
    unit: int = Field(default=1, ge=0, le=247, description="Modbus unit id.")
    rated_w: Rating = Field(description="Rated power, watts; compared with what the device says.")
    phase: Literal["a", "b", "c", "abc"] = Field(default="abc", description="The phase it feeds.")
    poll_s: float = Field(default=0.5, ge=0.2, le=5, description="Seconds between reads.")
    min_limit_pct: float = Field(
        default=0, ge=0, le=50, description="Below this it goes to standby; less is written as 0 %."
    )
    can_limit_to_zero: bool = Field(
        default=True, description="false: an inverter that cannot do 0 %; it is disconnected instead."
    )
    revert_timer_s: int = Field(
        default=0, ge=0, le=3600,
        description="Model 123 only, for an inverter known to revert to a lower limit by itself; 0: none.",
    )  # fmt: skip

    @model_validator(mode="after")
    def _timer_outlives_refresh(self) -> Self:
        if 0 < self.revert_timer_s < 20:
            raise ValueError("revert_timer_s: 0, or at least 20: the limit is refreshed every 8 s")
        return self


class Battery(Section):
    """A battery that Dynexport reads from the bus."""

    id: Identifier = Field(description="Its name in topics.")
    rated_w: Rating = Field(description="What it can discharge at most, watts.")
    exports: Literal["may", "never"] = Field(
        default="may", description="`never`: it only covers the house, by its own meter."
    )


class Uncontrolled(Section):
    """Something that makes power here and does not obey us."""

    id: Identifier = Field(description="Its name in topics.")
    rated_w: Rating = Field(description="What it can make at most, watts.")
    kind: Literal["pv", "battery"] = Field(default="pv", description="What it is.")
    exports: Literal["may", "never"] = Field(default="may", description="`never`: it only covers the house.")


class Fallback(Section):
    """What an obligation means while it is silent; what is not given does not limit."""

    export_limit_w: Watts | None = Field(default=None, description="Watts.")
    generation_limit_w: Watts | None = Field(default=None, description="Watts.")
    import_limit_w: Watts | None = Field(default=None, description="Watts.")
    load_limit_w: Watts | None = Field(default=None, description="Watts.")
    connect: Literal[False] | None = Field(default=None, description="false: disconnect while it is silent.")
    energize: Literal[False] | None = Field(
        default=None, description="false: de-energize while it is silent."
    )


class Source(Section):
    """A limit source that counts; one that is not listed has no effect."""

    kind: Literal["obligation", "preference"] = Field(
        description="`obligation`: silence means its fallback; `preference`: silence means nothing."
    )
    fallback: Fallback | None = Field(default=None, description="Required for an obligation.")
    max_ttl_s: float | None = Field(
        default=None, gt=0, le=31 * 86400,
        description="The longest `ttl_s` it may ask for; 300 for an obligation, 86400 for a preference.",
    )  # fmt: skip

    @model_validator(mode="after")
    def _fallback_fits(self) -> Self:
        if self.kind == "obligation" and self.fallback is None:
            raise ValueError("an obligation needs a `fallback`, for example {export_limit_w: 1500}")
        if self.kind == "preference" and self.fallback is not None:
            raise ValueError("a preference has no `fallback`: when it is silent it is ignored")
        return self

    @property
    def longest_ttl_s(self) -> float:
        """The clip for `ttl_s`, seconds."""
        return self.max_ttl_s or (300.0 if self.kind == "obligation" else 86400.0)


class ControlSection(Section):
    """Whether and how inverters are written to."""

    enabled: bool = Field(
        default=False, description="false: nothing is written; the stack shows what it would do."
    )
    up_ramp_pct_per_s: float = Field(
        default=20, gt=0, le=100, description="How fast generation may rise, percent of rating a second."
    )
    headroom_pct: float = Field(
        default=10, ge=1, le=100,
        description="How far above its use an inverter that cannot use its share is held, percent of rating.",
    )  # fmt: skip
    on_stop: Literal["failsafe", "hold", "release"] = Field(
        default="failsafe", description="What a stopped writer leaves in the inverter."
    )


class TariffWindow(Section):
    """A daily window with a limit, in site time; one that ends before it starts passes midnight."""

    name: str = Field(default="", description="What it is called in reasons.")
    start: time = Field(description='First moment, for example "10:00".')
    end: time = Field(description='First moment after it; "00:00" is midnight.')
    days: tuple[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"], ...] = Field(
        default=("mon", "tue", "wed", "thu", "fri", "sat", "sun"), min_length=1,
        description="The days on which it starts.",
    )  # fmt: skip
    months: tuple[Annotated[int, Field(ge=1, le=12)], ...] = Field(
        default=tuple(range(1, 13)), min_length=1, description="The months in which it starts."
    )
    export_limit_w: Watts | None = Field(default=None, description="Export limit inside, watts.")
    generation_limit_w: Watts | None = Field(default=None, description="Generation limit inside, watts.")

    @model_validator(mode="after")
    def _limits_something(self) -> Self:
        if self.start.tzinfo is not None or self.end.tzinfo is not None:
            raise ValueError(
                "a window's times are those of the site's own clock: write them without an offset"
            )
        if self.export_limit_w is None and self.generation_limit_w is None:
            raise ValueError("a window needs `export_limit_w` or `generation_limit_w`")
        return self


class TariffSection(Section):
    """Limits by the time of day."""

    windows: tuple[TariffWindow, ...] = Field(default=(), description="Daily windows.")


class SimulatorSection(Section):
    """The simulated site behind the Modbus endpoints that `meter` and `inverters` name; loopback only."""

    sun: Literal["day", "script"] = Field(
        default="day", description="A day's profile, or what faults/steps say."
    )
    speed: float = Field(default=1, gt=0, le=3600, description="How fast the simulated day passes.")
    start_hour: float = Field(default=9, ge=0, lt=24, description="Hour of the simulated day at start.")
    available_pct: float = Field(
        default=100, ge=0, le=100, description="Sun with `script`, percent of rating."
    )
    load_w: Watts = Field(default=500, description="House load with `script`.")
    tau_s: float = Field(default=1.0, gt=0, le=30, description="Inverter's first-order lag.")
    dead_time_s: float = Field(default=0, ge=0, le=30, description="Inverter's dead time.")
    gain: float = Field(default=1.0, gt=0.5, lt=1.5, description="Scale error of the inverter's limit.")
    meter_noise_w: Watts = Field(default=8, description="Standard deviation of the meter.")
    meter_refresh_s: float = Field(
        default=0, ge=0, le=10, description="Meter's own refresh; 0: at every read."
    )
    meter_latency_s: float = Field(default=0, ge=0, le=10, description="Meter's own delay.")
    map: Literal["integer", "float"] = Field(
        default="integer", description="SunSpec 103 and 203, or 113 and 213."
    )
    seed: int = Field(default=1, description="Seed of the noise.")
    record: str | None = Field(
        default=None, description="A file for the true powers every 20 ms and every write, as JSON lines."
    )


class Site(Section):
    """All of `site.yaml`."""

    site: SiteSection = Field(description="The site itself.")
    mqtt: MqttSection = Field(default=MqttSection(), description="The broker.")
    agreement: AgreementSection = Field(description="The connection agreement.")
    meter: Meter = Field(description="The site meter.")
    inverters: tuple[SunSpecInverter, ...] = Field(min_length=1, max_length=20, description="The inverters.")
    batteries: tuple[Battery, ...] = Field(default=(), description="The batteries.")
    uncontrolled: tuple[Uncontrolled, ...] = Field(default=(), description="What does not obey us.")
    sources: dict[Identifier, Source] = Field(default={}, description="The limit sources that count.")
    control: ControlSection = Field(default=ControlSection(), description="Whether and how we write.")
    tariff: TariffSection | None = Field(default=None, description="Limits by the time of day.")
    simulator: SimulatorSection | None = Field(default=None, description="Only for a simulated site.")

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        for kind in (self.inverters, self.batteries, self.uncontrolled):
            names = [entry.id for entry in kind]
            twice = sorted({name for name in names if names.count(name) > 1})
            if twice:
                raise ValueError(f"id {', '.join(twice)} is given twice")
        places = [(i.tcp.host, i.tcp.port, i.unit) for i in self.inverters]
        if len(set(places)) != len(places):
            raise ValueError("inverters: two of them have the same tcp and unit")
        if self.agreement.export_limit_per_phase_w is not None:
            raise ValueError("agreement.export_limit_per_phase_w: per-phase limits are not supported yet")
        return self

    @property
    def rated_w(self) -> float:
        """The sum of the inverters' ratings, watts."""
        return sum(inverter.rated_w for inverter in self.inverters)

    @property
    def meter_behind_inverter(self) -> bool:
        """Whether the meter shares an inverter's endpoint: then inverter-writer reads it."""
        if not isinstance(self.meter, SunSpecMeter):
            return False
        return any(inverter.tcp == self.meter.tcp for inverter in self.inverters)
