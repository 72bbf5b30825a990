"""What may stand in the payload of a command, and what becomes of it."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynexport.template import checked, filled, placeholders, short, switch, whole

ALLOWED = ("limit_w", "limit_pct", "connect")
LIMITS = ("limit_w", "limit_pct")


@pytest.mark.parametrize(
    "text",
    [
        "${limit_w}",
        '{"limit": ${limit_w}, "connect": ${connect}}',
        '{"a": {"b": [${limit_pct}]}, "price": "5 $$"}',
        "SET ${limit_pct} %",
    ],
)
def test_a_good_payload_is_taken_as_it_is(text: str) -> None:
    assert checked(text, ALLOWED, LIMITS) == text


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("${limit}", "`${limit}` is no placeholder; there are `${limit_w}`, `${limit_pct}`, `${connect}`"),
        ("${}", "`${}` is no placeholder"),
        ("$limit_w", "is no placeholder: they are written `${name}`, and a dollar sign `$$`"),
        ("${limit_w", "is no placeholder: they are written"),
        ("on", "one of `${limit_w}`, `${limit_pct}`"),
        ("${connect}", "one of `${limit_w}`, `${limit_pct}`"),
        ('{"limit": ${limit_w}', "begins like JSON and is none"),
        ("{limit: ${limit_w}}", "begins like JSON and is none"),
        ("${limit_w}" + " " * 10_000, "is longer than 10000 characters"),
    ],
)
def test_a_mistake_in_a_payload_says_what_is_allowed(text: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=re.escape(complaint)):
        checked(text, ALLOWED, LIMITS)


def test_braces_and_dollar_signs_stay_where_they_are() -> None:
    text = '{"limit": ${limit_w}, "on": ${connect}, "note": "$$5 {x}"}'
    assert placeholders(text) == ["limit_w", "connect"]
    assert json.loads(filled(text, {"limit_w": "1500", "connect": switch(False)})) == {
        "limit": 1500,
        "on": False,
        "note": "$5 {x}",
    }


@pytest.mark.parametrize(
    ("number", "places", "text"),
    [
        (40.7, 2, "40.7"),
        (1.4979, 3, "1.497"),
        (100.0, 2, "100"),
        (0.0, 3, "0"),
        (0.29, 2, "0.29"),
        (70.0, 0, "70"),
    ],
)
def test_numbers_are_rounded_down_and_end_without_zeros(number: float, places: int, text: str) -> None:
    assert short(number, places) == text


@given(st.floats(0, 1e7))
def test_no_number_that_is_sent_is_above_what_was_allowed(number: float) -> None:
    assert int(whole(number)) <= number + 1e-5
    assert float(short(number, 3)) <= number + 1e-5
