"""What the lanes tell the service, in order: it decides, stores and publishes; the lanes only ask and report."""

from __future__ import annotations

from dataclasses import dataclass

from csip_client.model import Assignments
from csip_client.registration import Standing


@dataclass(frozen=True, slots=True)
class Contact:
    """An exchange worked (`error` None) or did not."""

    error: str | None = None


@dataclass(frozen=True, slots=True)
class TimeKnown:
    """The server's clock is ours plus `offset_s`."""

    offset_s: float


@dataclass(frozen=True, slots=True)
class Stands:
    """What we are to the server now; `afresh`: the server took our registration as a new one."""

    standing: Standing
    afresh: bool = False


@dataclass(frozen=True, slots=True)
class Links:
    """Where reports go; None: the server has no such thing for us."""

    der_list: str | None
    mirrors: str | None


@dataclass(frozen=True, slots=True)
class Gone:
    """What was reported to is no longer where it was: everything is to be discovered anew."""


@dataclass(frozen=True, slots=True)
class Walked:
    """The programs and controls that are listed for us, as of `at`: server's seconds when they were asked for."""

    assignments: Assignments
    at: float


@dataclass(frozen=True, slots=True)
class Odd:
    """Something worth an event, in words; `code` names it for programs."""

    code: str
    text: str


News = Contact | TimeKnown | Stands | Links | Gone | Walked | Odd
