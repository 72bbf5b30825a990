"""What makes power at the site: inverters that obey, batteries, and what does not obey."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from dynexport.settings.base import (
    Described,
    Identifier,
    Number,
    Rating,
    Section,
    SerialChoice,
    TcpChoice,
    Watts,
    Whole,
)
from dynexport.settings.inverters import InverterSection, Phase
from dynexport.settings.mqtt_devices import LoadCommand, MqttInverter


class SunSpecInverter(InverterSection):
    """A SunSpec inverter (models 101-103, 111-113 or 701, limited through 704 or 123) over Modbus TCP or RTU."""

    driver: Literal["sunspec"] = Field(
        description="`sunspec`: read and limited over Modbus by its own map. `registers`: by a device description."
    )
    serial: SerialChoice = None
    tcp: TcpChoice = None
    unit: Whole = Field(default=1, ge=0, le=247, description="Modbus unit id.")
    poll_s: Number = Field(default=0.5, ge=0.2, le=5, description="Seconds between reads.")
    revert_timer_s: Whole = Field(
        default=0, ge=0, le=3600,
        description="Model 123 only, for an inverter known to revert to a lower limit by itself; 0: none.",
    )  # fmt: skip
    limit_persists: bool = Field(
        default=False,
        description="true: its limit outlives a power cut (flash memory). It is then written seldom, and one that "
        "was found there is kept until `dynexport adopt`.",
    )

    @model_validator(mode="after")
    def _timer_outlives_refresh(self) -> Self:
        if 0 < self.revert_timer_s < 20:
            raise ValueError("revert_timer_s: 0, or at least 20: the limit is refreshed every 8 s")
        if self.revert_timer_s and self.limit_persists:
            raise ValueError("revert_timer_s: 0 with limit_persists, which is not refreshed")
        return self


class RegisterInverter(InverterSection):
    """An inverter that a device description reads and limits, over Modbus TCP or RTU (docs/devices.md)."""

    driver: Literal["registers"] = Field(description="`registers`: by a device description.")
    device: Described
    serial: SerialChoice = None
    tcp: TcpChoice = None
    unit: Whole = Field(default=1, ge=0, le=247, description="Modbus unit id.")
    poll_s: Number = Field(default=1.0, ge=0.2, le=5, description="Seconds between reads.")
    i_have_tested_this: bool = Field(
        default=False,
        description="Your word that an unconfirmed description limits this very inverter: without it nothing is "
        "written to it.",
    )

    @property
    def revert_timer_s(self) -> int:
        """None of the owner's: its timer is the description's business."""
        return 0


ModbusInverter = SunSpecInverter | RegisterInverter
Inverter = Annotated[SunSpecInverter | RegisterInverter | MqttInverter, Field(discriminator="driver")]


class BatteryFields(Section):
    """Which field of a battery publisher's JSON is what; dots step into nested objects."""

    power_w: str = Field(description="Path of its power, watts, + discharge.")
    soc_pct: str | None = Field(default=None, description="Path of its state of charge, percent.")
    energy_wh: str | None = Field(default=None, description="Path of the energy stored in it, Wh.")
    measured_at: str | None = Field(default=None, description="Path of the time, RFC 3339 or Unix seconds.")


class PowerFields(Section):
    """Which field of a generator publisher's JSON is what; dots step into nested objects."""

    power_w: str = Field(
        description="Path of its power, watts: a generator's + generation, a load's + consumption."
    )
    measured_at: str | None = Field(default=None, description="Path of the time, RFC 3339 or Unix seconds.")


class Other(Section):
    """What makes power beside the inverters; it may be published on the same broker, on a topic of its own."""

    id: Identifier = Field(description="Its name in topics.")
    rated_w: Rating = Field(description="What it can make at most, watts.")
    exports: Literal["may", "never"] = Field(default="may", description="`never`: it only covers the house.")
    phase: Phase | None = Field(
        default=None, description="The phase it feeds; without it, it counts wholly on every phase."
    )
    topic: str | None = Field(
        default=None, min_length=1, pattern=r"^[^+#\s]+$",
        description="A publisher's full topic, mapped by `fields`; without it its reading comes on our own topic.",
    )  # fmt: skip
    invert: bool = Field(default=False, description="Turn the sign of the published power.")
    scale: Number = Field(
        default=1.0, gt=0, description="Factor to watts: 1000 for a publisher of kilowatts."
    )


class SunSpecPlace(Section):
    """Where a SunSpec battery (models 124, 802 or 713) answers, over Modbus TCP or RTU."""

    serial: SerialChoice = None
    tcp: TcpChoice = None
    unit: Whole = Field(default=1, ge=0, le=247, description="Modbus unit id.")
    poll_s: Number = Field(default=1.0, ge=0.2, le=5, description="Seconds between reads.")


class Battery(Other):
    """A battery: read by Modbus (`sunspec`, or `inverter`: it is in the map of that one), or from the bus."""

    rated_w: Rating = Field(description="What it can discharge at most, watts.")
    max_charge_w: Rating | None = Field(
        default=None, description="What it can charge at most, watts; told to the utility."
    )
    energy_wh: Rating | None = Field(
        default=None,
        description="What it can store, Wh; told to the utility, and with the state of charge what it stores.",
    )
    reserve_wh: Watts = Field(default=0.0, description="What it never discharges below, Wh.")
    exports: Literal["may", "never"] = Field(
        default="may", description="`never`: it only covers the house, by its own meter."
    )
    fields: BatteryFields | None = Field(default=None, description="The mapping of `topic`.")
    source: Literal["meter"] | None = Field(
        default=None,
        description="`meter`: the Powerwall gateway that is the site meter says this one too.",
    )
    sunspec: SunSpecPlace | None = Field(
        default=None, description="Where it answers by itself: SunSpec 124, 802 or 713 over Modbus."
    )
    inverter: Identifier | None = Field(
        default=None, description="The SunSpec inverter in whose map its models stand (a hybrid inverter)."
    )
    control: Literal["none", "charge_rate"] = Field(
        default="none",
        description="`charge_rate`: we may tell it how much to charge or discharge; `none`: it does as it does.",
    )
    charge_buffer_w: Watts = Field(
        default=0.0,
        description="Up to this export, watts, a preference does not limit while this battery may charge, so that it "
        "sees something to charge from. The agreement and obligations are never touched.",
    )

    @model_validator(mode="after")
    def _mapping_fits(self) -> Self:
        _must_go_together(self.topic, self.fields)
        return self

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        given = [
            name for name in ("topic", "sunspec", "inverter", "source") if getattr(self, name) is not None
        ]
        if self.scale != 1.0 and given and given != ["topic"]:
            raise ValueError("`scale` is for a publisher: its own driver knows watts")
        if len(given) > 1:
            raise ValueError(
                f"it is read in one way only: keep one of {', '.join(f'`{name}`' for name in given)}"
            )
        if self.source == "meter" and self.control == "charge_rate":
            raise ValueError("`control: charge_rate` is not for a Powerwall: its gateway takes no command")
        return self

    @model_validator(mode="after")
    def _reserve_fits(self) -> Self:
        if self.energy_wh is not None and self.reserve_wh > self.energy_wh:
            raise ValueError(f"`reserve_wh` is over `energy_wh` ({self.energy_wh:g}), of which it is a part")
        return self


class Uncontrolled(Other):
    """Something that makes power here and does not obey us."""

    kind: Literal["pv", "battery"] = Field(default="pv", description="What it is.")
    fields: PowerFields | None = Field(default=None, description="The mapping of `topic`.")

    @model_validator(mode="after")
    def _mapping_fits(self) -> Self:
        _must_go_together(self.topic, self.fields)
        return self


class Load(Section):
    """A load that obeys us: it is told what it may use at most."""

    id: Identifier = Field(description="Its name in topics.")
    rated_w: Rating = Field(description="What it can use at most, watts.")
    control: Literal["switch", "watts"] = Field(
        default="switch", description="`switch`: on or off; `watts`: any power up to its rating."
    )
    min_w: Watts = Field(default=0.0, description="With `watts`: below this it is off, watts.")
    topic: str | None = Field(
        default=None, min_length=1, pattern=r"^[^+#\s]+$",
        description="A publisher's full topic, mapped by `fields`; without it its reading comes on our own topic.",
    )  # fmt: skip
    invert: bool = Field(
        default=False, description="Turn the sign of the published power; ours is + consumption."
    )
    scale: Number = Field(
        default=1.0, gt=0, description="Factor to watts: 1000 for a publisher of kilowatts."
    )
    fields: PowerFields | None = Field(default=None, description="The mapping of `topic`.")
    command: LoadCommand | None = Field(
        default=None,
        description="How it is told what it may use; without it, its own program listens to `load/<id>/setpoint`.",
    )

    @model_validator(mode="after")
    def _mapping_fits(self) -> Self:
        _must_go_together(self.topic, self.fields)
        return self

    @model_validator(mode="after")
    def _command_fits(self) -> Self:
        if self.command is None:
            return self
        if (self.control == "watts") != (self.command.payload is not None):
            raise ValueError("`payload` goes with `control: watts`, `on` and `off` with `control: switch`")
        if self.command.on == self.command.off:
            raise ValueError("`on` and `off` are the same words")
        return self


def _must_go_together(topic: str | None, fields: Section | None) -> None:
    if (topic is None) != (fields is None):
        raise ValueError("`topic` and `fields` go together: both, or none to hear it on our own topic")
