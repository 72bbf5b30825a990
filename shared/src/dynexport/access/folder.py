"""What is done to an access folder. Its layout stands in the package's own words."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dynexport.access.errors import AccessError
from dynexport.access.passwords import hash_password, new_password, verifies
from dynexport.access.rights import PEOPLE, SERVICES, Rights, granted, rights
from dynexport.access.store import SECRETS, Owners, Store, must_be_there, opened, read_grants
from dynexport.settings.models import MqttSection, Site

VARIABLE = "DYNEXPORT_ACCESS"
DEFAULT = "access"
OURS = (*SERVICES, *PEOPLE)


@dataclass(frozen=True, slots=True)
class Prepared:
    """What `prepare` did. `made`: users with a new password; `changed`: files written; `taken_away`: people whose
    secret is not kept here.
    """

    made: tuple[str, ...]
    changed: tuple[str, ...]
    taken_away: tuple[str, ...]


def folder_of(config: Path, env: Mapping[str, str]) -> Path:
    """Where the folder is: DYNEXPORT_ACCESS, else `access` beside site.yaml; it need not be there."""
    return Path(env.get(VARIABLE) or config.resolve().parent / DEFAULT)


def environment(folder: Path, user: str) -> dict[str, str]:
    """What a process is given so that it signs in as `user`; empty when no password of that user's can be read."""
    secret = folder.resolve() / SECRETS / user
    if not os.access(secret, os.R_OK):
        return {}
    return {"DYNEXPORT__MQTT__USERNAME": user, "DYNEXPORT__MQTT__PASSWORD_FILE": str(secret)}


def as_user(mqtt: MqttSection, folder: Path, user: str) -> MqttSection:
    """The broker as `user`, where the folder holds a password and the settings name no user; else unchanged."""
    secret = folder / SECRETS / user
    if mqtt.username is not None or not os.access(secret, os.R_OK):
        return mqtt
    password = secret.read_text(encoding="utf-8").rstrip("\r\n")
    return MqttSection.model_validate({**mqtt.model_dump(), "username": user, "password": password})


def prepare(folder: Path, site: Site, owners: Owners | None = None) -> Prepared:
    """Make what is missing, write the ACL anew, never change a password that is there. Raises AccessError.

    A secret is the truth: a hash that is not its own is made again from it. A service whose secret is gone gets a new
    password, for nobody else knows the old one; an owner or observer whose secret is gone took it away, and keeps it.
    """
    with opened(folder, owners or Owners()) as store:
        taken_away = tuple(name for name in PEOPLE if name in store.hashes and store.secret(name) is None)
        made = tuple(name for name in OURS if name not in taken_away and _make(store, name))
        store.save(site)
        return Prepared(made, tuple(store.changed), taken_away)


def _make(store: Store, name: str) -> bool:
    """Bring one of our own users' hash in line with its secret; whether there was none."""
    secret = store.secret(name)
    password = secret or new_password()
    if secret is None or not verifies(secret, store.hashes.get(name, "")):
        store.hashes[name] = hash_password(password)
    store.put_secret(name, password)
    return secret is None


def add_user(
    folder: Path, site: Site, name: str, *, may_write: Sequence[str], may_read: Sequence[str] = ()
) -> str:
    """Add a user of the owner's and return the password, which is kept nowhere. Raises AccessError."""
    grant = granted(site, name, may_write, may_read)
    must_be_there(folder)
    with opened(folder, Owners()) as store:
        if name in store.hashes or name in store.grants:
            raise AccessError(f"{name} is there already: `dynexport user remove {name}` first")
        password = new_password()
        store.hashes[name], store.grants[name] = hash_password(password), grant
        store.save(site)
        return password


def remove_user(folder: Path, site: Site, name: str) -> None:
    """Take a user of the owner's away. Raises AccessError for one of our own, and for one that is not there."""
    if name in OURS:
        raise AccessError(f"{name} is one of our own users; only users that you added can be removed")
    must_be_there(folder)
    with opened(folder, Owners()) as store:
        if name not in store.grants:
            known = ", ".join(sorted(store.grants)) or "none"
            raise AccessError(f"no user {name} was added to {folder} (added: {known})")
        store.hashes.pop(name, None)
        del store.grants[name]
        store.save(site)


def users(folder: Path, site: Site) -> dict[str, Rights]:
    """Every user with its rights. Raises AccessError when the folder was not prepared or cannot be read."""
    must_be_there(folder)
    return rights(site, read_grants(folder))
