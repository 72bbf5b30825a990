"""A test that needs a program: skipped where it is missing, failed where it must not be."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TEST = 'import pytest\n@pytest.mark.needs("no-such-program")\ndef test_it(): pass\n'


@pytest.mark.parametrize(
    ("required", "outcome"),
    [
        ("", "1 skipped"),
        ("mosquitto", "1 skipped"),
        (
            "mosquitto,no-such-program",
            "no-such-program is not installed, but DYNEXPORT_REQUIRE names no-such-program",
        ),
    ],
)
def test_a_missing_program_skips_unless_the_environment_requires_it(
    tmp_path: Path, required: str, outcome: str
) -> None:
    (tmp_path / "test_it.py").write_text(TEST)
    env = {**os.environ, "PYTHONPATH": str(ROOT), "DYNEXPORT_REQUIRE": required}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "conftest", "-p", "no:cacheprovider", "test_it.py"]
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert outcome in done.stdout
    assert done.returncode == (0 if "skipped" in outcome else 1)
