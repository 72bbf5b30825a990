"""deploy/compose.yaml, the demo profile, for real: what a container may do, and what happens when one dies."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator

import pytest
from bench.processes import tree
from bench.stack import CLOCK
from tests.integration.composed import Composed, run, wait_until

from dynexport import topics
from dynexport.messages import Message
from dynexport.testing.examples import EXAMPLES
from dynexport.topics import ADDED, TABLE

pytestmark = [pytest.mark.integration, pytest.mark.needs("docker"), pytest.mark.xdist_group("compose")]

EXPORT_LIMIT_W, FAILSAFE_W = 5000.0, 1500.0
LOAD_W, LESS_LOAD_W = 3000.0, 500.0
UTILITY_W = 2000.0
MARGIN_W = 60.0
# How long export may stay over its limit when the load drops while this service dies: control.md's second table.
OVER_AT_MOST_S = {
    "meter-reader": 10.0,
    "limit-engine": 30.0,
    "inverter-writer": 30.0,
    "tariff-limits": 10.0,
    "csip-client": 10.0,
    "mosquitto": 30.0,
    "site-simulator": 10.0,
    "utility-simulator": 10.0,
}
SAID_BY_NOBODY_HERE = [
    topics.BATTERY_READING,
    topics.UNCONTROLLED_READING,
    topics.LOAD_READING,
    topics.BATTERY_SETPOINT,
    topics.BATTERY_CONTROL,
    topics.LOAD_SETPOINT,
    topics.LOAD_CONTROL,
    topics.FEED_IN_PRICE,
]


@pytest.fixture(scope="module")
def demo(image: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Composed]:
    """The demo profile, up; its player of steps is stopped once it was seen, so that limits stand still."""
    composed = Composed(tmp_path_factory.mktemp("record"))
    try:
        composed.compose("up", "--detach")
        yield composed
    finally:
        composed.compose("down", "--volumes", "--timeout", "2")


def load(demo: Composed, watts: float) -> None:
    """Make the simulated house use so much from now on."""
    request = json.dumps({"v": 1, "fault": "load_w", "value": watts})
    demo.publish("owner", "dynexport/request/site-simulator/fault", request)


@pytest.fixture
def settled(demo: Composed) -> Composed:
    """The demo's steps ended, the house at 3 kW, export at the agreement's 5 kW."""
    demo.compose("stop", "demo")
    load(demo, LOAD_W)
    demo.publish("owner", "dynexport/limit/manual", "")
    assert wait_until(lambda _: near_limit(demo), ["export"], 60.0) == []
    return demo


def near_limit(demo: Composed) -> bool:
    """Whether export was close to its limit, and lawful, for the last 2 s: the closed loop works."""
    demo.record.update()
    last = [sample.export_w for sample in demo.record.since(CLOCK.mono() - 2.0)]
    return bool(last) and min(last) > EXPORT_LIMIT_W - 300.0 and max(last) < EXPORT_LIMIT_W + MARGIN_W


def answers(demo: Composed, before: list[list[object]]) -> list[object]:
    """The statuses that came in since, in order; all to one control."""
    since = demo.utility()["answers"][len(before) :]
    assert len({mrid for mrid, _ in since}) <= 1
    return [status for _, status in since]


def back(demo: Composed, service: str, before: int) -> bool:
    """Whether Docker has started a container again."""
    found = demo.inspect(service)
    return bool(found["RestartCount"] > before and found["State"]["Running"])


def test_every_container_of_the_demo_is_healthy(demo: Composed) -> None:
    assert {*OVER_AT_MOST_S, "demo"} == set(demo.services)
    assert wait_until(demo.healthy, demo.services, 90.0) == []


def test_the_observer_sees_every_topic_of_the_contract(demo: Composed) -> None:
    """What no program of the demo says is said by the user that may; a user that we add speaks for devices."""
    devices = [topic for topic in SAID_BY_NOBODY_HERE if ADDED in topic.writers]
    demo.add_user("gateway", [topic.path("", *["example"] * topic.ids).strip("/") for topic in devices])

    def say_what_nobody_here_says() -> None:
        for topic in SAID_BY_NOBODY_HERE:
            message = EXAMPLES[topic]
            assert isinstance(message, Message)
            user = "gateway" if topic in devices else topic.writers[0].user
            path = topic.path("dynexport", *["example"] * topic.ids)
            demo.publish(user, path, message.model_dump_json(exclude_none=True))
        load(demo, LOAD_W)

    seen = demo.topics_seen("observer", 20, say_what_nobody_here_says)
    shown = {topic for topic in TABLE for path in seen if topic.match("dynexport", path) is not None}
    assert [topic.name for topic in TABLE if topic not in shown] == []
    assert "dynexport/simulator/truth" in seen


def test_no_container_may_do_more_than_it_must(demo: Composed) -> None:
    for service in demo.services:
        found = demo.inspect(service)
        host = found["HostConfig"]
        assert found["Config"]["User"].split(":")[0] not in ("", "0", "root"), service
        assert host["ReadonlyRootfs"], service
        assert host["CapDrop"] == ["ALL"], service
        assert not host["CapAdd"], service
        assert not host["Privileged"], service
        assert "no-new-privileges:true" in host["SecurityOpt"], service
        assert host["RestartPolicy"]["Name"] == "unless-stopped", service
        assert 0 < host["PidsLimit"] <= 100, service
        status = run("docker", "exec", found["Id"], "cat", "/proc/1/status")
        assert "CapEff:\t0000000000000000" in status, service


def test_export_falls_below_the_owners_limit_within_seconds(settled: Composed) -> None:
    settled.publish("owner", "dynexport/limit/manual", '{"export_limit_w": 1500, "ttl_s": 60}')
    settled.wait(7.0)
    start = CLOCK.mono()
    settled.wait(3.0)
    assert settled.over_limit_s(1500.0 + MARGIN_W, start) == 0.0


def test_a_control_of_the_utility_is_obeyed_at_the_meter_answered_and_reported(settled: Composed) -> None:
    """Poll rate 5 s: in force within a poll and the inverter's lag; telemetry comes after a whole minute."""
    order = {"v": 1, "fault": "control", "id": "export", "value": UTILITY_W, "for_s": 20}
    before = settled.utility()["answers"]
    settled.publish("owner", "dynexport/request/utility-simulator/do", json.dumps(order))
    settled.wait(12.0)
    start = CLOCK.mono()
    settled.wait(5.0)
    assert settled.over_limit_s(UTILITY_W + MARGIN_W, start) == 0.0
    assert wait_until(lambda _: answers(settled, before) == [1, 2, 3], ["answers"], 20.0) == []
    assert wait_until(lambda _: near_limit(settled), ["export"], 45.0) == []
    assert wait_until(lambda _: settled.utility()["readings"] > 0, ["readings"], 120.0) == []


@pytest.mark.parametrize("service", OVER_AT_MOST_S)
def test_a_container_whose_main_process_is_killed_comes_back_by_itself(
    settled: Composed, service: str
) -> None:
    before, start = settled.inspect(service)["RestartCount"], CLOCK.mono()
    load(settled, LESS_LOAD_W)
    settled.kill_main_process(service)
    assert wait_until(lambda name: back(settled, name, before), [service], 15.0) == []
    assert wait_until(lambda _: near_limit(settled), ["export"], 45.0) == []
    assert settled.over_limit_s(EXPORT_LIMIT_W + MARGIN_W, start) <= OVER_AT_MOST_S[service]


def test_a_program_that_is_killed_ends_its_container_which_comes_back(settled: Composed) -> None:
    found = settled.inspect("meter-reader")
    (program,) = tree([found["State"]["Pid"]]) - {found["State"]["Pid"]}
    os.kill(program, signal.SIGKILL)
    assert wait_until(lambda name: back(settled, name, found["RestartCount"]), ["meter-reader"], 15.0) == []


@pytest.mark.parametrize("service", ["meter-reader", "tariff-limits", "site-simulator"])
def test_a_container_that_was_paused_recovers(settled: Composed, service: str) -> None:
    start = CLOCK.mono()
    load(settled, LESS_LOAD_W)
    settled.pause(service, 8.0)
    assert wait_until(lambda _: near_limit(settled), ["export"], 45.0) == []
    assert settled.over_limit_s(EXPORT_LIMIT_W + MARGIN_W, start) <= OVER_AT_MOST_S[service]


@pytest.mark.parametrize("service", ["limit-engine", "mosquitto"])
def test_a_paused_engine_or_broker_is_the_failsafe_until_it_goes_on(settled: Composed, service: str) -> None:
    start = CLOCK.mono()
    load(settled, LESS_LOAD_W)
    settled.pause(service, 30.0)
    assert max(sample.export_w for sample in settled.record.since(start + 28.0, start + 30.0)) <= FAILSAFE_W
    assert wait_until(lambda _: near_limit(settled), ["export"], 60.0) == []
    assert settled.over_limit_s(EXPORT_LIMIT_W + MARGIN_W, start) <= OVER_AT_MOST_S[service]


def test_a_paused_writer_leaves_what_it_wrote_and_obeys_again_when_it_goes_on(settled: Composed) -> None:
    settled.pause("inverter-writer", 20.0)
    start = CLOCK.mono()  # no promise before: a cloud's edge may have raised what a 123 was left with
    load(settled, LESS_LOAD_W)
    assert wait_until(lambda _: near_limit(settled), ["export"], 45.0) == []
    assert settled.over_limit_s(EXPORT_LIMIT_W + MARGIN_W, start) <= 10.0
