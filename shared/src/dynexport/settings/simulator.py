"""The simulated site in `site.yaml`."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from dynexport.settings.base import Number, Section, Watts, Whole

Share = Annotated[Number, Field(ge=0, le=100)]


class SimulatorSection(Section):
    """The simulated site behind the Modbus endpoints that `meter` and `inverters` name; loopback only."""

    sun: Literal["day", "script"] = Field(
        default="day", description="A day's profile, or what faults/steps say."
    )
    speed: Number = Field(default=1, gt=0, le=3600, description="How fast the simulated day passes.")
    start_hour: Number = Field(default=9, ge=0, lt=24, description="Hour of the simulated day at start.")
    available_pct: Number = Field(
        default=100, ge=0, le=100, description="Sun with `script`, percent of rating."
    )
    load_w: Watts = Field(default=500, description="House load with `script`.")
    load_share_pct: tuple[Share, Share, Share] | None = Field(
        default=None,
        description="With three phases: the parts of a, b and c in the house load, percent; without it evenly.",
    )
    tau_s: Number = Field(default=1.0, gt=0, le=30, description="Inverter's first-order lag.")
    dead_time_s: Number = Field(default=0, ge=0, le=30, description="Inverter's dead time.")
    gain: Number = Field(default=1.0, gt=0.5, lt=1.5, description="Scale error of the inverter's limit.")
    meter_noise_w: Watts = Field(default=8, description="Standard deviation of the meter.")
    meter_refresh_s: Number = Field(
        default=0, ge=0, le=10, description="Meter's own refresh; 0: at every read."
    )
    meter_latency_s: Number = Field(default=0, ge=0, le=10, description="Meter's own delay.")
    map: Literal["integer", "float", "der"] = Field(
        default="integer",
        description="SunSpec 103 and 203, or 113 and 213; `der`: 701 to 704, and 203 for the meter.",
    )
    images: dict[str, str] = Field(
        default={},
        description="Which image to serve for `driver: registers` where `device` names none, by the inverter's id or "
        "`meter`.",
    )
    seed: Whole = Field(default=1, description="Seed of the noise.")
    record: str | None = Field(
        default=None, description="A file for the true powers every 20 ms and every write, as JSON lines."
    )

    @model_validator(mode="after")
    def _shares_are_a_whole(self) -> Self:
        if self.load_share_pct is not None and abs(sum(self.load_share_pct) - 100.0) > 0.5:
            raise ValueError("load_share_pct: the three parts must sum to 100")
        return self
