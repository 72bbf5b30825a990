"""One odd entry or answer hides and blocks no other, ends no process, and loosens nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest
from lane_site import Site

from csip_client.adapters.http import HttpSession, Unusable
from csip_client.adapters.tls import context
from csip_client.registration import Standing
from csip_client.wire import write
from csip_client.wire.document import V1_2, WireError, parse, whole
from utility_simulator.tree import Program, stated, watts


@pytest.mark.parametrize("word", ["-+5", "+-5", "--5", "+", "", "5\n", "٥"])
def test_what_is_no_whole_number_is_a_wire_error(word: str) -> None:
    with pytest.raises(WireError):
        whole(word, "x")


@pytest.mark.parametrize("name", ["shift_jis", "utf-7", "punycode", "idna", "hex", "undefined"])
def test_an_encoding_that_cannot_be_read_is_a_wire_error(name: str) -> None:
    with pytest.raises(WireError):
        parse(f'<?xml version="1.0" encoding="{name}"?><Time>é</Time>'.encode())


@pytest.mark.parametrize("href", ["https://[x", "http://localhost/rsp", "mailto:a@b", "https://a:b:c/"])
def test_an_address_that_is_none_is_unusable(site: Site, href: str) -> None:
    tls = context(site.pki.file("client.pem"), site.pki.file("client.key"), site.pki.ca)
    with pytest.raises(Unusable):
        HttpSession(site.server.address, tls).request("GET", href)


@pytest.mark.parametrize(
    ("mrid", "reply_to"),
    [("ABC", ""), ("XY", ""), ("A" * 34, ""), ("AA", "http://localhost/rsp"), ("AA", "https://[x")],
)
def test_an_answer_that_can_never_be_sent_blocks_no_other(site: Site, mrid: str, reply_to: str) -> None:
    site.run(10.0)
    now = int(site.utility.now())
    program = site.utility.programs[0][0]
    odd = site.utility.control(mrid, now, 500, watts("opModExpLimW", 5))
    program.controls["A"] = replace(odd, reply_to=reply_to or odd.reply_to)
    program.controls["B"] = site.utility.control("BB", now, 500, watts("opModGenLimW", 5))
    site.run(90.0)
    assert site.utility.answers() == [("BB", 1), ("BB", 2)]
    assert any("is dropped" in each for each in site.trouble)


@pytest.mark.parametrize("status", [500, 302, 403])
def test_an_answer_that_is_refused_for_ever_is_dropped_a_day_after_its_event(site: Site, status: int) -> None:
    site.run(10.0)
    now = int(site.utility.now())
    program = site.utility.programs[0][0]
    program.controls["A"] = site.utility.control("AA", now, 500, watts("opModExpLimW", 5))
    site.utility.failing = lambda each: (status, {}) if b"<subject>AA" in each.body else None
    site.run(600.0)
    assert not any("is dropped" in each for each in site.trouble), "its event has only just ended"
    site.mono += 24 * 3600
    later = int(site.utility.now())
    program.controls["B"] = site.utility.control("BB", later, 5000, watts("opModGenLimW", 5))
    site.run(700.0)
    assert site.utility.answers() == [("BB", 1), ("BB", 2)]
    assert any("is dropped" in each for each in site.trouble)


def test_a_registration_link_that_goes_ends_nothing(site: Site) -> None:
    site.utility.registered, site.utility.pin = True, 111115
    site.run(70.0)
    site.utility.pin = None
    site.run(400.0)
    assert site.standing == [Standing.REGISTERED]


@pytest.mark.parametrize("restart", [False, True])
def test_a_program_that_cannot_be_read_hides_no_other_and_what_it_held_stays(
    site: Site, restart: bool
) -> None:
    site.utility.programs[0].append(Program(2, default=stated(watts("opModGenLimW", 5000))))
    site.run(30.0)
    real = site.utility._pages._program
    site.utility._pages._program = lambda number, index: (  # type: ignore[method-assign]
        real(number, index).replace("<primacy>1<", "<primacy>first<")
    )
    site.utility.programs[0][1].default = stated(watts("opModGenLimW", 4000))
    if restart:
        site.store.close()
        site.boot()
    site.run(130.0)
    assert site.watts() == {"export_limit_w": 0.0, "generation_limit_w": 4000.0}


@pytest.mark.parametrize("name", ["FunctionSetAssignmentsList", "EndDeviceList"])
def test_a_foreign_or_bad_entry_in_a_list_hides_no_other(site: Site, name: str) -> None:
    pages, real = site.utility._pages, site.utility._pages._list
    other = f"<EndDevice><lFDI>{'0' * 40}</lFDI><sFDI>many</sFDI></EndDevice>"
    pages._list = lambda kind, entries, rate, request: real(  # type: ignore[method-assign]
        kind, [other, *entries] if kind == name else entries, rate, request
    )
    site.utility.registered = True
    site.run(130.0)
    assert site.watts() == {"export_limit_w": 0.0}
    passed_over = name != "EndDeviceList" or site.trouble  # what the server lists after ours is not looked at
    assert not passed_over or any("cannot be read" in each for each in site.trouble)


def test_an_answer_in_doubt_is_not_sent_again_for_one_503_after_an_outage(site: Site) -> None:
    site.run(10.0)
    now = int(site.utility.now())
    control = site.utility.control("AA", now, 5000, watts("opModExpLimW", 5))
    site.utility.programs[0][0].controls["A"] = control
    site.utility.failing = lambda each: (500, {}) if each.name == "rsp" else None
    site.run(70.0)
    queued = site.store.next_answer()
    assert queued is not None
    site.store.sending(queued)  # it went out, and the power went
    body = write.response(site.pki.lfdi, queued.status, queued.subject, queued.created, V1_2)
    site.utility.stored["rsp"] = [body]
    site.server.faults.begin("down", 1.0, None)
    site.run(400.0)
    site.server.faults.clear()
    once = [503]
    site.utility.failing = lambda each: (once.pop(), {}) if once and each.name == "rsp" else None
    site.run(200.0)
    assert not once
    assert site.utility.answers() == [("AA", 1), ("AA", 2)]
