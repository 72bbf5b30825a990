"""The resources that we read, as far as we need them: IEEE 2030.5's own names, raw values, links as hrefs."""

from __future__ import annotations

from dataclasses import dataclass

DEFAULT_POLL_S = 900  # sep.xsd: pollRate where it is not given


@dataclass(frozen=True, slots=True)
class DeviceCapability:
    """Where everything begins."""

    pollRate: int
    TimeLink: str | None
    EndDeviceListLink: str | None
    MirrorUsagePointListLink: str | None


@dataclass(frozen=True, slots=True)
class Time:
    """The server's clock; quality 7 is uncoordinated."""

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
    """Us, as the server has registered us."""

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
    """The PIN that the server has for us."""

    pIN: int | None
    pollRate: int


@dataclass(frozen=True, slots=True)
class FunctionSetAssignments:
    """A group of programs that applies to us."""

    href: str | None
    mRID: str | None
    DERProgramListLink: str | None
    TimeLink: str | None


@dataclass(frozen=True, slots=True)
class DERProgram:
    """A party that may control us; the lower primacy wins."""

    href: str | None
    mRID: str | None
    primacy: int
    DefaultDERControlLink: str | None
    DERControlListLink: str | None


@dataclass(frozen=True, slots=True)
class DER:
    """Where our capability, settings and status go."""

    href: str | None
    DERCapabilityLink: str | None
    DERSettingsLink: str | None
    DERStatusLink: str | None


@dataclass(frozen=True, slots=True)
class MirrorUsagePoint:
    """Where our readings go, and how often they are wanted."""

    href: str | None
    mRID: str | None
    postRate: int | None
