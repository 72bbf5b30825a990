"""What makes power at the site: inverters that obey, batteries, and what does not obey."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from dynexport.settings.base import Identifier, Number, Rating, Section, Tcp, Whole


class SunSpecInverter(Section):
    """A SunSpec inverter (models 101-103, 111-113 or 701, limited through 704 or 123) over Modbus TCP."""

    id: Identifier = Field(description="Its name in topics.")
    driver: Literal["sunspec"] = Field(description="`sunspec`: read and limited over Modbus TCP.")
    tcp: Tcp = Field(description="Where it answers.")
    unit: Whole = Field(default=1, ge=0, le=247, description="Modbus unit id.")
    rated_w: Rating = Field(description="Rated power, watts; compared with what the device says.")
    phase: Literal["a", "b", "c", "abc"] = Field(default="abc", description="The phase it feeds.")
    poll_s: Number = Field(default=0.5, ge=0.2, le=5, description="Seconds between reads.")
    min_limit_pct: Number = Field(
        default=0, ge=0, le=50, description="Below this it goes to standby; less is written as 0 %."
    )
    can_limit_to_zero: bool = Field(
        default=True, description="false: an inverter that cannot do 0 %; it is disconnected instead."
    )
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
