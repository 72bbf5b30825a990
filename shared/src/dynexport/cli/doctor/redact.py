"""Takes out of a text what must not leave the house: secrets, addresses, names of machines, serial numbers."""

from __future__ import annotations

import getpass
import json
import platform
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from pydantic import SecretStr

from dynexport.cli.doctor.local import secret_files

STARS = "***"
SECRET_NAME = re.compile(
    r"pass?w|secret|token|credential|private|api_?key|(^|_)(key|pin|lfdi|sfdi)$", re.IGNORECASE
)
SITE_NAME = "site.name"
PERSON_NAME = re.compile(r"(^|_)(user|username|login|client_id)$", re.IGNORECASE)
HOST_NAME = re.compile(r"(^|_)(host|hostname|address|url|server|broker|topic)$", re.IGNORECASE)
SERIAL_NAME = re.compile(r"serial", re.IGNORECASE)
SHORTEST_SECRET, SHORTEST_NAME, SHORTEST_SERIAL = 3, 4, 6
LOOPBACK = ("localhost", "127.0.0.1", "::1", "0.0.0.0")
PATTERNS = (
    (re.compile(r"-----BEGIN [^-]+-----.*?(-----END [^-]+-----|\Z)", re.DOTALL), STARS),
    (re.compile(r"(?<=://)[^/\s@]+@"), f"{STARS}@"),
    (re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]+"), rf"\1 {STARS}"),
    (re.compile(r"[\w.+-]+@[\w-]+(\.[\w-]+)+"), "<mail>"),
    (re.compile(r"\b(?!127\.|0\.0\.0\.0)(\d{1,3}\.){3}\d{1,3}\b"), "<address>"),
    (re.compile(r"(?<![\w:])(?!::1\b)[0-9a-f]{0,4}(:[0-9a-f]{0,4}){3,7}(?![\w:])", re.IGNORECASE), "<address>"),
    (re.compile(r"\b[0-9a-f]{2}([:-][0-9a-f]{2}){5}\b", re.IGNORECASE), "<mac>"),
    (re.compile(r"(?<![0-9a-z])(?=[0-9a-f]*\d)(?=[0-9a-f]*[a-f])[0-9a-f]{12}(?![0-9a-z])", re.IGNORECASE), "<mac>"),
    (re.compile(r"(?<=/by-id/)[^\s\"',}]+"), STARS),
    (re.compile(r"(?<=/home/)[^/\s]+"), STARS),
)  # fmt: skip


class Redactor:
    """Knows what this site's secrets, hosts and serial numbers are, and finds the usual shapes of others."""

    def __init__(self, secrets: Iterable[str], hosts: Iterable[str], serials: Iterable[str]) -> None:
        self._words: dict[str, str] = {}
        for number, host in enumerate(sorted({host for host in hosts if _worth_hiding(host)}), start=1):
            self._words[host] = f"<name {number}>"
        for serial in serials:
            if len(serial) >= SHORTEST_SERIAL:
                self._words[serial] = shortened(serial)
        for secret in secrets:
            self._words |= {form: STARS for form in _forms(secret) if len(form) >= SHORTEST_SECRET}

    def text(self, text: str) -> str:
        """The text without them; the longest words first, so that no part of a longer one stays."""
        for word in sorted(self._words, key=len, reverse=True):
            text = text.replace(word, self._words[word])
        for pattern, instead in PATTERNS:
            text = pattern.sub(instead, text)
        return text

    def data(self, value: Any, name: str = "") -> Any:
        """Settings or a payload without them, also by the names of their keys."""
        if isinstance(value, dict):
            called = f"{name}." if name == "site" else ""  # what the site is called may be its street
            return {self.text(str(key)): self.data(inner, f"{called}{key}") for key, inner in value.items()}
        if isinstance(value, list | tuple):
            return [self.data(inner, name) for inner in value]
        if value is None or isinstance(value, bool):
            return value
        if name == SITE_NAME or SECRET_NAME.search(name) or PERSON_NAME.search(name):
            return STARS
        if not isinstance(value, str):
            return value
        if SERIAL_NAME.search(name):
            return shortened(value)
        if HOST_NAME.search(name) and value not in LOOPBACK:
            return self._words.get(value, "<name>")
        return self.text(value)


def shortened(serial: str) -> str:
    """The last two characters of a serial number: enough to tell two devices apart."""
    return f"…{serial[-2:]}" if len(serial) >= SHORTEST_SERIAL else "…"


def redactor(
    settings: Mapping[str, Any], folder: Path, env: Mapping[str, str], serials: Iterable[str]
) -> Redactor:
    """For a site: what its settings (raw, or a dumped model), their `…_file`s and the environment hold."""
    secrets = [*_named(settings, SECRET_NAME), *_in_files(settings, folder)]
    secrets += [value for name, value in env.items() if value and SECRET_NAME.search(name)]
    hosts = [*_named(settings, HOST_NAME), platform.node(), platform.node().partition(".")[0], _user()]
    hosts += [value for name, value in env.items() if value and HOST_NAME.search(name)]
    return Redactor(secrets, hosts, [*serials, *_named(settings, SERIAL_NAME)])


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        return ""


def _worth_hiding(host: str) -> bool:
    return len(host) >= SHORTEST_NAME and host not in (*LOOPBACK, "root", "dynexport", "mosquitto", "broker")


def _named(value: Any, name: re.Pattern[str], key: str = "") -> Iterator[str]:
    if isinstance(value, dict):
        for inner_key, inner in value.items():
            yield from _named(inner, name, str(inner_key))
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _named(inner, name, key)
    elif value is not None and not isinstance(value, bool) and name.search(key) and not key.endswith("_file"):
        yield value.get_secret_value() if isinstance(value, SecretStr) else str(value)


def _in_files(settings: Mapping[str, Any], folder: Path) -> Iterator[str]:
    for name in secret_files(settings):
        try:
            text = (folder / name).read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        yield text.strip()
        yield from (line.strip() for line in text.splitlines())


def _forms(secret: str) -> set[str]:
    """A secret as it may stand in a text: plain, as JSON, as Python shows it, in a URL."""
    escaped = [json.dumps(secret, ensure_ascii=ascii_only)[1:-1] for ascii_only in (True, False)]
    return {secret, *escaped, repr(secret)[1:-1], quote(secret)}
