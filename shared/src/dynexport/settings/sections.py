"""The site itself, its broker, and whether we write."""

from __future__ import annotations

import difflib
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from pydantic import AfterValidator, Field, SecretStr

from dynexport.settings.base import Number, Port, Section


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        near = difflib.get_close_matches(name, sorted(available_timezones()), n=1)
        raise ValueError(f"no such time zone; for example {(near or ['Australia/Adelaide'])[0]}") from None
    return name


class SiteSection(Section):
    """The site itself."""

    name: str = Field(default="Home", description="What the site is called on pages and in events.")
    time_zone: Annotated[str, AfterValidator(_known_zone)] = Field(
        description="The site's time zone by its IANA name; the machine's own is never used."
    )
    phases: Literal[1, 3] = Field(default=1, description="Phases of the grid connection.")
    clock: Literal["auto", "trusted"] = Field(
        default="auto",
        description="`trusted` for a machine whose clock is known to be right; `auto` asks the kernel.",
    )
    state_dir: str = Field(
        default="state",
        description="Folder for what must survive a restart; a relative path starts where `site.yaml` is.",
    )  # fmt: skip

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
    username: str | None = Field(
        default=None,
        description="The broker's user for all; left out, each service is its own that `dynexport init` made.",
    )
    password: SecretStr | None = Field(
        default=None, description="Its password; better in a `password_file` or in the environment."
    )
    password_file: str | None = Field(
        default=None,
        description="A file that holds the password; a relative path starts where `site.yaml` is.",
    )


class ControlSection(Section):
    """Whether and how inverters are written to."""

    enabled: bool = Field(
        default=False, description="false: nothing is written; the stack shows what it would do."
    )
    up_ramp_pct_per_s: Number = Field(
        default=20, gt=0, le=100, description="How fast generation may rise, percent of rating a second."
    )
    headroom_pct: Number = Field(
        default=10, ge=1, le=100,
        description="How far above its use an inverter that cannot use its share is held, percent of rating.",
    )  # fmt: skip
    on_stop: Literal["failsafe", "hold", "release"] = Field(
        default="failsafe", description="What a stopped writer leaves in the inverter."
    )
