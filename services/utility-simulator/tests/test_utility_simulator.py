"""The utility server as its client sees it, over real mutual TLS; what it is told and what it tells on the bus."""

from __future__ import annotations

import http.client
import json
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from dynexport import messages as m
from dynexport import topics
from dynexport.broker import free_port
from dynexport.clock import FakeClock
from dynexport.testing.builders import site
from dynexport.testing.context import codes, fake_context
from dynexport.testing.pki import make_pki
from utility_simulator.app import UtilityServer

NAME = "utility-simulator"
HANGS_S = 1.0


class Desk:
    """The service on a bus without a broker, and a client with the certificate that it is given."""

    def __init__(self, folder: Path, **settings: object) -> None:
        make_pki(folder)
        self.folder = folder
        self.port = free_port()
        self.clock = FakeClock(datetime(2026, 1, 15, 2, 0, tzinfo=UTC))
        shape = site(utility_simulator={"port": self.port, "folder": str(folder), **settings})
        context, self.bus = fake_context(NAME, shape, self.clock)
        self.service = UtilityServer(context)
        self.service.start()

    def do(self, word: str, **what: Any) -> None:
        """Ask for something over the bus."""
        request = m.Request(fault=word, **what)
        self.bus.deliver(topics.REQUEST, request, NAME, "do")
        self.service.step(self.bus.drain(), self.service.context.moment())

    def ask(
        self, name: str = "dcap", method: str = "GET", body: str = ""
    ) -> tuple[int, dict[str, str], bytes]:
        """One request over a connection of its own."""
        tls = ssl.create_default_context(cafile=str(self.folder / "ca.pem"))
        tls.load_cert_chain(self.folder / "client.pem", self.folder / "client.key")
        connection = http.client.HTTPSConnection("localhost", self.port, context=tls, timeout=HANGS_S)
        try:
            connection.request(method, self.service.utility.names.path(name), body=body)
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()
        finally:
            connection.close()

    def say(self) -> dict[str, object]:
        """What it states on the bus a second later."""
        self.clock.advance(1.0)
        self.service.step([], self.service.context.moment())
        path, payload = self.bus.raw_published[-1]
        assert path.endswith(topics.UTILITY_STATE)
        found: dict[str, object] = json.loads(payload)
        return found


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path)
    yield made
    made.service.stop(made.service.context.moment())


def test_a_control_is_listed_while_it_lasts_and_said_in_words(desk: Desk) -> None:
    desk.do("control", id="export", value=1500.0, for_s=120.0)
    listed = desk.ask("derc:0:0")[2].decode()
    assert "<csipaus:opModExpLimW><multiplier>0</multiplier><value>1500</value>" in listed
    assert "<currentStatus>1</currentStatus>" in listed
    assert "<duration>120</duration>" in listed
    assert codes(desk.bus, NAME) == ["utility_control"]


def test_a_second_control_supersedes_the_first_and_a_cancelled_one_is_marked(desk: Desk) -> None:
    desk.do("control", value=1500.0, for_s=120.0)
    desk.do("control", value=800.0, for_s=60.0)
    marks = [control.status for control in desk.service.program.controls.values()]  # type: ignore[union-attr]
    assert marks == [4, 0]
    desk.do("cancel")
    marks = [control.status for control in desk.service.program.controls.values()]  # type: ignore[union-attr]
    assert marks == [4, 2]


def test_the_default_is_what_it_is_told(desk: Desk) -> None:
    desk.do("default", value=3200.0)
    assert b"<value>3200</value>" in desk.ask("dderc:0:0")[2]


@pytest.mark.parametrize(
    ("word", "what"),
    [
        ("control", {}),
        ("control", {"id": "sideways", "value": 5.0}),
        ("default", {"value": -5.0}),
        ("nonsense", {}),
    ],
)
def test_what_it_cannot_do_it_says(desk: Desk, word: str, what: dict[str, object]) -> None:
    desk.do(word, **what)
    assert codes(desk.bus, NAME)[-1] in ("utility_refused", "utility_unknown")
    assert desk.ask()[0] == 200


def test_an_answer_and_a_reading_are_told_on_the_bus(desk: Desk) -> None:
    answer = "<DERControlResponse><status>1</status><subject>AA</subject></DERControlResponse>"
    assert desk.ask("rsp", "POST", answer)[0] == 201
    assert desk.ask("mup", "POST", "<MirrorUsagePoint><mRID>0B</mRID></MirrorUsagePoint>")[0] == 201
    assert desk.ask("mirror:0B", "POST", "<MirrorMeterReading/>")[0] == 201
    said = desk.say()
    assert (said["answers"], said["readings"]) == ([["AA", 1]], 1)
    assert codes(desk.bus, NAME) == ["utility_answered", "utility_readings"]


@pytest.mark.parametrize(
    ("word", "value", "status", "wait"),
    [("status", 429.0, 429, None), ("retry_after", 30.0, 429, "30"), ("status", 500.0, 500, None)],
)
def test_a_refused_request_is_not_taken_in(
    desk: Desk, word: str, value: float, status: int, wait: str | None
) -> None:
    desk.do(word, value=value)
    answer = "<DERControlResponse><status>1</status><subject>AA</subject></DERControlResponse>"
    found = desk.ask("rsp", "POST", answer)
    assert (found[0], found[1].get("Retry-After")) == (status, wait)
    assert desk.service.utility.answers() == []
    desk.do("clear")
    assert desk.ask()[0] == 200


def test_garbage_is_no_document(desk: Desk) -> None:
    desk.do("garbage")
    status, _, body = desk.ask()
    assert status == 200
    assert b"DeviceCapability" not in body


@pytest.mark.parametrize(
    ("word", "error"),
    [("hang", TimeoutError), ("down", OSError), ("expired", ssl.SSLCertVerificationError)],
)
def test_a_fault_of_the_connection_leaves_without_an_answer_until_it_is_cleared(
    desk: Desk, word: str, error: type[Exception]
) -> None:
    desk.do(word)
    with pytest.raises((error, http.client.RemoteDisconnected)):
        desk.ask()
    desk.do("clear")
    assert desk.ask()[0] == 200


def test_its_clock_is_off_by_what_it_is_told_and_a_fault_ends_by_itself(desk: Desk) -> None:
    now = int(desk.clock.now().timestamp())
    desk.do("clock", value=-600.0, for_s=60.0)
    assert f"<currentTime>{now - 600}</currentTime>".encode() in desk.ask("tm")[2]
    desk.clock.advance(61.0)
    assert f"<currentTime>{now + 61}</currentTime>".encode() in desk.ask("tm")[2]


def test_a_client_without_a_certificate_is_turned_away(desk: Desk) -> None:
    tls = ssl.create_default_context(cafile=str(desk.folder / "ca.pem"))
    tls.maximum_version = ssl.TLSVersion.TLSv1_2
    connection = http.client.HTTPSConnection("localhost", desk.port, context=tls, timeout=HANGS_S)
    with pytest.raises(OSError, match=r"handshake|reset|EOF|alert"):
        connection.request("GET", "/dcap")
    connection.close()


def test_the_keys_are_readable_by_their_owner_only(desk: Desk) -> None:
    assert {path.stat().st_mode & 0o777 for path in desk.folder.glob("*.key")} == {0o600}


def test_without_its_certificates_it_ends_as_badly_configured_and_names_the_folder(tmp_path: Path) -> None:
    shape = site(utility_simulator={"port": free_port(), "folder": str(tmp_path / "nothing")})
    context, _ = fake_context(NAME, shape, FakeClock())
    UtilityServer(context).start()
    assert context.exit_code == 2
