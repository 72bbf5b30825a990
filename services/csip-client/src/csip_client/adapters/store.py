"""What must survive a power cut, in one SQLite file: programs, held controls, answers to send. One writer, one lock.

Bound to a server and an LFDI: for another pair it starts empty. An answer is queued in the same transaction that
remembers it as given, and is marked before it is sent, so that after a power cut only that one is in doubt.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from csip_client.model import Answer, Control, Default, Draws, Held, Mode, Program, Status, Values

SCHEMA_VERSION = 1
SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE program (position INTEGER PRIMARY KEY, body TEXT NOT NULL);
CREATE TABLE held (device TEXT, mrid TEXT, body TEXT NOT NULL, PRIMARY KEY (device, mrid));
CREATE TABLE answer (
  id INTEGER PRIMARY KEY AUTOINCREMENT, reply_to TEXT NOT NULL, subject TEXT NOT NULL, status INTEGER NOT NULL,
  created INTEGER NOT NULL, sending INTEGER NOT NULL DEFAULT 0
);
"""


class StoreError(Exception):
    """The file cannot be used; the text says which and what to do."""


@dataclass(frozen=True, slots=True)
class Queued:
    """An answer on its way; `in_doubt`: a power cut came between sending it and hearing that it arrived."""

    id: int
    reply_to: str
    subject: str
    status: int
    created: int
    in_doubt: bool


class Store:
    """Every call is one transaction, on the disk when it returns."""

    def __init__(self, path: Path, server: str, lfdi: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        try:
            self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")
            self._open(server, lfdi)
        except sqlite3.DatabaseError as error:
            raise StoreError(
                f"{path} cannot be used ({error}): move it away, csip-client then starts anew"
            ) from error

    def _open(self, server: str, lfdi: str) -> None:
        version = self._db.execute("PRAGMA user_version").fetchone()[0]
        if version == 0:
            self._db.executescript(f"BEGIN; {SCHEMA} PRAGMA user_version={SCHEMA_VERSION}; COMMIT;")
        elif version != SCHEMA_VERSION:
            raise sqlite3.DatabaseError(f"version {version}, this program knows {SCHEMA_VERSION}")
        bound = json.dumps([server, lfdi])
        if self.meta("bound") not in (None, bound):
            self.forget()
        self.set_meta("bound", bound)

    def meta(self, key: str) -> str | None:
        """A small thing remembered by name."""
        with self._lock:
            row = self._db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return None if row is None else str(row[0])

    def set_meta(self, key: str, value: str) -> None:
        """Remember it."""
        with self._lock, self._db:
            self._db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))

    def forget(self) -> None:
        """Another server or identity, a new registration, or the owner's wish: nothing of before counts."""
        with self._lock:
            self._db.executescript(
                "BEGIN; DELETE FROM program; DELETE FROM held; DELETE FROM answer;"
                " DELETE FROM meta WHERE key NOT LIKE 'capability %' AND key != 'bound'; COMMIT;"
            )

    def programs(self) -> tuple[Program, ...]:
        """The programs as last stored, in order."""
        with self._lock:
            rows = self._db.execute("SELECT body FROM program ORDER BY position").fetchall()
        return tuple(_program(json.loads(row[0])) for row in rows)

    def held(self) -> dict[tuple[str, str], Held]:
        """The held controls."""
        with self._lock:
            rows = self._db.execute("SELECT body FROM held").fetchall()
        found = (_held(json.loads(row[0])) for row in rows)
        return {each.control.key: each for each in found}

    def holds(self, device: str, mrid: str) -> Held | None:
        """One held control."""
        with self._lock:
            row = self._db.execute(
                "SELECT body FROM held WHERE device = ? AND mrid = ?", (device, mrid)
            ).fetchone()
        return None if row is None else _held(json.loads(row[0]))

    def save(self, programs: Iterable[Program], held: Mapping[tuple[str, str], Held]) -> None:
        """Replace programs and held controls in one transaction."""
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                self._db.execute("DELETE FROM program")
                self._db.executemany(
                    "INSERT INTO program (body) VALUES (?)",
                    [(json.dumps(_plain(each)),) for each in programs],
                )
                self._db.execute("DELETE FROM held")
                self._db.executemany(
                    "INSERT INTO held VALUES (?, ?, ?)", [_row(each) for each in held.values()]
                )
                self._db.execute("COMMIT")
            except BaseException:
                self._db.execute("ROLLBACK")
                raise

    def answer(self, held: Held, status: Answer, now: int) -> Held:
        """Queue an answer and remember it as given, together; returns the control with it."""
        given = Held(**{**_fields(held), "answered": held.answered | {status}})
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                self._db.execute(
                    "INSERT INTO answer (reply_to, subject, status, created) VALUES (?, ?, ?, ?)",
                    (held.control.reply_to, held.control.mrid, int(status), now),
                )
                self._db.execute("INSERT OR REPLACE INTO held VALUES (?, ?, ?)", _row(given))
                self._db.execute("COMMIT")
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
        return given

    def next_answer(self) -> Queued | None:
        """The oldest answer on its way."""
        with self._lock:
            row = self._db.execute("SELECT * FROM answer ORDER BY id LIMIT 1").fetchone()
        if row is None:
            return None
        number, reply_to, subject, status, created, sending = row
        return Queued(number, reply_to, subject, status, created, bool(sending))

    def sending(self, queued: Queued) -> None:
        """From here on, until `sent` or `not_sent`, nobody knows whether it arrived."""
        with self._lock, self._db:
            self._db.execute("UPDATE answer SET sending = 1 WHERE id = ?", (queued.id,))

    def not_sent(self, queued: Queued) -> None:
        """The server said that it did not take it."""
        with self._lock, self._db:
            self._db.execute("UPDATE answer SET sending = 0 WHERE id = ?", (queued.id,))

    def sent(self, queued: Queued) -> None:
        """It arrived, or will never be taken."""
        with self._lock, self._db:
            self._db.execute("DELETE FROM answer WHERE id = ?", (queued.id,))

    def close(self) -> None:
        """Let the file go."""
        with self._lock:
            self._db.close()


def _fields(held: Held) -> dict[str, Any]:
    return {name: getattr(held, name) for name in Held.__dataclass_fields__}


def _row(held: Held) -> tuple[str, str, str]:
    return held.control.device, held.control.mrid, json.dumps(_plain(held))


def _plain(thing: Any) -> Any:
    """A dataclass as JSON can hold it; mappings by mode become mappings by name."""
    return json.loads(json.dumps(asdict(thing), default=list))


def _values(raw: Mapping[str, float | bool]) -> Values:
    return {Mode(name): value for name, value in raw.items()}


def _program(raw: dict[str, Any]) -> Program:
    default = raw.pop("default")
    stated = None if default is None else Default(_values(default["values"]), default["grad_pct_per_s"])
    return Program(**raw, default=stated)


def _held(raw: dict[str, Any]) -> Held:
    control = raw.pop("control")
    values, status = _values(control.pop("values")), Status(control.pop("status"))
    answered = frozenset(Answer(number) for number in raw.pop("answered"))
    draws = Draws(**raw.pop("draws"))
    return Held(
        control=Control(**control, values=values, status=status), draws=draws, answered=answered, **raw
    )
