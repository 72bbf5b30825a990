"""Which engine speaks: contract.md on `engine_id`."""

from __future__ import annotations

from limit_engine.standby import Standby


def connected(own_id: str = "b") -> Standby:
    return Standby(own_id, listening_from=100.0)


def test_it_listens_for_1_5_s_before_its_first_setpoint() -> None:
    engine = connected()
    assert not engine.may_speak(101.4)
    assert engine.may_speak(101.5)


def test_it_never_speaks_before_it_was_connected() -> None:
    assert not Standby("b").may_speak(1e6)


def test_it_stays_mute_while_another_speaks_and_takes_over_after_15_s_of_silence() -> None:
    engine = connected()
    assert engine.hear("a", False, 101.0)
    assert not engine.may_speak(115.9)
    assert engine.may_speak(116.1)


def test_a_release_lets_it_in_at_once() -> None:
    engine = connected()
    engine.hear("a", False, 101.0)
    engine.hear("a", True, 102.0)
    assert engine.may_speak(102.1)


def test_of_two_that_send_the_smaller_id_goes_on() -> None:
    smaller, larger = connected("a"), connected("b")
    assert smaller.may_speak(102.0)
    assert larger.may_speak(102.0)
    smaller.hear("b", False, 102.1)
    larger.hear("a", False, 102.1)
    assert smaller.may_speak(102.2)
    assert not larger.may_speak(102.2)


def test_its_own_setpoints_are_no_news() -> None:
    assert not connected("a").hear("a", False, 101.0)


def test_another_engine_is_news_once() -> None:
    engine = connected()
    assert engine.hear("a", False, 101.0)
    assert not engine.hear("a", False, 102.0)
