"""The writer as a service on a bus in memory: what it says of a found limit, and whose word loosens it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dynexport import topics
from dynexport.messages import InverterCapability, Request
from dynexport.testing.builders import setpoint, site
from dynexport.testing.context import codes, fake_context
from dynexport.testing.fakebus import FakeBus
from inverter_writer.app import Writer


class Service:
    """A writer whose only inverter is a bench's."""

    def __init__(self, running: Any) -> None:
        self.running = running
        context, self.bus = fake_context("inverter-writer", site(), running.clock)
        self.writer = Writer(context)
        self.writer.jobs["roof"] = running.job

    def step(self) -> None:
        self.writer.step(self.bus.drain(), self.writer.context.moment())

    def adopt(self, inverter: str | None) -> None:
        request = Request(issued_at=self.running.clock.now(), id=inverter)
        self.bus.deliver(topics.REQUEST, request, "inverter-writer", "adopt")
        self.step()

    @property
    def capability(self) -> InverterCapability:
        last = self.bus.last(topics.INVERTER_CAPABILITY, "roof")
        assert isinstance(last, InverterCapability)
        return last


def test_a_found_limit_is_published_once_and_adopted_by_a_request(bench: Any, tmp_path: Path) -> None:
    service = Service(bench(state_dir=tmp_path, limit_pct=50.0, enabled=True))
    service.running.turn()
    service.step()
    service.step()
    assert (service.capability.found_limit_w, service.capability.adopted) == (5000.0, False)
    assert len(service.bus.all(topics.INVERTER_CAPABILITY, "roof")) == 1
    assert codes(service.bus, "inverter-writer").count("limit_found") == 1
    service.adopt("roof")
    assert (service.capability.found_limit_w, service.capability.adopted) == (5000.0, True)
    assert "limit_adopted" in codes(service.bus, "inverter-writer")


def test_an_adopt_where_nothing_was_found_changes_nothing(bench: Any) -> None:
    service = Service(bench(limit_pct=50.0, enabled=True))
    service.running.turn()
    service.adopt("roof")
    assert (service.capability.found_limit_w, service.capability.adopted) == (None, None)
    assert "nothing_to_adopt" in codes(service.bus, "inverter-writer")


@pytest.mark.parametrize("inverter", [None, "barn"])
def test_an_adopt_for_no_inverter_of_ours_is_refused(bench: Any, inverter: str | None) -> None:
    service = Service(bench())
    service.adopt(inverter)
    assert "unknown_inverter" in codes(service.bus, "inverter-writer")


def test_another_services_request_adopts_nothing(bench: Any, tmp_path: Path) -> None:
    service = Service(bench(state_dir=tmp_path, limit_pct=50.0, enabled=True))
    service.running.turn()
    service.bus.deliver(
        topics.REQUEST, Request(issued_at=service.running.clock.now(), id="roof"), "limit-engine", "adopt"
    )
    service.step()
    assert service.capability.adopted is False


def test_a_damaged_state_file_is_an_event_and_no_crash(bench: Any, tmp_path: Path) -> None:
    (tmp_path / "inverter-writer").mkdir()
    (tmp_path / "inverter-writer" / "roof.json").write_text("{")
    service = Service(bench(state_dir=tmp_path))
    service.running.turn()
    service.step()
    service.step()
    assert codes(service.bus, "inverter-writer").count("state_file") == 1


def test_a_setpoint_still_reaches_its_inverter(bench: Any) -> None:
    service = Service(bench())
    service.bus.deliver(topics.SETPOINT, setpoint(4000.0, service.running.clock.now(), 1), "roof")
    service.step()
    assert service.running.job.accepted.target_w == 4000.0


def test_the_state_file_of_an_inverter_lies_below_the_state_folder(tmp_path: Path) -> None:
    from dynexport.clock import FakeClock
    from dynexport.testing.builders import SITE

    shape = site(
        site={**SITE["site"], "state_dir": str(tmp_path)},
        inverters=[{**SITE["inverters"][0], "limit_persists": True}],
    )
    clock = FakeClock()
    context, _ = fake_context("inverter-writer", shape, clock)
    found = Writer(context).jobs["roof"].found
    found.meet("M|X|1", 50.0, 0.01)
    assert (tmp_path / "inverter-writer" / "roof.json").is_file()
    assert isinstance(context.bus, FakeBus)
