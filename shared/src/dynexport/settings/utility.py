"""The simulated utility server in `site.yaml`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from dynexport.settings.base import Section, Watts, Whole


class UtilitySection(Section):
    """A utility server for the demo and for tests, told what to do by `dynexport utility`; `csip` names it."""

    host: str = Field(default="127.0.0.1", description="The address at which it listens.")
    name: str = Field(
        default="localhost",
        min_length=1,
        description="The name by which its client reaches it, as in its certificate.",
    )
    port: Annotated[Whole, Field(ge=1, le=65535)] = Field(default=8443, description="The port.")
    folder: str = Field(
        default="utility",
        description="Holds ca.pem, server.pem, server.key, expired.pem, expired.key and client.pem, "
        "as `python -m dynexport.testing.pki` makes them; a relative path starts where `site.yaml` is.",
    )
    version: Literal["1.2", "1.3"] = Field(default="1.2", description="CSIP-AUS version.")
    poll_s: Annotated[Whole, Field(ge=5, le=3600)] = Field(
        default=5, description="How often the client is to ask, seconds."
    )
    post_s: Annotated[Whole, Field(ge=60, le=3600)] = Field(
        default=60, description="How often it is to report readings, seconds."
    )
    export_limit_w: Watts = Field(default=5000, description="What its default control allows to export.")
