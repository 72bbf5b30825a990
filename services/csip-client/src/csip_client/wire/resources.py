"""The resources that we read, as far as we need them: IEEE 2030.5's own names, raw values, links as hrefs."""

from __future__ import annotations

from dataclasses import dataclass

DEFAULT_POLL_S = 900  # sep.xsd: pollRate where it is not given


@dataclass(frozen=True, slots=True)
class DeviceCapability:
    pollRate: int  # noqa: N815
    TimeLink: str | None
    EndDeviceListLink: str | None
    MirrorUsagePointListLink: str | None


@dataclass(frozen=True, slots=True)
class Time:
    currentTime: int
    quality: int | None
    pollRate: int


@dataclass(frozen=True, slots=True)
class ListHead:
    """What every list has: how many there are, how many came, how often to ask."""

    all: int
    results: int
    pollRate: int


@dataclass(frozen=True, slots=True)
class EndDevice:
    href: str | None
    lFDI: str | None
    sFDI: int | None
    enabled: bool
    ConnectionPointLink: str | None
    DERListLink: str | None
    FunctionSetAssignmentsListLink: str | None
    RegistrationLink: str | None


@dataclass(frozen=True, slots=True)
class Registration:
    pIN: int | None
    pollRate: int


@dataclass(frozen=True, slots=True)
class FunctionSetAssignments:
    href: str | None
    mRID: str | None
    DERProgramListLink: str | None
    TimeLink: str | None


@dataclass(frozen=True, slots=True)
class DERProgram:
    href: str | None
    mRID: str | None
    primacy: int
    DefaultDERControlLink: str | None
    DERControlListLink: str | None


@dataclass(frozen=True, slots=True)
class DER:
    href: str | None
    DERCapabilityLink: str | None
    DERSettingsLink: str | None
    DERStatusLink: str | None


@dataclass(frozen=True, slots=True)
class MirrorUsagePoint:
    href: str | None
    mRID: str | None
    postRate: int | None
