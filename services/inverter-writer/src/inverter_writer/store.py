"""What is remembered of one inverter, in a file that a power cut leaves whole: the old one or the new one."""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from inverter_writer.found import Record

RECORD: TypeAdapter[Record] = TypeAdapter(Record)


class NotReadable(Exception):
    """A file is there and says nothing that can be used; the text says which and why."""


class Store:
    """`<state_dir>/inverter-writer/<id>.json`."""

    def __init__(self, state_dir: Path, inverter: str) -> None:
        self.path = state_dir / "inverter-writer" / f"{inverter}.json"

    def load(self) -> Record | None:
        """What was stored; None when nothing was; raises NotReadable."""
        try:
            return RECORD.validate_json(self.path.read_bytes())
        except FileNotFoundError:
            return None
        except OSError as error:
            raise NotReadable(f"{self.path} cannot be read: {error.strerror}") from None
        except ValidationError as error:
            raise NotReadable(f"{self.path} is damaged: {error.errors()[0]['msg']}") from None

    def save(self, record: Record) -> None:
        """On the disk when it returns; raises OSError."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        beside = self.path.with_suffix(".new")
        with beside.open("wb") as file:
            file.write(RECORD.dump_json(record))
            file.flush()
            os.fsync(file.fileno())
        beside.replace(self.path)
        folder = os.open(self.path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
