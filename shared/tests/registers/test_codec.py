"""Numbers in registers, both word orders."""

from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynexport.modbus.registers import codec
from dynexport.modbus.registers.model import Kind, WordOrder

RANGES: dict[Kind, tuple[int, int]] = {
    "uint16": (0, 2**16 - 1), "int16": (-(2**15), 2**15 - 1), "uint32": (0, 2**32 - 1),
    "int32": (-(2**31), 2**31 - 1), "uint64": (0, 2**53), "int64": (-(2**53), 2**53),
}  # fmt: skip


@given(st.data(), st.sampled_from(sorted(RANGES)), st.sampled_from(get_args(WordOrder)))
def test_a_whole_number_comes_back_as_it_was(data: st.DataObject, kind: Kind, order: WordOrder) -> None:
    value = data.draw(st.integers(*RANGES[kind]))
    words = codec.encode(value, kind, order)
    assert len(words) == codec.REGISTERS[kind]
    assert codec.decode(words, kind, order) == value


@given(st.floats(width=32, allow_nan=False, allow_infinity=False), st.sampled_from(get_args(WordOrder)))
def test_a_float_comes_back_as_it_was(value: float, order: WordOrder) -> None:
    assert codec.decode(codec.encode(value, "float32", order), "float32", order) == value


def test_little_means_that_the_low_word_comes_first() -> None:
    assert codec.encode(0x12345678, "uint32", "little") == [0x5678, 0x1234]
    assert codec.encode(0x12345678, "uint32", "big") == [0x1234, 0x5678]
    assert codec.unsigned([0x5678, 0x1234], "little") == 0x12345678


@pytest.mark.parametrize("words", [[0x7FC0, 0], [0x7F80, 0], [0xFF80, 0]])
def test_a_float_that_is_no_number_is_none(words: list[int]) -> None:
    assert codec.decode(words, "float32", "big") is None


@pytest.mark.parametrize(
    ("kind", "value"), [("uint16", -1), ("int16", 40_000), ("uint32", 2**32), ("float32", 1e40)]
)
def test_what_does_not_fit_is_refused(kind: Kind, value: float) -> None:
    with pytest.raises(ValueError, match="does not fit"):
        codec.encode(value, kind, "big")


def test_text_ends_at_its_first_zero() -> None:
    assert codec.text([0x4142, 0x4300, 0x4445]) == "ABC"
    assert codec.text([0, 0]) is None
