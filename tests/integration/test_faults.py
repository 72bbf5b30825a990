"""Each process of the site killed and frozen in turn: contract.md's deadlines, control.md's second table."""

from __future__ import annotations

import os
import signal

import pytest
from bench.processes import tree
from bench.stack import CLOCK, Stack

pytestmark = pytest.mark.integration

EXPORT_LIMIT_W, FAILSAFE_W, LOAD_W = 5000.0, 1500.0, 3000.0  # as conftest.py sets the site up
STOPS = [signal.SIGKILL, signal.SIGSTOP]
MARGIN_W = 60.0


def hit(site: Stack, module: str, how: signal.Signals) -> None:
    """Kill, freeze or thaw one of the site's processes; a killed one is no longer expected to run."""
    process = site.processes.pop(module) if how is signal.SIGKILL else site.processes[module]
    process.send_signal(how)
    if how is signal.SIGKILL:
        process.wait()


def worst_export(site: Stack, seconds: float) -> float:
    """The highest true export of the next seconds, watts."""
    start = CLOCK.mono()
    site.wait(seconds)
    return max(sample.export_w for sample in site.record.since(start))


def worst_generation(site: Stack, seconds: float) -> float:
    """The highest true generation of the next seconds, watts."""
    start = CLOCK.mono()
    site.wait(seconds)
    return max(sample.export_w + sample.load_w for sample in site.record.since(start))


@pytest.mark.parametrize("how", STOPS)
def test_meter_reader_gone_is_within_the_limit_after_10_s_whatever_the_load_does(
    site: Stack, how: signal.Signals
) -> None:
    hit(site, "meter_reader", how)
    site.simulate("load_w", 0.0)
    site.wait(10.0)
    assert worst_export(site, 8.0) <= EXPORT_LIMIT_W + MARGIN_W
    if how is signal.SIGSTOP:
        hit(site, "meter_reader", signal.SIGCONT)
    else:
        site.start(["meter_reader"])
    site.simulate("load_w", LOAD_W)
    site.wait(15.0)
    assert worst_generation(site, 2.0) > EXPORT_LIMIT_W + LOAD_W - 200.0, "closed loop again"


@pytest.mark.parametrize("how", STOPS)
def test_limit_engine_gone_is_at_the_failsafe_within_30_s_until_it_is_back(
    site: Stack, how: signal.Signals
) -> None:
    hit(site, "limit_engine", how)
    site.wait(30.0)
    assert worst_generation(site, 3.0) <= FAILSAFE_W + MARGIN_W
    if how is signal.SIGSTOP:
        hit(site, "limit_engine", signal.SIGCONT)
    else:
        site.start(["limit_engine"])
    site.wait(15.0)
    assert worst_generation(site, 2.0) > EXPORT_LIMIT_W + LOAD_W - 200.0


@pytest.mark.parametrize("how", STOPS)
def test_inverter_writers_working_process_gone_is_restarted_by_its_parent(
    site: Stack, how: signal.Signals
) -> None:
    parent = site.processes["inverter_writer"].pid
    (worker,) = tree([parent]) - {parent}
    os.kill(worker, how)
    site.simulate("load_w", 0.0)
    site.wait(30.0)
    assert worst_export(site, 5.0) <= EXPORT_LIMIT_W + MARGIN_W
    (successor,) = tree([parent]) - {parent}
    assert successor != worker


def test_inverter_writer_gone_with_its_parent_holds_the_last_value_on_model_123(site: Stack) -> None:
    parent = site.processes["inverter_writer"].pid
    family = tree([parent])
    hit(site, "inverter_writer", signal.SIGSTOP)
    for pid in family:
        os.kill(pid, signal.SIGSTOP)
    site.record.update()
    known = len(site.record.writes)
    assert worst_generation(site, 30.0) <= EXPORT_LIMIT_W + LOAD_W + MARGIN_W
    assert len(site.record.writes) == known
    for pid in family:
        os.kill(pid, signal.SIGCONT)
    site.simulate("load_w", 0.0)
    site.wait(20.0)
    assert worst_export(site, 2.0) <= EXPORT_LIMIT_W + MARGIN_W, "it obeys again"


@pytest.mark.parametrize("how", STOPS)
def test_broker_gone_is_at_the_failsafe_within_30_s_and_recovers_by_itself(
    site: Stack, how: signal.Signals
) -> None:
    site.broker.send_signal(how)
    site.wait(30.0)
    assert worst_generation(site, 3.0) <= FAILSAFE_W + MARGIN_W
    site.broker.revive()
    site.wait(45.0)
    assert worst_generation(site, 2.0) > EXPORT_LIMIT_W + LOAD_W - 200.0
    assert worst_export(site, 2.0) <= EXPORT_LIMIT_W + MARGIN_W


def test_a_preference_that_dies_is_ignored_at_its_deadline(site: Stack) -> None:
    site.limit(0.0, for_s=12.0)
    site.wait(10.0)
    assert worst_export(site, 1.0) < 1000.0
    site.wait(15.0)
    assert worst_generation(site, 2.0) > EXPORT_LIMIT_W + LOAD_W - 200.0


@pytest.mark.parametrize("how", STOPS)
def test_tariff_limits_gone_leaves_the_agreement_in_force(site: Stack, how: signal.Signals) -> None:
    hit(site, "tariff_limits", how)
    assert worst_export(site, 20.0) <= EXPORT_LIMIT_W + MARGIN_W
