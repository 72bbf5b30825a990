"""Mosquitto's password file without Mosquitto: `name:$7$iterations$salt$hash`, PBKDF2 with HMAC-SHA-512."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets

from dynexport.access.errors import AccessError

# As mosquitto_passwd 2.0. The broker hashes at every login and, after SIGHUP, once more for each client; our passwords
# are random, 192 bits, so that more rounds would cost a Pi much and a guesser nothing.
ITERATIONS = 101
SALT_BYTES, HASH_BYTES, PASSWORD_BYTES = 12, 64, 24


def new_password() -> str:
    """192 random bits as 32 letters, digits, `-` and `_`."""
    return secrets.token_urlsafe(PASSWORD_BYTES)


def hash_password(password: str, *, salt: bytes | None = None) -> str:
    """The `$7$` hash of a password as `mosquitto_passwd` makes it."""
    salt = secrets.token_bytes(SALT_BYTES) if salt is None else salt
    digest = _digest(password, salt, ITERATIONS)
    return f"$7${ITERATIONS}${base64.b64encode(salt).decode()}${base64.b64encode(digest).decode()}"


def verifies(password: str, hashed: str) -> bool:
    """Whether the hash is this password's; False for any other kind of hash, and for none at all."""
    try:
        _, kind, iterations, salt, digest = hashed.split("$")
        if kind != "7":
            return False
        made = _digest(password, base64.b64decode(salt, validate=True), int(iterations))
        return hmac.compare_digest(made, base64.b64decode(digest, validate=True))
    except ValueError:
        return False


def read_passwords(text: str, where: str) -> dict[str, str]:
    """User to hash; raises AccessError on a line that is neither."""
    found = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        name, colon, hashed = line.partition(":")
        if not (name and colon and hashed):
            raise AccessError(f"{where}:{number}: no `user:hash`; delete the line, or the file to begin anew")
        found[name] = hashed.strip()
    return found


def password_file(hashes: dict[str, str]) -> str:
    """The text of Mosquitto's password file."""
    return "".join(f"{name}:{hashed}\n" for name, hashed in sorted(hashes.items()))


def _digest(password: str, salt: bytes, iterations: int) -> bytes:
    return hashlib.pbkdf2_hmac("sha512", password.encode(), salt, iterations, HASH_BYTES)
