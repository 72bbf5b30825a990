"""The site meter in `site.yaml`."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from dynexport.settings.base import Described, Number, Section, SerialChoice, TcpChoice, Whole
from dynexport.settings.web_meters import PowerwallMeter, SolarApiMeter


class SunSpecMeter(Section):
    """A SunSpec meter (models 201-204, 211-214) over Modbus TCP or RTU."""

    driver: Literal["sunspec"] = Field(
        description="`sunspec`: read over Modbus by its own map. `registers`: by a device description. `mqtt`: "
        "somebody publishes it."
    )
    serial: SerialChoice = None
    tcp: TcpChoice = None
    unit: Whole = Field(ge=0, le=247, description="Modbus unit id.")
    location: Literal["feed_in", "consumption"] = Field(
        default="feed_in", description="At the grid connection, or measuring what the house consumes."
    )
    invert: bool = Field(
        default=False, description="Turn the sign: for meters that report export as positive."
    )
    poll_s: Number = Field(default=0.5, ge=0.2, le=5, description="Seconds between reads.")


class RegisterMeter(Section):
    """A meter that a device description reads, over Modbus TCP or RTU (docs/devices.md)."""

    driver: Literal["registers"] = Field(description="`registers`: by a device description.")
    device: Described
    serial: SerialChoice = None
    tcp: TcpChoice = None
    unit: Whole = Field(default=1, ge=0, le=247, description="Modbus unit id.")
    location: Literal["feed_in", "consumption"] = Field(
        default="feed_in", description="At the grid connection, or measuring what the house consumes."
    )
    invert: bool = Field(
        default=False,
        description="Turn the sign: for one whose current transformers are the wrong way round.",
    )
    poll_s: Number = Field(default=0.5, ge=0.2, le=5, description="Seconds between reads.")


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

    driver: Literal["mqtt"] = Field(description="`mqtt`: somebody publishes it on the same broker.")
    topic: str = Field(min_length=1, pattern=r"^[^+#\s]+$", description="The publisher's full topic.")
    format: Literal["fields", "predecessor", "shelly_pro_3em", "shelly_3em"] = Field(
        default="fields",
        description="`predecessor`: as open-dynamic-export takes it; `shelly_pro_3em`, `shelly_3em`: as these publish "
        "themselves (`topic` is `<prefix>/status/em:0` of the first, `shellies/<id>` of the second); `fields`: as "
        "mapped below.",
    )
    fields: MeterFields | None = Field(default=None, description="The mapping, with `format: fields`.")
    location: Literal["feed_in", "consumption"] = Field(
        default="feed_in", description="At the grid connection, or measuring what the house consumes."
    )
    invert: bool = Field(default=False, description="Turn the sign.")
    scale: Number = Field(
        default=1.0, gt=0, description="Factor to watts: 1000 for a publisher of kilowatts."
    )
    period_s: Number = Field(default=1.0, gt=0, le=60, description="How often it publishes, seconds.")

    @model_validator(mode="after")
    def _mapping_fits(self) -> Self:
        if (self.format == "fields") != (self.fields is not None):
            raise ValueError("`fields` goes with `format: fields`, and must be given there")
        if self.format == "shelly_pro_3em" and "/status/em:" not in self.topic:
            raise ValueError(f"a Pro 3EM tells its powers on `<prefix>/status/em:0`, not on `{self.topic}`")
        return self

    @property
    def poll_s(self) -> float:
        """The period between readings, seconds."""
        return self.period_s

    @property
    def topics(self) -> tuple[str, ...]:
        """What is subscribed: the topic itself, or below it one for each phase's power."""
        if self.format != "shelly_3em":
            return (self.topic,)
        return tuple(f"{self.topic.rstrip('/')}/emeter/{phase}/power" for phase in range(3))


ModbusMeter = SunSpecMeter | RegisterMeter
Meter = Annotated[
    SunSpecMeter | RegisterMeter | MqttMeter | PowerwallMeter | SolarApiMeter, Field(discriminator="driver")
]
