"""What a test needs of the machine: `@pytest.mark.needs("mosquitto")` skips where it is missing, with one clear line.

Where it must not be missing, the environment says so, and then the test fails: `DYNEXPORT_REQUIRE=mosquitto,docker`.
"""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from dynexport.broker import mosquitto

REQUIRED = "DYNEXPORT_REQUIRE"
ROOT = Path(__file__).parent


@functools.cache
def missing(program: str) -> str | None:
    """Why it cannot be used here; None when it can."""
    match program:
        case "mosquitto":
            return None if mosquitto() else "mosquitto is not installed"
        case "docker":
            command = ["docker", "version", "--format", "{{.Server.Version}}"]
            there = shutil.which("docker") and subprocess.run(command, capture_output=True).returncode == 0
            return None if there else "no Docker engine answers"
        case "independent":
            there = (ROOT / ".venv-independent/.stamp").exists()
            return None if there else ".venv-independent is missing; type: make .venv-independent/.stamp"
        case _:
            return None if shutil.which(program) else f"{program} is not installed"


def pytest_runtest_setup(item: pytest.Item) -> None:
    for marker in item.iter_markers("needs"):
        for program in marker.args:
            why = missing(program)
            if why and program in os.environ.get(REQUIRED, "").split(","):
                pytest.fail(f"{why}, but {REQUIRED} names {program}", pytrace=False)
            if why:
                pytest.skip(why)
