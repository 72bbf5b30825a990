"""What the doctor says of endpoints that others may read."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from dynexport import messages as m
from dynexport import topics
from dynexport.cli.doctor.evidence import evidence
from dynexport.cli.doctor.finding import Finding, Verdict
from dynexport.cli.doctor.shared import shared
from dynexport.cli.hearing import Heard
from dynexport.ports import Received
from dynexport.testing.builders import SITE, site

NOW, MONO = datetime(2026, 1, 15, 2, 0, tzinfo=UTC), 1000.0
ENDPOINT = "192.0.2.11:502"
WELL = {"open": True, "clients": 2, "reads": 900, "refused_writes": 0}


def findings(learned: dict[str, Any], share: bool = True) -> list[Finding]:
    tcp = {"host": "192.0.2.11", **({"share": {"port": 1502, "host": "0.0.0.0"}} if share else {})}
    shape = site(inverters=[{**SITE["inverters"][0], "tcp": tcp}])
    health = m.Health(issued_at=NOW, loop_age_s=0.0, tick_ms=1.0, learned=learned)
    said = Heard([Received(topics.HEALTH, ("inverter-writer",), health, False, MONO)])
    return shared(shape, evidence(said, NOW, MONO))


def test_a_shared_endpoint_is_told_with_its_readers() -> None:
    (finding,) = findings({"shared": {ENDPOINT: WELL}})
    assert finding.verdict is Verdict.OK
    assert finding.sentence == (
        "192.0.2.11:502 is readable by others on 0.0.0.0:1502: 2 connected, 900 reads since its owner's start"
    )


def test_writes_that_were_refused_are_a_doubt_about_another_program() -> None:
    (finding,) = findings({"shared": {ENDPOINT: {**WELL, "refused_writes": 3}}})
    assert finding.verdict is Verdict.DOUBT
    assert finding.sentence.endswith(", 3 writes refused")


def test_a_port_that_is_not_open_is_wrong() -> None:
    (finding,) = findings({"shared": {ENDPOINT: {**WELL, "open": False}}})
    assert finding.verdict is Verdict.WRONG


@pytest.mark.parametrize(
    "learned", [{}, {"shared": 3}, {"shared": {ENDPOINT: 3}}, {"shared": {"other": WELL}}]
)
def test_an_owner_that_says_nothing_of_it_is_no_finding_of_its_own(learned: dict[str, Any]) -> None:
    assert findings(learned) == []


def test_what_is_not_shared_is_not_told() -> None:
    assert findings({"shared": {ENDPOINT: WELL}}, share=False) == []
