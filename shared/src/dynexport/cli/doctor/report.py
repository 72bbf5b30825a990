"""A bug report that may be shown to anybody: versions, settings, findings and the last messages, redacted."""

from __future__ import annotations

import json
import os
import platform
import sys
from collections import defaultdict, deque
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from dynexport import CONTRACT_VERSION, __version__
from dynexport.cli.doctor.finding import Finding
from dynexport.cli.doctor.redact import Redactor
from dynexport.cli.hearing import Heard
from dynexport.clock import rfc3339
from dynexport.messages import Info, Message
from dynexport.ports import RawReceived

PACKAGES = ("paho-mqtt", "pymodbus", "pysunspec2", "pydantic", "ruamel.yaml", "typer")
LAST_OF_EACH = 3
LISTENS_FOR_S = 15.0
HEAD = """\
A bug report of Dynexport. Passwords, tokens, addresses and names of machines were taken out of it, and serial
numbers shortened. Read it before you send it.
"""


def report(
    now: datetime,
    settings: Mapping[str, Any],
    findings: Sequence[Finding],
    heard: Heard,
    mono: float,
    redact: Redactor,
) -> str:
    """The whole text."""
    parts = [HEAD, *_machine(now)]
    parts += ["", "## Findings", "", *(redact.text(line) for line in lines(findings))]
    shown = json.dumps(redact.data(settings), indent=1, ensure_ascii=False, default=str)
    parts += ["", "## Settings", "", redact.text(shown)]
    parts += ["", f"## The last {LAST_OF_EACH} messages of each topic", "", *_messages(heard, mono, redact)]
    dropped = [redact.text(f"{one.kind} {one.path}: {one.detail}") for one in heard.dropped[-50:]]
    parts += ["", "## Messages that were refused", "", *(dropped or ["none"])]
    return "\n".join(parts) + "\n"


def lines(findings: Sequence[Finding]) -> Iterator[str]:
    """Each finding, and what to do on a line of its own."""
    for finding in findings:
        yield f"{finding.verdict.value:6} {finding.about}: {finding.sentence}"
        if finding.advice:
            yield f"       -> {finding.advice}"


def _machine(now: datetime) -> list[str]:
    """What runs where; of the environment only the names."""
    ours = sorted(name for name in os.environ if name.startswith("DYNEXPORT"))
    return [
        f"time:       {rfc3339(now)}",
        f"dynexport:  {__version__}, contract {CONTRACT_VERSION}",
        f"python:     {platform.python_version()} ({sys.implementation.name})",
        f"system:     {platform.system()} {platform.release()} {platform.machine()}, {os.cpu_count()} processors",
        f"packages:   {', '.join(f'{name} {_version(name)}' for name in PACKAGES)}",
        f"variables:  {', '.join(ours) or 'none'}",
    ]


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "missing"


def _messages(heard: Heard, mono: float, redact: Redactor) -> Iterator[str]:
    last: dict[str, deque[str]] = defaultdict(lambda: deque(maxlen=LAST_OF_EACH))
    for one in heard.messages:
        age = f"{mono - one.mono:5.1f} s ago{', stored' if one.retained else ''}"
        if isinstance(one, RawReceived):
            last[one.path].append(f"{age}: {_payload(one.payload.decode(errors='replace'), redact)}")
            continue
        body = _body(one.message)
        last[one.topic.path("", *one.ids).removeprefix("/")].append(f"{age}: {_payload(body, redact)}")
    if not last:
        yield "none"
    for path in sorted(last):
        yield redact.text(path)
        yield from (f"  {line}" for line in last[path])


def _body(message: Message | str | None) -> str:
    """As on the wire; a service's settings are those above."""
    if isinstance(message, Info):
        message = message.model_copy(update={"settings": {}})
    return message.to_payload().decode() if isinstance(message, Message) else str(message)


def _payload(body: str, redact: Redactor) -> str:
    try:
        data = json.loads(body)
    except ValueError:
        return redact.text(body)
    return redact.text(json.dumps(redact.data(data), ensure_ascii=False))
