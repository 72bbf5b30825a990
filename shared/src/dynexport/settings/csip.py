"""The distributor's utility server in `site.yaml` (CSIP-AUS, IEEE 2030.5)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from dynexport.settings.base import Number, Rating, Section, Whole

Mode = Literal["export", "generation", "import", "load"]
Report = Literal["minimum_maximum", "frequency", "power_per_phase"]


def _https(address: str) -> str:
    if not address.startswith("https://") or len(address) < len("https://x"):
        raise ValueError("must be the server's address, for example https://utility.example:443")
    return address.rstrip("/")


PowerFactor = Annotated[Number, Field(gt=0, le=1)]


class CsipRatings(Section):
    """What the inverters' nameplates do not tell and a utility may want: of all of them together."""

    max_var: Rating | None = Field(
        default=None, description="rtgMaxVar and setMaxVar, var; left out: the sum that the inverters tell."
    )
    max_var_neg: Rating | None = Field(
        default=None, description="rtgMaxVarNeg and setMaxVarNeg, var, without its sign; left out: not told."
    )
    min_pf_over: PowerFactor | None = Field(
        default=None, description="rtgMinPFOverExcited and setMinPFOverExcited; left out: not told."
    )
    min_pf_under: PowerFactor | None = Field(
        default=None, description="rtgMinPFUnderExcited and setMinPFUnderExcited; left out: not told."
    )


class CsipSection(Section):
    """Who we are to the distributor's server, and how it is reached; its fallback stands in `sources.csip`."""

    server: Annotated[str, AfterValidator(_https)] = Field(
        description="Address of the server, for example https://utility.example:443."
    )
    dcap_path: str = Field(
        default="/dcap",
        pattern=r"^/\S*$",
        description="Where its device capability is, for versions before 1.3.",
    )
    version: Literal["auto", "1.2", "1.3"] = Field(
        default="auto",
        description="CSIP-AUS version; `auto` asks the server, and takes 1.2 where it does not say.",
    )
    cert: str = Field(
        description="Our certificate with its chain, PEM; a relative path starts where `site.yaml` is."
    )
    key: str = Field(description="Its private key, PEM, readable by its owner only.")
    ca: str = Field(
        description="The utility's root certificates, PEM; the server is always verified against them."
    )
    check_hostname: bool = Field(
        default=True,
        description="false: for a server whose certificate names another host; its chain is verified.",
    )
    ciphers: str | None = Field(
        default=None,
        description="OpenSSL's cipher list, for a server that has neither of the two of IEEE 2030.5.",
    )
    pen: Annotated[Whole, Field(ge=1, le=99_999_999)] = Field(
        description="Private enterprise number of the maker, the end of every mRID that we make."
    )
    pin: Annotated[Whole, Field(ge=0, le=999_999)] | None = Field(
        default=None,
        description="The PIN that the distributor gave, check digit included; another one stops us.",
    )
    nmi: str | None = Field(
        default=None,
        min_length=1,
        max_length=32,
        description="The connection point's NMI, told when the server asks.",
    )
    device_category: Annotated[Whole, Field(ge=0, le=0xFFFFFFFF)] | None = Field(
        default=None, description="Left out: 0x200000 for solar, 0x800000 with a battery."
    )
    modes: tuple[Mode, ...] = Field(
        default=("export", "generation"),
        min_length=1,
        description="The limits that this site obeys, as declared.",
    )
    set_grad_w: Annotated[Whole, Field(ge=0, le=65535)] = Field(
        default=27,
        description="setGradW where the server gives none, hundredths of a percent of setMaxW a second.",
    )
    ramp_between_controls: bool = Field(
        default=False, description="true: setGradW also from one control to the next (Energy Queensland)."
    )
    reconnect_slowly: bool = Field(
        default=True,
        description="After a disconnection 60 s of nothing, then 16.67 % a minute; false: the inverter's.",
    )
    ratings: CsipRatings | None = Field(
        default=None, description="Ratings that are told to the utility beside those of the nameplates."
    )
    mup_layout: Literal["role", "reading"] = Field(
        default="role",
        description="A MirrorUsagePoint for site and DER each, or one per reading type (SAPN's 2023 rules).",
    )
    report_also: tuple[Report, ...] = Field(
        default=(),
        description="What is reported beside the averages of active and reactive power and of voltage.",
    )
