"""What every entry of `inverters` has."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from dynexport.settings.base import Identifier, Number, Rating, Section

Phase = Literal["a", "b", "c", "abc"]


class InverterSection(Section):
    """What every inverter has, whatever it is read and limited by."""

    id: Identifier = Field(description="Its name in topics.")
    rated_w: Rating = Field(description="Rated power, watts; compared with what the device says.")
    phase: Phase = Field(default="abc", description="The phase it feeds.")
    min_limit_pct: Number = Field(
        default=0, ge=0, le=50, description="Below this it goes to standby; less is written as 0 %."
    )
    can_limit_to_zero: bool = Field(
        default=True, description="false: an inverter that cannot do 0 %; it is disconnected instead."
    )
