"""Whose limit stands in a register that outlives a power cut: ours, or the installer's? Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated

from pydantic import Field

NO_LIMIT_PCT = 100.0
MOST_OURS = 8

Percent = Annotated[float, Field(ge=0, le=NO_LIMIT_PCT, allow_inf_nan=False)]


@dataclass(frozen=True, slots=True)
class Record:
    """What is remembered of one inverter's limit register, percents of its `max_w`.

    `device` tells it from another one in its place, empty: unknown. `ours`: the last value that we wrote; several
    while it is not known which of them arrived. `found_pct`: a limit that was not ours, `adopted` once the owner
    let it be loosened. `writes` are those of `day`.
    """

    device: str
    ours: tuple[Percent, ...] = ()
    found_pct: Percent | None = None
    adopted: bool = False
    day: str = ""
    writes: int = 0

    @property
    def most_pct(self) -> float:
        """The most that may be written."""
        return NO_LIMIT_PCT if self.found_pct is None or self.adopted else self.found_pct


def meet(record: Record | None, device: str, standing_pct: float, resolution_pct: float) -> Record:
    """What to remember after a contact that found `standing_pct` in force (100: no limit).

    What is not ours is taken for the installer's. Of two that were found the tighter one stays until it is adopted,
    and no limit at all is no word from anybody once we have written there.
    """
    if record is None or (record.device != device and record.device and device):
        record = Record(device)
    elif not record.device:
        record = replace(record, device=device)
    known = (*record.ours, *([record.found_pct] if record.found_pct is not None else []))
    if any(abs(standing_pct - value) < 0.5 * resolution_pct for value in known):
        return record
    limits = standing_pct < NO_LIMIT_PCT - 0.5 * resolution_pct
    if not record.ours:
        return Record(record.device, found_pct=standing_pct if limits else None)
    if not limits:
        return record
    return replace(record, found_pct=min(standing_pct, record.most_pct), adopted=False)


def about_to_write(record: Record, percent: float, day: str) -> Record:
    """Before a write: from now on either value may stand there, and memory has worn once more."""
    ours = (*(value for value in record.ours if value != percent), percent)[-MOST_OURS:]
    return replace(record, ours=ours, day=day, writes=record.writes + 1 if day == record.day else 1)


def wrote(record: Record, percent: float) -> Record:
    """After a write that the device has confirmed."""
    return replace(record, ours=(percent,))


def adopt(record: Record) -> Record:
    """The owner lets the found limit be loosened."""
    return replace(record, adopted=True)
