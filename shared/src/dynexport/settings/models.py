"""The shape of `site.yaml`: one file for the whole site, each service reads its sections."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from dynexport.modbus.address import address_of
from dynexport.settings.base import ClockTime, Identifier, Section, Serial, Tcp, Watts, Whole
from dynexport.settings.devices import Battery, SunSpecInverter, Uncontrolled
from dynexport.settings.limits import AgreementSection, Fallback, Source
from dynexport.settings.meters import Meter, MeterFields, MqttMeter, SunSpecMeter
from dynexport.settings.sections import ControlSection, MqttSection, SiteSection
from dynexport.settings.simulator import SimulatorSection

__all__ = [
    "AgreementSection",
    "Battery",
    "ControlSection",
    "Fallback",
    "Meter",
    "MeterFields",
    "MqttMeter",
    "MqttSection",
    "Serial",
    "SimulatorSection",
    "Site",
    "SiteSection",
    "Source",
    "SunSpecInverter",
    "SunSpecMeter",
    "TariffSection",
    "TariffWindow",
    "Tcp",
    "Uncontrolled",
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
    inverters: tuple[SunSpecInverter, ...] = Field(min_length=1, max_length=20, description="The inverters.")
    batteries: tuple[Battery, ...] = Field(default=(), description="The batteries.")
    uncontrolled: tuple[Uncontrolled, ...] = Field(default=(), description="What does not obey us.")
    sources: dict[Identifier, Source] = Field(default={}, description="The limit sources that count.")
    control: ControlSection = Field(default=ControlSection(), description="Whether and how we write.")
    tariff: TariffSection | None = Field(default=None, description="Limits by the time of day.")
    simulator: SimulatorSection | None = Field(default=None, description="Only for a simulated site.")

    @property
    def rated_w(self) -> float:
        """The sum of the inverters' ratings, watts."""
        return sum(inverter.rated_w for inverter in self.inverters)

    @property
    def meter_behind_inverter(self) -> bool:
        """Whether the meter shares an inverter's endpoint: then inverter-writer reads it."""
        if not isinstance(self.meter, SunSpecMeter):
            return False
        return address_of(self.meter) in {address_of(inverter) for inverter in self.inverters}
