"""The pinned certificates, in a file that a power cut leaves whole."""

from __future__ import annotations

import json
import os
from pathlib import Path


class NotReadable(Exception):
    """The file is there and says nothing that can be used; the text says why."""


class Pins:
    """`{"192.0.2.10:443": "<SHA-256>"}`, a line each, so that an owner can take one out."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def get(self, place: str) -> str | None:
        """What is pinned for `host:port`; None when nothing is. Raises NotReadable."""
        return self._all().get(place)

    def put(self, place: str, pin: str) -> None:
        """On the disk when it returns; raises OSError, and NotReadable."""
        pins = {**self._all(), place: pin}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        beside = self.path.with_suffix(".new")
        with beside.open("w", encoding="utf-8") as file:
            file.write(json.dumps(pins, indent=1) + "\n")
            file.flush()
            os.fsync(file.fileno())
        beside.replace(self.path)
        folder = os.open(self.path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def _all(self) -> dict[str, str]:
        try:
            found = json.loads(self.path.read_bytes())
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise NotReadable(f"{self.path} cannot be read: {error.strerror}") from error
        except ValueError as error:
            raise NotReadable(f"{self.path} is not JSON") from error
        if not isinstance(found, dict) or not all(isinstance(pin, str) for pin in found.values()):
            raise NotReadable(f"{self.path} holds no list of pins")
        return found
