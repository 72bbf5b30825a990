"""The files of an access folder: one change at a time, each file replaced whole, modes and owners kept."""

from __future__ import annotations

import fcntl
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from dynexport.access.errors import AccessError
from dynexport.access.passwords import password_file, read_passwords
from dynexport.access.rights import Grant, acl, rights
from dynexport.settings.models import Site

USERS, PASSWD, ACL, CONF_D = "users.json", "mosquitto/passwd", "mosquitto/acl", "mosquitto/conf.d"
BROKER, SECRETS = "mosquitto", "secrets"
PRIVATE_DIRECTORY, OPEN_DIRECTORY = 0o700, 0o755
Owner = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Owners:
    """(uid, gid) that `mosquitto/` and `secrets/` are given to; None leaves them to who makes them."""

    broker: Owner | None = None
    services: Owner | None = None


@dataclass(slots=True)
class Store:
    """An opened folder: what it holds, and which of its files were written."""

    folder: Path
    owners: Owners
    hashes: dict[str, str]
    grants: dict[str, Grant]
    changed: list[str] = field(default_factory=list)

    def secret(self, name: str) -> str | None:
        """A user's plain password, or None when its file is not there or empty."""
        path = self.folder / SECRETS / name
        return (path.read_text(encoding="utf-8").rstrip("\r\n") if path.exists() else "") or None

    def put_secret(self, name: str, password: str) -> None:
        """Keep a user's plain password."""
        self._write(f"{SECRETS}/{name}", password)

    def save(self, site: Site) -> None:
        """Write whatever differs, the broker's two files last."""
        self._write(
            USERS, json.dumps({name: asdict(one) for name, one in self.grants.items()}, indent=2) + "\n"
        )
        self._write(ACL, acl(rights(site, self.grants)))
        self._write(PASSWD, password_file(self.hashes))

    def _write(self, name: str, text: str) -> None:
        path = self.folder / name
        owner = self._owner(name)
        if path.exists() and path.read_text(encoding="utf-8") == text:
            _give(path, owner)
            return
        number, part = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # 0600
        try:
            with os.fdopen(number, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            _give(Path(part), owner or _owner_of(path if path.exists() else path.parent))
            Path(part).replace(path)
        except OSError:
            Path(part).unlink(missing_ok=True)
            raise
        self.changed.append(name)

    def _owner(self, name: str) -> Owner | None:
        return {BROKER: self.owners.broker, SECRETS: self.owners.services}.get(name.partition("/")[0])


@contextmanager
def opened(folder: Path, owners: Owners) -> Iterator[Store]:
    """Open the folder for a change, made if need be; raises AccessError."""
    try:
        _make_directories(folder, owners)
        lock = os.open(folder, os.O_RDONLY)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            path = folder / PASSWD
            hashes = read_passwords(path.read_text(encoding="utf-8"), str(path)) if path.exists() else {}
            yield Store(folder, owners, hashes, read_grants(folder))
        finally:
            os.close(lock)
    except OSError as error:
        raise _refused(folder, error) from None


def read_grants(folder: Path) -> dict[str, Grant]:
    """What `user add` granted; raises AccessError when the file is not as it was written."""
    path = folder / USERS
    try:
        entries = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        return {
            name: Grant(tuple(one["may_write"]), tuple(one["may_read"]), tuple(one["elsewhere"]))
            for name, one in entries.items()
        }
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise AccessError(f"{path} is not as `user add` wrote it ({error}); mend or delete it") from None
    except OSError as error:
        raise _refused(folder, error) from None


def must_be_there(folder: Path) -> None:
    """Raises AccessError when nobody has prepared the folder, or we may not look."""
    try:
        os.stat(folder / PASSWD)
    except FileNotFoundError:
        raise AccessError(f"{folder} holds no users yet: `dynexport init {folder}` makes them") from None
    except OSError as error:
        raise _refused(folder, error) from None


def _make_directories(folder: Path, owners: Owners) -> None:
    if not folder.exists():
        folder.mkdir(parents=True)
        folder.chmod(OPEN_DIRECTORY)  # the broker and the services pass through, whatever the umask
    for name, mode, owner in (
        (BROKER, PRIVATE_DIRECTORY, owners.broker),
        (CONF_D, OPEN_DIRECTORY, owners.broker),
        (SECRETS, PRIVATE_DIRECTORY, owners.services),
    ):
        path = folder / name
        path.mkdir(mode=mode, exist_ok=True)
        _give(path, owner)


def _give(path: Path, owner: Owner | None) -> None:
    """Change the owner, where it is another."""
    if owner is not None and owner != _owner_of(path):
        os.chown(path, *owner)


def _owner_of(path: Path) -> Owner:
    found = path.stat()
    return found.st_uid, found.st_gid


def _refused(folder: Path, error: OSError) -> AccessError:
    return AccessError(f"{error.filename or folder}: {error.strerror}; try again as its owner or with sudo")
