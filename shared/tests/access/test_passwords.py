"""Mosquitto's `$7$` hashes without Mosquitto."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from dynexport.access.errors import AccessError
from dynexport.access.passwords import hash_password, new_password, password_file, read_passwords, verifies


def test_a_hash_has_the_form_that_mosquitto_reads() -> None:
    kind, iterations, salt, digest = hash_password("secret", salt=b"twelve bytes").split("$")[1:]
    assert (kind, iterations, salt, len(digest)) == ("7", "101", "dHdlbHZlIGJ5dGVz", 88)


@pytest.mark.parametrize("password", ["secret", "", "ünïcode ☀", "a:b$c", "x" * 200])
def test_a_password_fits_its_own_hash_and_no_other(password: str) -> None:
    hashed = hash_password(password)
    assert verifies(password, hashed)
    assert not verifies(f"{password}x", hashed)
    assert hash_password(password) != hashed, "each hash has a salt of its own"


@pytest.mark.parametrize(
    "hashed", ["", "x", "$6$c2FsdA==$aGFzaA==", "$7$x$c2FsdA==$aGFzaA==", "$7$101$?$?", "$7$101$c2FsdA=="]
)
def test_what_is_no_such_hash_fits_no_password(hashed: str) -> None:
    assert not verifies("secret", hashed)


@pytest.mark.skipif(shutil.which("mosquitto_passwd") is None, reason="mosquitto_passwd is not installed")
def test_what_mosquitto_passwd_made_is_read_and_fits(tmp_path: Path) -> None:
    file = tmp_path / "passwd"
    subprocess.run(["mosquitto_passwd", "-c", "-b", str(file), "roof", "secret"], check=True)
    assert verifies("secret", read_passwords(file.read_text(), "passwd")["roof"])


def test_new_passwords_are_long_and_never_the_same() -> None:
    made = {new_password() for _ in range(100)}
    assert len(made) == 100
    assert {len(one) for one in made} == {32}


def test_the_file_is_read_as_it_was_written() -> None:
    hashes = {name: hash_password(name) for name in ("one", "two")}
    assert read_passwords(password_file(hashes), "passwd") == hashes


@pytest.mark.parametrize("line", ["roof", "roof:", ":hash"])
def test_a_line_that_is_no_user_and_hash_is_named(line: str) -> None:
    with pytest.raises(AccessError, match=r"^here:2: no `user:hash`"):
        read_passwords(f"# words\n{line}\n", "here")
