"""What `conform` says as the engine."""

from __future__ import annotations

from datetime import timedelta

from dynexport.clock import FakeClock
from dynexport.conform.probes import LOOSE, RUBBISH, Step, Voice, script
from dynexport.conform.transcript import decoded
from dynexport.messages import Setpoint

NOW = FakeClock().now()
STEPS = {step.probe: step for step in script(15.0)}


def said(voice: Voice, step: Step) -> Setpoint:
    setpoint = decoded(Setpoint, voice.payload(step, 10_000.0, NOW))
    assert setpoint is not None
    return setpoint


def test_only_what_a_writer_has_to_drop_is_above_30_percent() -> None:
    for step in script(15.0):
        wrong = step.retained or step.age_s or step.replayed or step.rubbish or step.negative or step.other
        assert step.share <= 0.3 or (step.share == LOOSE and wrong)


def test_each_setpoint_of_an_engine_has_the_next_number_but_the_replayed_one() -> None:
    voice = Voice("e", 15.0)
    assert [said(voice, STEPS[name]).seq for name in ("obeys", "tightens", "replayed", "old")] == [1, 2, 2, 3]
    other = said(voice, STEPS["other-looser"])
    assert (other.engine_id, other.seq) == ("e-other", 1)


def test_the_odd_ones_are_odd_as_their_name_says() -> None:
    voice = Voice("e", 5.0)
    assert said(voice, STEPS["old"]).issued_at == NOW - timedelta(seconds=10)
    assert said(voice, STEPS["negative"]).target_w < 0
    assert said(voice, STEPS["release"]).release
    assert said(voice, STEPS["obeys"]).ttl_s == 5.0
    assert voice.payload(STEPS["rubbish"], 10_000.0, NOW) == RUBBISH


def test_the_lease_is_fresh_before_each_loosening() -> None:
    for step in script(15.0):
        if step.share == LOOSE:
            assert step.reasserts
            assert step.before().share == step.standing


def test_the_silence_outlasts_the_setpoint() -> None:
    assert STEPS["silence"].seconds == 18.0
    assert next(step for step in script(4.0) if step.probe == "silence").seconds == 7.0
