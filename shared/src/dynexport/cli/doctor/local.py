"""Checks that need no broker: site.yaml, secrets on disk, the clock."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from dynexport import wallclock
from dynexport.cli.doctor.finding import Finding, doubt, ok, wrong
from dynexport.settings.models import Site
from dynexport.settings.problems import Problem

OTHERS_READ = stat.S_IROTH


def settings(path: Path, doubts: list[Problem]) -> list[Finding]:
    """site.yaml can be used; its doubts are ours."""
    found = [doubt("site.yaml", str(problem), "mend it, or leave it if it is meant so") for problem in doubts]
    return found or [ok("site.yaml", f"{path} makes sense")]


def unusable(problems: list[Problem]) -> list[Finding]:
    """site.yaml cannot be used."""
    return [wrong("site.yaml", str(problem), "mend it, then `dynexport check`") for problem in problems]


def secrets(path: Path, site: Site) -> list[Finding]:
    """No file with a secret is readable by everybody on this machine."""
    files = [path.parent / name for name in secret_files(site.model_dump())]
    if site.mqtt.password is not None and site.mqtt.password_file is None:
        files.append(path)
    found = [finding for file in files if (finding := _mode(file))]
    if found or not files:
        return found
    return [ok("secrets", "the files that hold passwords are not readable by everybody")]


def secret_files(settings: Any) -> Iterator[str]:
    """Every `…_file` setting that is set."""
    for key, value in settings.items() if isinstance(settings, dict) else ():
        if key.endswith("_file") and isinstance(value, str):
            yield value
        yield from secret_files(value)
    for value in settings if isinstance(settings, list | tuple) else ():
        yield from secret_files(value)


def _mode(file: Path) -> Finding | None:
    try:
        mode = file.stat().st_mode
    except OSError:  # a password from the environment: the file counts for nothing
        return None
    if not mode & OTHERS_READ:
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
