"""Only what is in use is imported: memory."""

from __future__ import annotations

import subprocess
import sys

import pytest

BUILD = """
import sys
from dynexport.clock import FakeClock
from dynexport.testing.builders import site
from dynexport.testing.context import fake_context
from meter_reader.app import build
build(fake_context("meter-reader", site(meter={meter}), FakeClock())[0])
print(*(name for name in ("requests", "pymodbus") if name in sys.modules))
"""
SUNSPEC = {"driver": "sunspec", "tcp": {"host": "127.0.0.1", "port": 1502}, "unit": 240}


@pytest.mark.parametrize(
    ("meter", "imported"),
    [
        (SUNSPEC, ["pymodbus"]),
        ({"driver": "mqtt", "topic": "a", "fields": {"power_w": "p"}}, []),
        ({"driver": "powerwall", "host": "127.0.0.1", "password": "x"}, ["requests"]),
        ({"driver": "solar_api", "host": "127.0.0.1"}, ["requests"]),
    ],
)
def test_each_driver_imports_its_own_library_only(meter: dict[str, object], imported: list[str]) -> None:
    code = BUILD.replace("{meter}", repr(meter))
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == imported
