"""`dynexport csip`, typed for a site whose utility server is really there, over mutual TLS on loopback."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from ruamel.yaml import YAML
from typer.testing import CliRunner, Result

from csip_client import shown
from csip_client.adapters.store import Store
from csip_client.model import Default, Mode
from csip_client.model import Program as Held
from csip_client.obey import Obedience, Policy
from dynexport import topics
from dynexport.broker import start_broker
from dynexport.bus import MqttBus
from dynexport.cli.main import application
from dynexport.clock import SystemClock
from dynexport.messages import CsipSchedule, CsipStatus
from dynexport.pki.files import read_chain
from dynexport.pki.shown import number_of
from dynexport.service import OFFLINE, ONLINE
from dynexport.settings.models import MqttSection
from dynexport.testing.builders import SITE
from dynexport.testing.pki import Pki, make_pki
from utility_simulator.server import Server
from utility_simulator.tree import Program, Utility, stated, watts

CLOCK = SystemClock()
PIN = 111115


@dataclass
class House:
    folder: Path
    pki: Pki
    utility: Utility
    server: Server
    site: dict[str, Any]

    def type(self, *words: str) -> Result:
        config = self.folder / "site.yaml"
        YAML().dump(self.site, config)
        return CliRunner().invoke(application(), ["csip", *words, "--config", str(config)])

    def store(self) -> Store:
        return Store(self.folder / "state" / "csip-client.sqlite", self.server.address, self.pki.lfdi)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    pki = make_pki(tmp_path)
    utility = Utility(lambda: CLOCK.now().timestamp())
    utility.registered, utility.pin = True, PIN
    program = Program(1, default=stated(watts("opModExpLimW", 3000)))
    utility.programs = [[program]]
    server = Server(utility, pki)
    program.controls["AA"] = utility.control("AA", int(utility.now()), 600, watts("opModExpLimW", 500))
    files = {"cert": pki.file("client.pem"), "key": pki.file("client.key"), "ca": pki.ca}
    csip = {name: str(path) for name, path in files.items()}
    site = {
        **SITE,
        "site": {**SITE["site"], "state_dir": "state"},
        "sources": {"csip": {"kind": "obligation", "fallback": {"export_limit_w": 1500}}},
        "csip": {**csip, "server": server.address, "version": "1.2", "pen": 28547, "pin": PIN, "nmi": "4102"},
        "mqtt": {"host": "127.0.0.1", "port": 1},
    }
    yield House(tmp_path, pki, utility, server, site)
    server.shutdown()
    server.server_close()


def test_id_prints_who_we_are_and_keeps_the_pin_to_itself(house: House) -> None:
    done = house.type("id")
    assert done.exit_code == 0, done.output
    assert house.pki.lfdi in done.output
    assert "check digit fits" in done.output
    assert str(PIN) not in done.output
    house.site["csip"]["pin"] = PIN + 1
    assert "DOES NOT FIT" in house.type("id").output


def test_discover_prints_the_tree_and_sends_nothing_but_questions(house: House) -> None:
    done = house.type("discover")
    for words in (
        "registered",
        "PIN: fits",
        "primacy 1",
        "opModExpLimW 3000",
        "AA: opModExpLimW 500",
        "would put it",
    ):
        assert words in done.output
    assert done.exit_code == 0, done.output
    assert {request.method for request in house.utility.requests} == {"GET"}


def test_discover_registers_nobody(house: House) -> None:
    house.utility.registered = False
    done = house.type("discover")
    assert done.exit_code == 1
    assert "not registered" in done.output
    assert {request.method for request in house.utility.requests} == {"GET"}
    assert not house.utility.registered


def test_discover_asks_nothing_below_another_pin(house: House) -> None:
    house.utility.pin = 123451
    done = house.type("discover")
    assert done.exit_code == 1
    assert "OTHER PIN" in done.output
    last = house.utility.requests[-1]
    assert house.utility.names.of(last.path) == "rg"


def test_discover_says_which_issuer_is_missing_and_sends_no_request(house: House, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    house.site["csip"]["ca"] = str(make_pki(tmp_path / "other").ca)
    done = house.type("discover")
    assert done.exit_code == 1
    assert "presented: CN=server, issued by CN=Test root" in done.output
    assert "missing issuer: CN=Test root" in done.output
    assert house.utility.requests == []


def _held(house: House) -> None:
    store = house.store()
    store.save([Held(house.pki.lfdi, "P", 1, Default({Mode.EXPORT: 5000.0}))], {})
    store.close()


def test_forget_without_a_broker_wants_to_be_told_that_the_client_is_stopped(house: House) -> None:
    _held(house)
    assert house.type("forget", "--yes").exit_code == 1
    assert len(house.store().programs()) == 1
    done = house.type("forget", "--yes", "--the-client-is-stopped")
    assert done.exit_code == 0, done.output
    assert "1 programs" in done.output
    assert "the fallback of sources.csip counts" in done.output
    assert house.store().programs() == ()


def test_after_forgetting_nothing_is_stated_until_the_server_was_asked(house: House) -> None:
    _held(house)
    policy = Policy(10000.0, {"export_limit_w": 1500.0})
    before = Obedience(house.store(), policy, lambda most: 0)
    assert before.now(0.0).statement.watts
    assert house.type("forget", "--yes", "--the-client-is-stopped").exit_code == 0
    after = Obedience(house.store(), policy, lambda most: 0)
    assert not after.knows_anything
    assert not after.now(0.0).statement.watts


def test_forget_asks_first(house: House) -> None:
    _held(house)
    assert house.type("forget", "--the-client-is-stopped").exit_code == 1
    assert len(house.store().programs()) == 1


@pytest.mark.needs("mosquitto")
def test_forget_refuses_while_the_client_is_online_and_schedule_shows_its_word(house: House) -> None:
    _held(house)
    with start_broker(house.folder) as broker:
        section = MqttSection(host=broker.host, port=broker.port)
        house.site["mqtt"] = {"host": broker.host, "port": broker.port}
        bus = MqttBus(section, "csip", clock=CLOCK)
        bus.start()
        try:
            while not bus.connected:
                bus.wait(0.05)
            bus.publish(topics.AVAILABILITY, ONLINE, "csip-client")
            current = {"opModExpLimW": {"value": 500.0, "origin": "AA", "program": "P"}}
            bus.publish(topics.CSIP_SCHEDULE, CsipSchedule(issued_at=CLOCK.now(), current=current))
            bus.wait(0.3)
            refused = house.type("forget", "--yes", "--the-client-is-stopped")
            assert refused.exit_code == 1
            assert "is running" in refused.output
            assert len(house.store().programs()) == 1
            assert "opModExpLimW 500 W by control AA of program P" in house.type("schedule").output
            bus.publish(topics.AVAILABILITY, OFFLINE, "csip-client")
            bus.wait(0.3)
            assert "csip-client is not running" in house.type("schedule").output
            assert house.type("forget", "--yes").exit_code == 0
            assert house.store().programs() == ()
        finally:
            bus.stop()


def test_the_schedule_speaks_the_time_of_the_site() -> None:
    coming = [
        {
            "mode": "opModExpLimW",
            "value": 500.0,
            "start": "2026-01-15T02:00:00Z",
            "end": "2026-01-15T03:00:00Z",
            "mrid": "AA",
            "program": "P",
        }
    ]
    now = CLOCK.now()
    status = CsipStatus(issued_at=now, reachable=False, trouble="timed out")
    text = "\n".join(
        shown.schedule(status, CsipSchedule(issued_at=now, coming=coming), ZoneInfo("Australia/Adelaide"))
    )
    assert "NOT reachable (timed out)" in text
    assert "Thu 15 Jan 12:30:00 to Thu 15 Jan 13:30:00: opModExpLimW 500 W by control AA of program P" in text
    assert "nothing is stated: the fallback" in text


def test_a_schedule_that_was_cut_says_from_when_on() -> None:
    now = CLOCK.now()
    cut = CsipSchedule(issued_at=now, coming_until=datetime(2026, 1, 15, 3, tzinfo=UTC))
    text = "\n".join(shown.schedule(None, cut, ZoneInfo("Australia/Adelaide")))
    assert "and more from Thu 15 Jan 13:30:00 on" in text
    assert "no control" not in text


def test_certificates_of_dynexport_cert_shake_hands_with_the_server(house: House, tmp_path: Path) -> None:
    made = tmp_path / "csip"
    done = CliRunner().invoke(application(), ["cert", "self-signed", str(made), "--pen", "28547"])
    assert done.exit_code == 0, done.output
    for ours, theirs in (("root.pem", "ca.pem"), ("device.pem", "client.pem"), ("device.key", "client.key")):
        (made / ours).rename(made / theirs)
    pki = Pki(made, number_of(read_chain(made / "client.pem")[0]))
    server = Server(house.utility, pki)
    try:
        files = {"cert": "client.pem", "key": "client.key", "ca": "ca.pem"}
        house.site["csip"] |= {"server": server.address} | {
            name: str(made / file) for name, file in files.items()
        }
        done = house.type("discover")
        assert done.exit_code == 0, done.output
        assert "registered" in done.output
    finally:
        server.shutdown()
        server.server_close()
