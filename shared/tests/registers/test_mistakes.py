"""A device description with an error is refused with file, line and what is allowed."""

from __future__ import annotations

import pytest

from dynexport.modbus.registers.catalogue import description, names, path_of
from dynexport.settings.load import ConfigError

from .conftest import INVERTER, Write

MISTAKES = [
    ("type: int32, scale: 10", "type: int31, scale: 10", "read.power_w.type", "must be one of uint16, int16", "int32"),
    ("address: 102,", "adress: 102,", "read.voltage_a_v.adress", "no such setting", "did you mean address?"),
    ("confidence: agreed", "confidence: sure", "confidence", "must be one of documented, agreed, unconfirmed", None),
    ("address: 301, scale: 0.1}", "address: 70000}", "limit.value.address", "must be 65535 or less", None),
    ("value: limit", "value: limits", "limit.write[0].value", "must be a number, or one of limit, fallback", None),
    ("value: limit", "value: 5", "limit.write", "never writes the limit", "value: limit"),
    ("count: 10}", "count: 9}", "read.connected", "holding register 109 is in no block", "100 to 108"),
    ("count: 10}", "count: 10, every_s: 5}", "read.power_w", "is needed at every poll", None),
    ("value: fallback", "value: 3", "limit.when_silent", "no `fallback` is ever written", "holds_last"),
    ("persistent: false", "persistent: true", "limit.when_silent", "`chosen_w` does not go with", "refreshed"),
    ("'0': sleeping", "'x': sleeping", "read.state.words.x", "is no raw number", "in quotes"),
    ("'0': sleeping", "'0': asleep", "read.state.words.0", "must be one of off, sleeping", "did you mean sleeping?"),
    ("{address: 400, value: 4}", "{address: 400, value: 70000}", "limit.prepare[0].value", "does not fit", None),
    ("{address: 400, value: 4}", "{address: 400, value: limit}", "limit.prepare[0].value", "`limit.write` only", None),
    ("value: 207}", "value: 2.5}", "connect.off[0].value", "is no whole number", None),
    ("  power_w:", "  power_a_w:", "read.power_a_w", "is not for a device of `kind: inverter`", None),
    ("type: string, count: 4", "type: string", "identity.model.count", "goes with `type: string`", None),
    ("version: 1", "version: 2", "version", "must be 1", None),
    ("int32, scale: 10}", "int32, scale: 0}", "read.power_w.scale", "must not be 0", "for example 0.1"),
    ("301, scale: 0.1}\n  unl", "301, type: string}\n  unl", "limit.value.type", "must be a number", None),
    ("301, scale: 0.1, value: limit}", "301, value: limit}", "limit.write[0]", "scale is 1.0 here, and", "both"),
    ("evidence: [a test]", "evidence: []", "evidence", "must not be empty", None),
]  # fmt: skip


@pytest.mark.parametrize(
    ("old", "new", "key", "message", "hint"), MISTAKES, ids=[mistake[1] for mistake in MISTAKES]
)
def test_a_mistake_is_told_with_file_line_and_what_is_allowed(
    write: Write, old: str, new: str, key: str, message: str, hint: str | None
) -> None:
    assert old in INVERTER
    text = INVERTER.replace(old, new, 1)
    if old == "  power_w:":
        text = text.replace("read:\n", "read:\n  power_w: {address: 100}\n", 1)
    path = write(text)
    with pytest.raises(ConfigError) as refused:
        description(str(path))
    told = next(problem for problem in refused.value.problems if problem.key == key)
    assert message in told.message
    assert told.file == str(path)
    line = text.splitlines()[(told.line or 0) - 1]
    assert key.split(".")[-1].split("[")[0] in line or new.strip() in line
    if hint is not None:
        assert hint in (told.hint or "")


def test_every_mistake_is_told_at_once(write: Write) -> None:
    path = write(INVERTER.replace("int32, scale", "int31, scale").replace("version: 1", "version: 3"))
    with pytest.raises(ConfigError) as refused:
        description(str(path))
    assert [problem.line for problem in refused.value.problems] == [1, 17]


def test_a_name_that_is_not_shipped_is_told_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match="did you mean solaredge"):
        path_of("solaredg")


def test_a_file_that_is_not_there_is_told(write: Write) -> None:
    with pytest.raises(ConfigError, match="there is no such file"):
        description("/nowhere/acme.yaml")


@pytest.mark.parametrize("name", names())
def test_each_shipped_description_is_sound(name: str) -> None:
    found = description(name)
    assert found.evidence
    assert all(note.endswith(".") for note in found.notes)
