"""Inverters and loads behind MQTT: what somebody publishes of them, and where they are told what they may do."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from dynexport.settings.base import Number, Section
from dynexport.settings.inverters import InverterSection
from dynexport.template import checked, placeholders

WATTS = ("limit_w", "limit_kw", "limit_pct")
OF_AN_INVERTER = (*WATTS, "connect")
OF_A_LOAD = (*WATTS, "on")
TOPIC = r"^[^+#\s]+$"


def _inverter_payload(text: str) -> str:
    return checked(text, OF_AN_INVERTER, WATTS)


def _load_payload(text: str) -> str:
    return checked(text, OF_A_LOAD, OF_A_LOAD)


class InverterFields(Section):
    """Which field of an inverter publisher's JSON is what; dots step into nested objects."""

    power_w: str = Field(description="Path of its power, watts, + generation.")
    reactive_var: str | None = Field(default=None, description="Path of the reactive power.")
    voltage_a_v: str | None = Field(default=None, description="Path of phase A's voltage.")
    voltage_b_v: str | None = Field(default=None, description="Path of phase B's voltage.")
    voltage_c_v: str | None = Field(default=None, description="Path of phase C's voltage.")
    frequency_hz: str | None = Field(default=None, description="Path of the frequency.")
    energy_wh: str | None = Field(default=None, description="Path of its energy counter, Wh.")
    available_w: str | None = Field(default=None, description="Path of what it could make now, watts.")
    state: str | None = Field(
        default=None,
        description="Path of its state: `off`, `sleeping`, `starting`, `mppt`, `throttled`, `shutting_down`, `fault` "
        "or `standby`, or 1 to 8 in this order (SunSpec); another word counts as not said.",
    )
    measured_at: str | None = Field(default=None, description="Path of the time, RFC 3339 or Unix seconds.")


class Sent(Section):
    """How a command is published."""

    topic: str = Field(min_length=1, pattern=TOPIC, description="The full topic on which it is told.")
    qos: Literal[0, 1] = Field(default=0, description="MQTT's quality of service.")
    retain: bool = Field(
        default=False,
        description="true: the broker keeps the last one and hands it to a listener that comes later, also when we "
        "are dead and what it says is old.",
    )


class InverterCommand(Sent):
    """Where an inverter is told its limit, and in which words."""

    payload: Annotated[str, AfterValidator(_inverter_payload)] = Field(
        description="What is sent, with `${limit_w}`, `${limit_kw}`, `${limit_pct}` (of `rated_w`) and `${connect}` "
        "(true or false) replaced; `$$` is a dollar sign. Without `${connect}` it is held at 0 W instead of "
        "disconnected.",
    )


class ReadBackFields(Section):
    """Which field of what the inverter reports is what."""

    limit_w: str | None = Field(default=None, description="Path of the limit that it holds, watts.")
    limit_pct: str | None = Field(default=None, description="Path of that limit, percent of `rated_w`.")
    connect: str | None = Field(
        default=None, description="Path of its connection: true or false, 1 or 0, on or off."
    )

    @model_validator(mode="after")
    def _one_limit(self) -> Self:
        if (self.limit_w is None) == (self.limit_pct is None):
            raise ValueError("one of `limit_w` and `limit_pct` says which limit it holds")
        return self


class ReadBack(Section):
    """Where the inverter reports the limit that it holds; compared as any other inverter's."""

    topic: str = Field(min_length=1, pattern=TOPIC, description="The full topic on which it reports.")
    fields: ReadBackFields = Field(description="The mapping.")
    within_s: Number = Field(
        default=3.0,
        ge=0.5,
        le=60,
        description="How long after a command its report may still be the old one, seconds.",
    )


class MqttInverter(InverterSection):
    """An inverter that somebody publishes, and perhaps limits, on the same broker."""

    driver: Literal["mqtt"] = Field(
        description="`mqtt`: somebody publishes it on the same broker, and takes its limit there."
    )
    topic: str = Field(min_length=1, pattern=TOPIC, description="The publisher's full topic.")
    format: Literal["fields", "predecessor"] = Field(
        default="fields",
        description="`predecessor`: as open-dynamic-export takes it; `fields`: as mapped below.",
    )
    fields: InverterFields | None = Field(default=None, description="The mapping, with `format: fields`.")
    invert: bool = Field(
        default=False, description="Turn the sign of the published power; ours is + generation."
    )
    scale: Number = Field(
        default=1.0, gt=0, description="Factor to watts: 1000 for a publisher of kilowatts."
    )
    period_s: Number = Field(default=1.0, gt=0, le=60, description="How often it publishes, seconds.")
    command: InverterCommand | None = Field(
        default=None, description="How it is limited; without it it is only read."
    )
    read_back: ReadBack | None = Field(
        default=None,
        description="What it says it holds. Without it, nobody knows after a start what stands there: it is then told "
        "0 W until the engine speaks.",
    )
    when_silent: Literal["holds_last", "releases_limit", "unknown"] = Field(
        default="unknown", description="What the other side does when it hears no more of us."
    )
    resolution_pct: Number = Field(
        default=0.1, ge=0.01, le=10, description="The smallest step of its limit, percent of `rated_w`."
    )

    @model_validator(mode="after")
    def _mapping_fits(self) -> Self:
        if (self.format == "fields") != (self.fields is not None):
            raise ValueError("`fields` goes with `format: fields`, and must be given there")
        return self

    @model_validator(mode="after")
    def _command_fits(self) -> Self:
        if self.read_back is not None and self.command is None:
            raise ValueError("`read_back` goes with a `command`: what is not told is not compared")
        known = self.read_back is not None and self.read_back.fields.connect is not None
        if self.can_disconnect and not known:
            raise ValueError(
                "`${connect}` needs `read_back` with a field `connect`: after a start nobody knows otherwise whether "
                "it was disconnected; or leave it out, then it is held at 0 W instead"
            )
        if not (self.can_limit_to_zero or self.can_disconnect):
            raise ValueError("with `can_limit_to_zero: false` its command needs `${connect}`")
        return self

    @property
    def can_disconnect(self) -> bool:
        """Whether its command says so."""
        return self.command is not None and "connect" in placeholders(self.command.payload)

    @property
    def poll_s(self) -> float:
        """The period between readings, seconds."""
        return self.period_s

    @property
    def unit(self) -> int:
        """It has no Modbus unit id."""
        return 0

    @property
    def revert_timer_s(self) -> int:
        """It has no timer of ours."""
        return 0

    @property
    def listens_to(self) -> tuple[str, ...]:
        """What is subscribed, each once."""
        read_back = () if self.read_back is None else (self.read_back.topic,)
        return tuple(dict.fromkeys((self.topic, *read_back)))


class LoadCommand(Sent):
    """Where a load is told what it may use, and in which words."""

    payload: Annotated[str, AfterValidator(_load_payload)] | None = Field(
        default=None,
        description="With `control: watts`: what is sent, with `${limit_w}`, `${limit_kw}`, `${limit_pct}` (of "
        "`rated_w`) and `${on}` (true or false) replaced; `$$` is a dollar sign.",
    )
    on: str = Field(default="on", description="With `control: switch`: what is sent when it may run.")
    off: str = Field(default="off", description="With `control: switch`: what is sent when it may not.")
    when_silent: Literal["off", "hold"] = Field(
        default="hold",
        description="When limit-engine has been silent for 15 s: `off`, or `hold` what it was told last.",
    )
