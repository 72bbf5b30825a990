"""Site meters that answer by HTTP."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, SecretStr, model_validator

from dynexport.settings.base import Host, Number, Port, Section


class PowerwallMeter(Section):
    """The site meter of a Tesla Powerwall 2 or 3, by its gateway on the local network."""

    driver: Literal["powerwall"] = Field(description="`powerwall`: a Tesla Powerwall's local gateway.")
    host: Host = Field(description="Name or address of the gateway.")
    port: Port = Field(default=443, description="Its HTTPS port.")
    password: Annotated[SecretStr, Field(min_length=1)] | None = Field(
        default=None,
        description="The customer's password (often the last five characters of the gateway's own); better in a "
        "`password_file` or in the environment.",
    )
    password_file: str | None = Field(
        default=None,
        description="A file that holds the password; a relative path starts where `site.yaml` is.",
    )
    email: str = Field(
        default="", max_length=200, description="The customer's e-mail address; most gateways take any."
    )
    location: Literal["feed_in"] = Field(default="feed_in", description="It sits at the grid connection.")
    poll_s: Number = Field(
        default=2.0, ge=1, le=10,
        description="Seconds between reads. Over 1 s the times promised in docs/safety.md grow with it.",
    )  # fmt: skip

    @model_validator(mode="after")
    def _has_a_password(self) -> Self:
        if self.password is None and self.password_file is None:
            raise ValueError("the gateway asks for a password: name a file that holds it as `password_file`")
        return self

    @property
    def secret(self) -> str:
        """The password, as it was given or stands in its file; empty before the file was read."""
        return self.password.get_secret_value() if self.password is not None else ""


class SolarApiMeter(Section):
    """A Fronius Smart Meter, by the Solar API of its inverter or Datamanager."""

    driver: Literal["solar_api"] = Field(description="`solar_api`: a Fronius inverter's Solar API.")
    host: Host = Field(description="Name or address of the inverter.")
    port: Port = Field(default=80, description="Its HTTP port.")
    location: Literal["feed_in"] = Field(default="feed_in", description="It sits at the grid connection.")
    poll_s: Number = Field(default=1.0, ge=0.5, le=5, description="Seconds between reads.")


WebMeter = PowerwallMeter | SolarApiMeter
