"""The shape of `site.yaml`: one file for the whole site, each service reads its sections."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from dynexport.modbus.address import address_of
from dynexport.settings.base import ClockTime, Identifier, Section, Serial, Tcp, Watts, Whole
from dynexport.settings.batteries import ModbusBattery, modbus_batteries
from dynexport.settings.csip import CsipSection
from dynexport.settings.devices import (
    Battery,
    Inverter,
    Load,
    ModbusInverter,
    RegisterInverter,
    SunSpecInverter,
    Uncontrolled,
)
from dynexport.settings.limits import AgreementSection, Fallback, Source
from dynexport.settings.meters import (
    Meter,
    MeterFields,
    ModbusMeter,
    MqttMeter,
    RegisterMeter,
    SunSpecMeter,
)
from dynexport.settings.mqtt_devices import InverterCommand, LoadCommand, MqttInverter, ReadBack
from dynexport.settings.sections import ControlSection, MqttSection, SiteSection
from dynexport.settings.simulator import SimulatorSection
from dynexport.settings.utility import UtilitySection
from dynexport.settings.web_meters import PowerwallMeter, SolarApiMeter, WebMeter

__all__ = [
    "AgreementSection",
    "Battery",
    "ControlSection",
    "CsipSection",
    "Fallback",
    "Inverter",
    "InverterCommand",
    "Load",
    "LoadCommand",
    "Meter",
    "MeterFields",
    "ModbusInverter",
    "ModbusMeter",
    "MqttInverter",
    "MqttMeter",
    "MqttSection",
    "PowerwallMeter",
    "ReadBack",
    "RegisterInverter",
    "RegisterMeter",
    "Serial",
    "SimulatorSection",
    "Site",
    "SiteSection",
    "SolarApiMeter",
    "Source",
    "SunSpecInverter",
    "SunSpecMeter",
    "TariffSection",
    "TariffWindow",
    "Tcp",
    "Uncontrolled",
    "WebMeter",
]


class TariffWindow(Section):
    """A daily window with a limit, in site time; one that ends before it starts passes midnight."""

    name: str = Field(default="", description="What it is called in reasons.")
    start: ClockTime = Field(description='First moment, for example "10:00".')
    end: ClockTime = Field(description='First moment after it; "00:00" is midnight.')
    days: tuple[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"], ...] = Field(
        default=("mon", "tue", "wed", "thu", "fri", "sat", "sun"), min_length=1,
        description="The days on which it starts.",
    )  # fmt: skip
    months: tuple[Annotated[Whole, Field(ge=1, le=12)], ...] = Field(
        default=tuple(range(1, 13)), min_length=1, description="The months in which it starts."
    )
    export_limit_w: Watts | None = Field(default=None, description="Export limit inside, watts.")
    generation_limit_w: Watts | None = Field(default=None, description="Generation limit inside, watts.")

    @model_validator(mode="after")
    def _limits_something(self) -> Self:
        if self.export_limit_w is None and self.generation_limit_w is None:
            raise ValueError("a window needs `export_limit_w` or `generation_limit_w`")
        return self


class TariffSection(Section):
    """Limits by the time of day."""

    windows: tuple[TariffWindow, ...] = Field(default=(), description="Daily windows.")


class Site(Section):
    """All of `site.yaml`."""

    site: SiteSection = Field(description="The site itself.")
    mqtt: MqttSection = Field(default=MqttSection(), description="The broker.")
    agreement: AgreementSection = Field(description="The connection agreement.")
    meter: Meter = Field(description="The site meter.")
    inverters: tuple[Inverter, ...] = Field(min_length=1, max_length=20, description="The inverters.")
    batteries: tuple[Battery, ...] = Field(default=(), description="The batteries.")
    uncontrolled: tuple[Uncontrolled, ...] = Field(default=(), description="What does not obey us.")
    loads: tuple[Load, ...] = Field(default=(), description="The loads that obey us.")
    sources: dict[Identifier, Source] = Field(default={}, description="The limit sources that count.")
    control: ControlSection = Field(default=ControlSection(), description="Whether and how we write.")
    tariff: TariffSection | None = Field(default=None, description="Limits by the time of day.")
    csip: CsipSection | None = Field(default=None, description="The distributor's utility server.")
    simulator: SimulatorSection | None = Field(default=None, description="Only for a simulated site.")
    utility_simulator: UtilitySection | None = Field(
        default=None, description="Only for a simulated utility server."
    )

    @property
    def rated_w(self) -> float:
        """The sum of the inverters' ratings, watts."""
        return sum(inverter.rated_w for inverter in self.inverters)

    @property
    def export_limit_w(self) -> float:
        """The agreement's export limit, watts; with one phase its limit per phase is the site's as well."""
        whole_w, phase_w = self.agreement.export_limit_w, self.agreement.export_limit_per_phase_w
        return whole_w if phase_w is None or self.site.phases == 3 else min(whole_w, phase_w)

    @property
    def phase_limit_w(self) -> float | None:
        """What no single phase may export above, watts; None when that is no question."""
        return self.agreement.export_limit_per_phase_w if self.site.phases == 3 else None

    @property
    def feeds(self) -> dict[str, str]:
        """The phase that each inverter feeds, by id."""
        return {inverter.id: inverter.phase for inverter in self.inverters}

    @property
    def modbus_inverters(self) -> tuple[ModbusInverter, ...]:
        """The inverters that answer by Modbus."""
        return tuple(inverter for inverter in self.inverters if isinstance(inverter, ModbusInverter))

    @property
    def mqtt_inverters(self) -> tuple[MqttInverter, ...]:
        """The inverters that somebody publishes, and perhaps limits, over MQTT."""
        return tuple(inverter for inverter in self.inverters if isinstance(inverter, MqttInverter))

    @property
    def meter_battery(self) -> Battery | None:
        """The battery that the meter's own gateway tells."""
        return next((battery for battery in self.batteries if battery.source == "meter"), None)

    @property
    def modbus_batteries(self) -> tuple[ModbusBattery, ...]:
        """The batteries that answer by Modbus, each with its place."""
        return tuple(modbus_batteries(self.batteries, self.inverters))

    @property
    def modbus_devices(self) -> tuple[ModbusInverter | ModbusBattery | ModbusMeter, ...]:
        """Everything that answers by Modbus."""
        meters = (self.meter,) if isinstance(self.meter, ModbusMeter) else ()
        return (*self.modbus_inverters, *self.modbus_batteries, *meters)

    @property
    def foreign_topics(self) -> tuple[str, ...]:
        """The topics of other publishers that meter-reader reads, each once."""
        named = [*self.meter.topics] if isinstance(self.meter, MqttMeter) else []
        others: tuple[Battery | Uncontrolled | Load, ...] = (*self.batteries, *self.uncontrolled, *self.loads)
        named += [entry.topic for entry in others if entry.topic is not None]
        return tuple(dict.fromkeys(named))

    @property
    def heard_devices(self) -> tuple[str, ...]:
        """The topics of inverters behind MQTT that inverter-writer reads, each once."""
        return tuple(dict.fromkeys(path for each in self.mqtt_inverters for path in each.listens_to))

    @property
    def commanded_devices(self) -> tuple[str, ...]:
        """The topics on which inverter-writer commands inverters and loads, each once."""
        commands = (*(each.command for each in self.mqtt_inverters), *(each.command for each in self.loads))
        return tuple(dict.fromkeys(each.topic for each in commands if each is not None))

    @property
    def meter_behind_inverter(self) -> bool:
        """Whether the meter shares an inverter's or a battery's endpoint: then inverter-writer reads it."""
        if not isinstance(self.meter, ModbusMeter):
            return False
        written = (*self.modbus_inverters, *self.modbus_batteries)
        return address_of(self.meter) in {address_of(device) for device in written}
