"""The other side of a command's template and of a publisher's mapping."""

from __future__ import annotations

import pytest

from dynexport.template import filled
from site_simulator.mqtt_words import document, taken, watts

VALUES = {"limit_w": "1500", "limit_kw": "1.5", "limit_pct": "30", "connect": "false", "on": "true"}


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("${limit_w}", {"limit_w": "1500"}),
        ('{"limit": ${limit_pct}, "on": ${connect}}', {"limit_pct": "30", "connect": "false"}),
        ("SET $$${limit_kw} (${on})", {"limit_kw": "1.5", "on": "true"}),
        ("${limit_w} ${limit_w}", {"limit_w": "1500"}),
    ],
)
def test_what_was_filled_in_is_taken_out_again(template: str, said: dict[str, str]) -> None:
    assert taken(template, filled(template, VALUES)) == said


@pytest.mark.parametrize("payload", ["", "1500 W", '{"limit": 5}'])
def test_a_payload_of_another_form_is_none(payload: str) -> None:
    assert taken('{"l": ${limit_w}}', payload) is None


@pytest.mark.parametrize(
    ("said", "limit_w"),
    [
        ({"limit_w": "1500"}, 1500.0),
        ({"limit_kw": "1.5"}, 1500.0),
        ({"limit_pct": "30"}, 1500.0),
        ({"on": "true"}, 5000.0),
        ({"on": "false"}, 0.0),
        ({"connect": "false"}, None),
    ],
)
def test_a_command_says_a_limit_in_any_unit(said: dict[str, str], limit_w: float | None) -> None:
    assert watts(said, 5000.0) == limit_w


def test_values_stand_at_their_dotted_paths() -> None:
    assert document({"ac.power": 5, "ac.volts": 230, "state": "mppt"}) == {
        "ac": {"power": 5, "volts": 230},
        "state": "mppt",
    }
