"""A limit found in the device: whose it is, how high we may write, and the owner's word that it may be loosened."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

from inverter_writer import found
from inverter_writer.found import NO_LIMIT_PCT, Record
from inverter_writer.store import NotReadable, Store


class Handover:
    """For one inverter; without a store its registers are volatile, and our first write makes them ours.

    Called from the endpoint's thread, but `adopt`, `troubles` and the properties, which the service's may use.
    """

    def __init__(self, store: Store | None = None, today: Callable[[], str] = lambda: "") -> None:
        self.troubles: deque[str] = deque(maxlen=10)
        self.met = False
        self._store = store
        self._today = today
        self._lock = threading.Lock()
        self._saving_fails = False
        self._record = self._load()

    @property
    def persists(self) -> bool:
        """Whether what we write outlives a power cut."""
        return self._store is not None

    @property
    def writes_today(self) -> int:
        """How often its registers were written today (UTC)."""
        record = self._record
        return 0 if record is None or record.day != self._today() else record.writes

    @property
    def most_pct(self) -> float:
        """The most that may be written, percent."""
        record = self._record
        return NO_LIMIT_PCT if record is None else record.most_pct

    @property
    def found_pct(self) -> float | None:
        """The limit that was found and is not ours, adopted or not."""
        record = self._record
        return None if record is None else record.found_pct

    @property
    def adopted(self) -> bool:
        """Whether the owner let it be loosened."""
        record = self._record
        return record is not None and record.adopted

    def meet(self, device: str, standing_pct: float, resolution_pct: float) -> None:
        """A first contact with `device`, or a foreign value that stays; nothing on volatile registers."""
        if self._store is not None:
            with self._lock:
                self._remember(found.meet(self._record, device, standing_pct, resolution_pct))
        self.met = True

    def about_to_write(self, percent: float) -> None:
        """On the disk before it is in the device; a disk that fails is told, and holds up no tightening."""
        with self._lock:
            if self._record is not None:
                self._remember(found.about_to_write(self._record, percent, self._today()))

    def wrote(self, percent: float) -> None:
        """The device has confirmed the write."""
        with self._lock:
            if self._record is not None:
                self._remember(found.wrote(self._record, percent))

    def adopt(self) -> bool:
        """The owner's word; False when nothing was found."""
        with self._lock:
            if self._record is None or self._record.found_pct is None:
                return False
            self._remember(found.adopt(self._record))
            return True

    def _load(self) -> Record | None:
        """What cannot be read counts as nothing: then no limit that stands in the device is ours."""
        if self._store is None:
            return None
        try:
            return self._store.load()
        except NotReadable as error:
            self.troubles.append(f"{error}; so a limit found in the inverter counts as the installer's")
            return None

    def _remember(self, record: Record) -> None:
        if record == self._record or self._store is None:
            return
        self._record = record
        try:
            self._store.save(record)
        except OSError as error:
            if not self._saving_fails:
                path, why = self._store.path, error.strerror or error
                self.troubles.append(
                    f"{path} cannot be written ({why}): after a restart our own limit counts as found"
                )
            self._saving_fails = True
        else:
            self._saving_fails = False
