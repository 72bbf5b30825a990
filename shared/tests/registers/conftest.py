"""Descriptions of devices that no shop sells, written as an owner would write them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from dynexport.modbus.registers.catalogue import description
from dynexport.modbus.registers.model import Description

INVERTER = """\
version: 1
kind: inverter
make: Acme
models: The Acme 10
confidence: agreed
evidence: [a test]
unit: 7
word_order: little
absent: {int32: [0x80000000]}
identity:
  model: {address: 10, type: string, count: 4}
  serial: {address: 20, type: uint32}
blocks:
  - {address: 100, count: 10}
  - {address: 200, count: 2, function: input}
read:
  power_w: {address: 100, type: int32, scale: 10}
  voltage_a_v: {address: 102, scale_from: 103}
  frequency_hz: {address: 200, function: input, scale: 0.01}
  available_w: {address: 104, type: uint32, plus: [{address: 106, type: int16, scale: -1}]}
  state: {address: 108, words: {'0': sleeping, '3': fault}}
  connected: {address: 109, on: [1, 2]}
rating:
  max_w: {address: 30, type: uint32}
limit:
  scope: generation
  unit: pct
  resolution: 0.1
  value: {address: 301, scale: 0.1}
  unlimited: [0xFFFF]
  enabled: {address: 300, on: [0xAA]}
  prepare:
    - {address: 400, value: 4}
    - {address: 401, value: 1, after_changes: true}
  write:
    - {address: 301, scale: 0.1, value: limit}
    - {address: 302, value: watchdog_s}
    - {address: 303, scale: 0.1, value: fallback}
    - {address: 300, value: 0xAA, single: true, only_if_different: true}
  release:
    - {address: 300, value: 0x55, single: true}
  when_silent: chosen_w
  persistent: false
connect:
  state: {address: 310, on: [206]}
  on: [{address: 310, value: 206}]
  off: [{address: 310, value: 207}]
"""

Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a description of an owner's."""

    def make(text: str) -> Path:
        path = tmp_path / "acme.yaml"
        path.write_text(text, encoding="utf-8")
        description.cache_clear()
        return path

    return make


@pytest.fixture
def acme(write: Write) -> Description:
    return description(str(write(INVERTER)))
