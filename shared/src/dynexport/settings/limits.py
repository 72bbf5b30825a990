"""Who may limit the site: the connection agreement and the limit sources."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from dynexport.settings.base import Number, Section, Watts


class AgreementSection(Section):
    """The connection agreement: limits that never go stale."""

    export_limit_w: Watts = Field(description="What the site may export at most, watts.")
    failsafe_export_limit_w: Watts = Field(
        description="What it may export when something has failed, watts; many agreements say 1500."
    )
    export_limit_per_phase_w: Watts | None = Field(
        default=None,
        description="What no phase may export above, watts. With three phases the meter must measure each, and each "
        "inverter says its `phase`.",
    )
    generation_limit_w: Watts | None = Field(
        default=None, description="What all generation may make together, watts."
    )
    import_limit_w: Watts | None = Field(default=None, description="What the site may import at most, watts.")
    load_limit_w: Watts | None = Field(default=None, description="What the site may consume at most, watts.")


class Fallback(Section):
    """What an obligation means while it is silent; what is not given does not limit."""

    export_limit_w: Watts | None = Field(default=None, description="Export at most, watts.")
    generation_limit_w: Watts | None = Field(default=None, description="Generation at most, watts.")
    import_limit_w: Watts | None = Field(default=None, description="Import at most, watts.")
    load_limit_w: Watts | None = Field(default=None, description="Consumption at most, watts.")
    connect: Literal[False] | None = Field(default=None, description="false: disconnect the inverters.")
    energize: Literal[False] | None = Field(default=None, description="false: target 0 and disconnect.")


class Source(Section):
    """A limit source that counts; one that is not listed has no effect."""

    kind: Literal["obligation", "preference"] = Field(
        description="`obligation`: silence means its fallback; `preference`: silence means nothing."
    )
    fallback: Fallback | None = Field(default=None, description="Required for an obligation.")
    max_ttl_s: Number | None = Field(
        default=None, gt=0, le=31 * 86400,
        description="The longest `ttl_s` it may ask for, seconds; without it 300 (obligation), 86400 (preference).",
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
