"""The wire: every body valid against the official schema and against ours, and what comes in read strictly."""

from __future__ import annotations

import re
from contextlib import suppress

import pytest
from conformance.official import schema as official
from hypothesis import given
from hypothesis import strategies as st

from csip_client.controls import control, default
from csip_client.model import Mode, Status
from csip_client.wire import read, write
from csip_client.wire.check import check
from csip_client.wire.document import V1_2, V1_3, Version, WireError, parse

LFDI, NOW = "3E4F45AB31EDFE5B67E343E5E4562E3100000000", 1_700_000_000
MRID = "2D711642B726B04401627CA900028547"
RATINGS = write.Ratings(10_000, 10_000, 6_000, 6_000, 5_000, 5_000, 13_500, 1_350, 0.8, 0.8)
STORAGE = write.Modes(0x0010000C, 0x0F, 0x01)
SOLAR = write.Modes(0x0000000C, 0x05)


def bodies(version: Version) -> dict[str, bytes]:
    kind = write.ReadingType(
        uom=29, qualifier=2, flow=write.FORWARD, power_of_ten=-1, interval_s=60, phase=128
    )
    inside = write.meter_reading_type(MRID, "Site voltage & phase <A>", kind)
    return {
        "end device": write.end_device(LFDI, 167261211391, 0x200000, NOW, version),
        "connection point": write.connection_point("41020000000", version),
        "capability": write.der_capability(RATINGS, STORAGE if version is V1_3 else SOLAR, 83, version),
        "capability of solar": write.der_capability(write.Ratings(5000), SOLAR, 4, version),
        "settings": write.der_settings(
            RATINGS if version is V1_3 else write.Ratings(5000),
            STORAGE if version is V1_3 else SOLAR,
            27,
            NOW,
            version,
        ),
        "status": write.der_status(7, 2, NOW, version),
        "status with storage": write.der_status(7, 2, NOW, version, stored_pct=55.5, stor_connect=7),
        "usage point": write.mirror_usage_point(MRID, "Site", 0x0003, LFDI, [inside], version),
        "reading": write.meter_reading(MRID, -15003, NOW - NOW % 60, 60, version),
        "response": write.response(LFDI, 2, MRID, NOW, version),
    }


WATTS = write.meter_reading_type(MRID, "W", write.ReadingType(38, 2, 1, 0, 60))
EACH = [(version, name) for version in (V1_2, V1_3) for name in bodies(version)]


@pytest.mark.parametrize(("version", "name"), EACH, ids=[f"{version.name} {name}" for version, name in EACH])
def test_every_body_is_valid_by_the_official_schema_and_by_ours(version: Version, name: str) -> None:
    body = bodies(version)[name]
    official(version.namespace).validate(body.decode())
    check(body, version)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (write.response("not an LFDI", 2, MRID, NOW, V1_2), "endDeviceLFDI"),
        (write.response(LFDI, 2, "odd", NOW, V1_2), "subject"),
        (write.mirror_usage_point(MRID, "x" * 33, 3, LFDI, [WATTS], V1_2), "description"),
        (write.connection_point("4" * 33, V1_2), "connectionPointId"),
        (write.der_status(7, 2, NOW, V1_2).replace(b"readingTime", b"timeReading"), "DERStatus"),
    ],
)  # fmt: skip
def test_an_invalid_body_is_refused_with_its_place(body: bytes, said: str) -> None:
    with pytest.raises(WireError, match=said):
        check(body, V1_2)


def test_a_body_of_another_version_is_refused() -> None:
    with pytest.raises(WireError):
        check(write.connection_point("4102", V1_3), V1_2)


@given(st.floats(-3e7, 3e7))
def test_a_power_keeps_its_size_within_16_bits(value: float) -> None:
    number, multiplier = write.scaled(value)
    assert -32767 <= number <= 32767
    assert abs(number * 10.0**multiplier - value) <= max(0.5e-3, abs(value) / 3000)


@pytest.mark.parametrize(
    ("value", "expected"),
    [(49_999, (5000, 1)), (5000, (5000, 0)), (50_001.5, (5000, 1)), (4999.5, (4999.5, 0))],
)
def test_powers_that_the_predecessor_wrote_invalid(value: float, expected: tuple[float, int]) -> None:
    number, multiplier = write.scaled(value)
    assert abs(number) <= 32767
    assert number * 10.0**multiplier == pytest.approx(expected[0] * 10.0 ** expected[1], rel=2e-4)


HEAD = 'xmlns="urn:ieee:std:2030.5:ns" xmlns:csipaus="https://csipaus.org/ns"'


ASKED = 'replyTo="/r" responseRequired="03"'


def der_control(
    base: str, extra: str = "", head: str = HEAD, attributes: str = 'replyTo="/r" responseRequired="03"'
) -> bytes:
    return (
        f"<DERControl {head} {attributes}><mRID>aa01</mRID><creationTime>90</creationTime>"
        f"<EventStatus><currentStatus>1</currentStatus><dateTime>90</dateTime></EventStatus>"
        f"<interval><duration>300</duration><start>100</start></interval>{extra}"
        f"<DERControlBase>{base}</DERControlBase></DERControl>"
    ).encode()


def values_of(base: str, version: Version = V1_2, head: str = HEAD) -> dict[Mode, float | bool]:
    node = parse(der_control(base, head=head))
    return dict(
        control(node, device=LFDI, program="P", primacy=1, set_max_w=10_000.0, version=version).values
    )


def active_power(name: str, value: object, multiplier: object = 0) -> str:
    return f"<{name}><multiplier>{multiplier}</multiplier><value>{value}</value></{name}>"


BASES = {
    "ALL-24: a multiplier of 0": (active_power("csipaus:opModExpLimW", 1500), {Mode.EXPORT: 1500.0}),
    "ALL-24: a multiplier of 2": (active_power("csipaus:opModExpLimW", 15, 2), {Mode.EXPORT: 1500.0}),
    "a multiplier of -1": (active_power("csipaus:opModImpLimW", 15005, -1), {Mode.IMPORT: 1500.5}),
    "switches": (
        "<opModConnect>false</opModConnect><opModEnergize>1</opModEnergize>",
        {Mode.CONNECT: False, Mode.ENERGIZE: True},
    ),
    "opModMaxLimW is of setMaxW": ("<opModMaxLimW>2500</opModMaxLimW>", {Mode.MAXIMUM: 2500.0}),
    "a mode that we do not claim": (
        "<opModTargetW><multiplier>0</multiplier><value>5</value></opModTargetW>",
        {},
    ),
    "a limit that is no number": (active_power("csipaus:opModExpLimW", "many"), {Mode.UNKNOWN: True}),
    "a limit without a value": ("<csipaus:opModGenLimW/>", {Mode.UNKNOWN: True}),
    "a negative limit": (active_power("csipaus:opModGenLimW", -5), {Mode.UNKNOWN: True}),
    "an absurd multiplier": (active_power("csipaus:opModGenLimW", 5, 100), {Mode.UNKNOWN: True}),
    "an extension that we do not know, beside one that we do": (
        active_power("csipaus:opModExpLimW", 0) + active_power("csipaus:opModNewLimW", 7),
        {Mode.EXPORT: 0.0, Mode.UNKNOWN: True},
    ),
    "a name of the standard that is none": ("<opModGizmo>1</opModGizmo>", {Mode.UNKNOWN: True}),
    "a switch that is neither": ("<opModConnect>maybe</opModConnect>", {Mode.UNKNOWN: True}),
}


@pytest.mark.parametrize(("base", "expected"), BASES.values(), ids=BASES.keys())
def test_a_control_is_read_strictly(base: str, expected: dict[Mode, float | bool]) -> None:
    assert values_of(base) == expected


def test_a_limit_in_the_namespace_of_another_version_is_unknown_and_never_no_limit() -> None:
    later = HEAD.replace("csipaus.org/ns", "csipaus.org/ns/v1.3")
    assert values_of(active_power("csipaus:opModExpLimW", 0), V1_2, later) == {Mode.UNKNOWN: True}
    assert values_of(active_power("csipaus:opModExpLimW", 0), V1_3, later) == {Mode.EXPORT: 0.0}


def test_prefixes_may_have_any_name() -> None:
    body = der_control(active_power("csipaus:opModExpLimW", 700)).decode()
    body = re.sub(r"<(/?)(?=\w)(?!csipaus:)", r"<\1s:", body)
    body = body.replace("csipaus:", "zz:").replace(":csipaus", ":zz").replace('xmlns="', 'xmlns:s="')
    found = control(parse(body.encode()), device=LFDI, program="P", primacy=1, set_max_w=1.0, version=V1_2)
    assert found.values == {Mode.EXPORT: 700.0}


def test_everything_about_a_control() -> None:
    extra = "<randomizeDuration>-20</randomizeDuration><randomizeStart>60</randomizeStart>"
    node = parse(der_control("<opModConnect>true</opModConnect><rampTms>2000</rampTms>", extra))
    found = control(node, device=LFDI, program="P", primacy=3, set_max_w=1.0, version=V1_2)
    assert (found.mrid, found.created, found.start, found.duration) == ("AA01", 90, 100, 300)
    assert (found.randomize_start, found.randomize_duration, found.ramp_s) == (60, -20, 20.0)
    assert (found.status, found.reply_to, found.response_required) == (Status.ACTIVE, "/r", 3)


def test_response_required_is_optional() -> None:
    node = parse(der_control("", attributes=""))
    assert (
        control(node, device=LFDI, program="P", primacy=3, set_max_w=1.0, version=V1_2).response_required == 0
    )


@pytest.mark.parametrize("lost", ["<mRID>aa01</mRID>", "<start>100</start>", "<duration>300</duration>"])
def test_a_control_that_does_not_say_what_or_when_is_refused(lost: str) -> None:
    node = parse(der_control("").replace(lost.encode(), b""))
    with pytest.raises(WireError):
        control(node, device=LFDI, program="P", primacy=3, set_max_w=1.0, version=V1_2)


def test_a_default_and_a_withdrawn_one() -> None:
    base = f"<DERControlBase>{active_power('csipaus:opModExpLimW', 5)}</DERControlBase>"
    some = parse(
        f"<DefaultDERControl {HEAD}><mRID>01</mRID>{base}<setGradW>27</setGradW></DefaultDERControl>".encode()
    )
    found = default(some, 10_000.0, V1_2)
    assert found is not None
    assert (found.values, found.grad_pct_per_s) == ({Mode.EXPORT: 5.0}, 0.27)
    empty = parse(f"<DefaultDERControl {HEAD}><mRID>01</mRID><DERControlBase/></DefaultDERControl>".encode())
    assert default(empty, 10_000.0, V1_2) is None


RUBBISH = {
    "nothing": b"",
    "no XML": b"hello",
    "cut off": b"<Time><currentTime>5</curr",
    "an entity": b'<!DOCTYPE a [<!ENTITY b "c">]><Time>&b;</Time>',
    "a document type from elsewhere": b'<!DOCTYPE a SYSTEM "http://127.0.0.1/x.dtd"><Time/>',
    "too deep": b"<a>" * 100 + b"</a>" * 100,
    "an encoding that is none": b'<?xml version="1.0" encoding="nonsense"?><Time/>',
    "too large": b"<Time>" + b" " * 2_000_001 + b"</Time>",
}


@pytest.mark.parametrize("body", RUBBISH.values(), ids=RUBBISH.keys())
def test_rubbish_is_refused_and_nothing_is_fetched(body: bytes) -> None:
    with pytest.raises(WireError):
        parse(body)


@given(st.binary(max_size=200))
def test_no_bytes_raise_anything_else(body: bytes) -> None:
    with suppress(WireError):
        parse(body)


def test_poll_rates_and_counts() -> None:
    listed = parse(
        f'<DERProgramList {HEAD} all="7" results="2" pollRate="60"><DERProgram/><DERProgram/></DERProgramList>'.encode()
    )
    assert (read.list_head(listed).all, read.list_head(listed).results, read.poll_rate(listed)) == (7, 2, 60)
    for odd in ("", 'pollRate="0"', 'pollRate="often"'):
        assert read.poll_rate(parse(f"<Time {HEAD} {odd}/>".encode())) == 900


def test_an_end_device_with_its_links() -> None:
    body = (
        f'<EndDevice {HEAD} href="/e/1"><lFDI>{LFDI.lower()}</lFDI><sFDI>167261211391</sFDI><enabled>false</enabled>'
        '<FunctionSetAssignmentsListLink href="/f" all="1"/><csipaus:ConnectionPointLink href="/cp"/></EndDevice>'
    )
    found = read.end_device(parse(body.encode()), V1_2)
    assert (found.lFDI, found.enabled, found.ConnectionPointLink) == (LFDI, False, "/cp")
    assert found.DERListLink is None
