"""Checks that need no broker: site.yaml, secrets on disk, the clock."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from dynexport import wallclock
from dynexport.access import PEOPLE, SERVICES, AccessError, users
from dynexport.access import acl as rights_to_acl
from dynexport.access.store import ACL, PASSWD, SECRETS, USERS
from dynexport.cli.doctor.finding import Finding, doubt, ok, wrong
from dynexport.settings.models import PowerwallMeter, Site
from dynexport.settings.problems import Problem


def settings(path: Path, doubts: list[Problem]) -> list[Finding]:
    """site.yaml can be used; its doubts are ours."""
    found = [doubt("site.yaml", str(problem), "mend it, or leave it if it is meant so") for problem in doubts]
    return found or [ok("site.yaml", f"{path} makes sense")]


def missing(path: Path) -> Finding:
    """There is no site.yaml."""
    return wrong("site.yaml", f"{path} is not there", "`dynexport setup` writes one")


def unusable(problems: list[Problem]) -> list[Finding]:
    """site.yaml cannot be used."""
    return [wrong("site.yaml", str(problem), "mend it, then `dynexport check`") for problem in problems]


def secrets(path: Path, site: Site, folder: Path) -> list[Finding]:
    """No file with a secret is readable by everybody on this machine; `folder` is that of the broker's users."""
    files = [path.parent / name for name in secret_files(site.model_dump())]
    gateway = isinstance(site.meter, PowerwallMeter) and site.meter.password_file is None
    if gateway or (site.mqtt.password is not None and site.mqtt.password_file is None):
        files.append(path)
    files += [folder / SECRETS / name for name in (*SERVICES, *PEOPLE)] + [folder / PASSWD, folder / USERS]
    found = [finding for file in files if (finding := _mode(file))]
    if found or not any(file.exists() for file in files if _may_look(file)):
        return found
    return [ok("secrets", "the files that hold passwords are not readable by everybody")]


def acl(site: Site, folder: Path) -> list[Finding]:
    """The broker's access list is that of this version and this site.yaml."""
    if not (folder / ACL).exists():
        return []
    try:
        same = (folder / ACL).read_text(encoding="utf-8") == rights_to_acl(users(folder, site))
    except (AccessError, OSError):  # the broker's own files: then only the round trip tells
        return []
    if same:
        return [ok("access", "the broker's access list is that of this version and site.yaml")]
    sentence = f"{folder / ACL} is not that of this version and site.yaml"
    return [doubt("access", sentence, "`dynexport init` writes it anew; then let the broker read it again")]


def secret_files(settings: Any) -> Iterator[str]:
    """Every `…_file` setting that is set."""
    for key, value in settings.items() if isinstance(settings, dict) else ():
        if key.endswith("_file") and isinstance(value, str):
            yield value
        yield from secret_files(value)
    for value in settings if isinstance(settings, list | tuple) else ():
        yield from secret_files(value)


def _may_look(file: Path) -> bool:
    return os.access(file.parent, os.X_OK)


def _mode(file: Path) -> Finding | None:
    """A file counts as open when everybody may read it and pass its folder."""
    try:
        mode, above = file.stat().st_mode, file.parent.stat().st_mode
    except OSError:  # not there, or not for us to see
        return None
    if not mode & stat.S_IROTH or not above & stat.S_IXOTH:
        return None
    sentence = f"{file} holds a secret, and everybody on this machine can read it"
    return wrong("secrets", sentence, f"`chmod 600 {file}`")


def clock(now: datetime, setting: str) -> Finding:
    """Whether timed entries count: contract.md, "Clocks"."""
    if not wallclock.trusted(now, setting):
        return wrong(
            "clock",
            "the clock cannot be trusted: timed limits count as unknown",
            "switch on time synchronisation: `timedatectl set-ntp true`, and see that port 123 (UDP) is open",
        )
    if wallclock.kernel_says_synchronised():
        return ok("clock", "the clock is synchronised")
    why = (
        "site.clock says `trusted`" if setting == "trusted" else "there is a hardware clock, so it is trusted"
    )
    return doubt(
        "clock",
        f"the kernel does not say that the clock is synchronised; {why}",
        "`timedatectl` shows why: messages whose stamps are off by more than 5 s are refused",
    )
