"""`doctor --step`: what the readings of a step mean, as a table, and on simulated sites with wrong meters."""

from __future__ import annotations

from typing import Any

import pytest
from typer.testing import CliRunner

from dynexport.cli.doctor.finding import Verdict
from dynexport.cli.doctor.step_judge import judge, settled
from dynexport.cli.doctor.step_seen import Samples, Shift, seen
from dynexport.cli.main import application
from dynexport.clock import SystemClock
from dynexport.settings.models import Site
from dynexport.testing.builders import SITE, site

STEP_W = 500.0
MQTT = {"driver": "mqtt", "topic": "shelly", "fields": {"power_w": "p"}, "scale": 1000.0}


def shift(made_w: float = -500.0, meter_w: float = 500.0, **fields: Any) -> Shift:
    return Shift(made_w, meter_w, **{"noise_w": 5.0, "drifted": False, **fields})


def found(*shifts: Shift, home: Site | None = None, most_w: float = 4000.0) -> list[tuple[Verdict, str, str]]:
    home = home or site()
    return [
        (one.verdict, one.sentence, one.advice)
        for one in judge(home, home.inverters[0], shifts, STEP_W, most_w)
    ]


def of_meter(meter_w: float, **sections: Any) -> tuple[Verdict, str, str]:
    return found(shift(meter_w=meter_w), home=site(**sections))[1]


@pytest.mark.parametrize(
    ("meter_w", "verdict", "said"),
    [
        (500.0, Verdict.OK, "the right way, by 100 %"),
        (400.0, Verdict.OK, "the right way, by 80 %"),
        (-500.0, Verdict.WRONG, "the opposite way"),
        (-250.0, Verdict.WRONG, "the opposite way, by 50 %"),
        (0.0, Verdict.WRONG, "does not move"),
        (14.0, Verdict.WRONG, "does not move"),
        (5000.0, Verdict.WRONG, "10 times as much"),
        (-5000.0, Verdict.WRONG, "10 times as much of the step, and the opposite way"),
        (500_000.0, Verdict.WRONG, "1000 times as much"),
        (50.0, Verdict.WRONG, "only 1/10"),
        (200.0, Verdict.DOUBT, "by 40 %"),
        (900.0, Verdict.DOUBT, "by 180 %"),
    ],
)
def test_what_a_feed_in_meter_shows_of_a_step(meter_w: float, verdict: Verdict, said: str) -> None:
    judged = of_meter(meter_w)
    assert judged[0] is verdict
    assert said in judged[1]
    assert bool(judged[2]) == (verdict is not Verdict.OK)


def test_a_meter_in_kilowatts_is_known_by_its_small_values() -> None:
    kilowatts = shift(meter_w=0.5, noise_w=0.005)
    assert "only 1/1000" in found(kilowatts)[1][1]
    assert "kilowatts" in found(shift(meter_w=0.0, noise_w=0.0), most_w=4.0)[1][1]


def test_the_advice_names_the_setting_that_this_meter_has() -> None:
    assert "`meter.invert: true`" in of_meter(-500.0)[2]
    assert "take `meter.invert` out" in of_meter(-500.0, meter={**SITE["meter"], "invert": True})[2]
    assert "`meter.scale: 100` (now 1000)" in of_meter(5000.0, meter=MQTT)[2]
    assert "transformers' ratio" in of_meter(5000.0)[2]


@pytest.mark.parametrize(
    ("meter_w", "verdict"), [(0.0, Verdict.OK), (60.0, Verdict.OK), (500.0, Verdict.WRONG)]
)
def test_a_meter_of_the_houses_consumption_must_not_move(meter_w: float, verdict: Verdict) -> None:
    assert of_meter(meter_w, meter={**SITE["meter"], "location": "consumption"})[0] is verdict


def test_with_a_battery_a_part_that_is_missing_may_be_the_batterys() -> None:
    assert "battery" in of_meter(200.0, batteries=[{"id": "b", "rated_w": 5000}])[2]


def test_an_inverter_with_a_loop_of_its_own_may_make_up_for_the_step() -> None:
    hybrid = {**SITE["inverters"][0], "id": "hybrid", "driver": "registers", "device": "goodwe-et", "unit": 2}
    judged = of_meter(20.0, inverters=[*SITE["inverters"], hybrid])
    assert judged[0] is Verdict.DOUBT
    assert "hybrid may have made up" in judged[1]


@pytest.mark.parametrize(
    ("made_w", "verdict", "said"),
    [
        (-500.0, Verdict.OK, "it obeys"),
        (-210.0, Verdict.OK, "it obeys"),
        (-190.0, Verdict.WRONG, "does not obey"),
        (30.0, Verdict.WRONG, "30 W more"),
        (-1300.0, Verdict.DOUBT, "1300 W less"),
    ],
)
def test_whether_the_inverter_obeys(made_w: float, verdict: Verdict, said: str) -> None:
    judged = found(shift(made_w, -made_w))
    assert judged[0][0] is verdict
    assert said in judged[0][1]
    assert (len(judged) == 1) == (verdict is Verdict.WRONG)


def test_the_phase_that_moved_must_be_the_inverters() -> None:
    home = site(site={**SITE["site"], "phases": 3}, inverters=[{**SITE["inverters"][0], "phase": "a"}])
    assert len(found(shift(phases_w=(500.0, 0.0, 3.0)), home=home)) == 2
    judged = found(shift(phases_w=(0.0, 500.0, 3.0)), home=home)[2]
    assert judged[0] is Verdict.WRONG
    assert "phase b moved" in judged[1]


def test_the_median_of_the_calm_steps_counts() -> None:
    load = shift(meter_w=-600.0, drifted=True)
    assert [verdict for verdict, _, _ in found(load, shift(), load)] == [Verdict.OK, Verdict.OK]
    assert found(shift(meter_w=-500.0), shift(), shift())[1][0] is Verdict.OK


def test_without_any_calm_step_the_verdict_is_a_hint() -> None:
    judged = found(*[shift(drifted=True)] * 3)
    assert judged[-1][0] is Verdict.DOUBT
    assert "no more than a hint" in judged[-1][1]


@pytest.mark.parametrize(
    ("shifts", "enough"),
    [
        ([], False),
        ([shift()], True),
        ([shift(meter_w=-500.0)], False),
        ([shift(meter_w=-500.0), shift(meter_w=-500.0)], True),
        ([shift(drifted=True), shift(drifted=True)], False),
        ([shift(drifted=True), shift()], True),
    ],
)
def test_one_calm_step_that_is_fine_or_two_calm_ones_are_enough(shifts: list[Shift], enough: bool) -> None:
    home = site()
    assert settled(home, home.inverters[0], shifts, STEP_W) is enough


def course(change_w: float, *, load_w: float = 0.0, load_at: float = 0.0) -> list[tuple[float, float]]:
    """A value each half second from -6 to 27 s: changed by a step of 15 s, and for good from `load_at` on."""
    moments = [tick * 0.5 for tick in range(-12, 55)]
    return [
        (moment, 1000.0 + (change_w if 1 < moment <= 15.5 else 0.0) + (load_w if moment > load_at else 0.0))
        for moment in moments
    ]


def test_a_step_is_seen_against_both_sides() -> None:
    shown = seen(Samples(course(-500.0), course(480.0)), 0.0, 15.0, 27.0)
    assert shown == Shift(-500.0, 480.0, 0.0, False)
    assert shown.ratio == pytest.approx(0.96)


@pytest.mark.parametrize("load_at", [3.0, 8.0, 17.0])
@pytest.mark.parametrize("load_w", [600.0, -600.0])
def test_a_load_that_changes_meanwhile_is_noticed(load_at: float, load_w: float) -> None:
    shown = seen(Samples(course(-500.0), course(500.0, load_w=load_w, load_at=load_at)), 0.0, 15.0, 27.0)
    assert shown is not None
    assert shown.drifted


def test_a_step_that_was_cut_short_is_seen_against_the_time_before_it() -> None:
    shown = seen(Samples(course(-500.0), course(0.0)), 0.0, 9.0, None)
    assert shown == Shift(-500.0, 0.0, 0.0, False)
    assert seen(Samples(course(-500.0), course(0.0)), 0.0, 3.5, None) is None


def test_a_meter_that_hunts_with_the_inverter_is_no_noise() -> None:
    made = [(moment, power_w + 300.0 * (round(2 * moment) % 3)) for moment, power_w in course(-500.0)]
    shown = seen(
        Samples(made, [(moment, 900.0 - 10.0 * power_w) for moment, power_w in made]), 0.0, 15.0, 27.0
    )
    assert shown is not None
    assert shown.ratio == pytest.approx(10.0)
    assert shown.noise_w == pytest.approx(0.0)


def test_a_meter_that_rests_is_calm_and_too_few_readings_are_no_step() -> None:
    shown = seen(Samples(course(-500.0), course(0.0)), 0.0, 15.0, 27.0)
    assert shown is not None
    assert not shown.drifted
    assert seen(Samples(course(-500.0), []), 0.0, 15.0, 27.0) is None


def test_an_unknown_inverter_is_refused_with_those_that_there_are(tmp_path: Any) -> None:
    from ruamel.yaml import YAML

    path = tmp_path / "site.yaml"
    YAML().dump(SITE, path)
    done = CliRunner().invoke(application(), ["doctor", "--step", "attic", "--config", str(path)])
    assert done.exit_code == 2
    assert "there are: roof" in done.output


CLOCK, SETTLES_S = SystemClock(), 20.0
CONTROL = ("site_simulator", "meter_reader", "inverter_writer", "limit_engine")


def stepped(stack: Any, *faults: tuple[str, ...]) -> Any:
    """The command on a site that runs with its faults."""
    stack.start(*CONTROL)
    stack.wait_for("setpoint/roof")
    CLOCK.sleep(SETTLES_S)
    for fault in faults:
        assert stack.run("fault", *fault).returncode == 0
    return stack.run("doctor", "--step", "roof", within_s=240.0)


@pytest.mark.integration
def test_an_inverter_that_obeys_and_a_meter_that_shows_it_are_fine(stack: Any) -> None:
    done = stepped(stack)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "it obeys: told to make 500 W less" in done.stdout
    assert "it moves the right way" in done.stdout


@pytest.mark.integration
def test_a_current_transformer_turned_round_is_found(stack: Any) -> None:
    done = stepped(stack, ("reversed", "--id", "meter"))
    assert done.returncode == 2, done.stdout + done.stderr
    assert "it moves the opposite way" in done.stdout


@pytest.mark.integration
def test_a_meter_that_repeats_one_value_is_found(stack: Any) -> None:
    done = stepped(stack, ("frozen", "--id", "meter"))
    assert done.returncode == 2, done.stdout + done.stderr
    assert "it does not move" in done.stdout


@pytest.mark.integration
@pytest.mark.parametrize("part", [10, 1000])
def test_a_meter_that_shows_a_part_of_the_power_is_found(stack: Any, part: int) -> None:
    done = stepped(stack, ("scaled", "--id", "meter", "--value", str(1 / part)))
    assert done.returncode == 2, done.stdout + done.stderr
    assert f"it shows only 1/{part} of the step" in done.stdout
