"""How readings are laid out at the server: one mirror per role, or one per reading type; mRIDs that stay."""

from __future__ import annotations

import itertools

import pytest

from csip_client.describe import VOLTAGE_PHASES
from csip_client.layout import Layout, words
from csip_client.storage import STORED
from csip_client.telemetry import Role, Series
from csip_client.wire.check import check
from csip_client.wire.document import V1_2

LFDI, OTHER = "3E4F45AB31EDFE5B67E343E5E4562E3100000000", "AAAA45AB31EDFE5B67E343E5E4562E3100000000"
PEN = 28547
EVERY = [
    *(Series(role, uom) for role in Role for uom in (38, 63)),
    *(Series(role, 29, phase) for role in Role for phase in VOLTAGE_PHASES.values()),
    *(Series(role, 33, power_of_ten=-2) for role in Role),
    *(Series(Role.SITE, 38, phase, qualifier) for phase in (128, 64, 32) for qualifier in (2, 8, 9)),
    STORED,
]
LAYOUTS = {"role": False, "reading": True}


def test_one_mirror_per_role_carries_all_reading_types() -> None:
    assert {Layout(PEN, LFDI).place(each) for each in EVERY} == {
        Layout(PEN, LFDI).place(Series(role, 38)) for role in Role
    }


def test_one_mirror_per_reading_type_carries_nothing_else() -> None:
    layout = Layout(PEN, LFDI, apart=True)
    places = [layout.place(each) for each in EVERY]
    assert len(set(places)) == len(EVERY)
    for series, place in zip(EVERY, places, strict=True):
        body = layout.document(place, [series], V1_2)
        check(body, V1_2)
        assert body.count(b"<MirrorMeterReading>") == 1


@pytest.mark.parametrize("apart", LAYOUTS.values(), ids=LAYOUTS.keys())
def test_each_mrid_is_24_hex_digits_of_a_stable_hash_then_the_pen_and_no_two_are_alike(apart: bool) -> None:
    def all_of(lfdi: str) -> list[str]:
        layout = Layout(PEN, lfdi, apart)
        mirrors = {layout.mrid(layout.place(each)) for each in EVERY}
        return [*sorted(mirrors), *(layout.reading_mrid(each) for each in EVERY)]

    found = all_of(LFDI)
    assert found == all_of(LFDI), "the same through restarts"
    assert len({*found, *all_of(OTHER)}) == 2 * len(found), "another site of this PEN shares none"
    for each in found:
        assert len(each) == 32
        assert each.endswith("00028547")
        assert set(each[:24]) <= set("0123456789ABCDEF")


@pytest.mark.parametrize("series", EVERY, ids=words)
def test_kind_is_37_for_every_reading_type_volts_and_hertz_too_and_12_for_stored_energy(
    series: Series,
) -> None:
    text = _type(series)
    assert f"<kind>{12 if series is STORED else 37}</kind>" in text
    assert f"<uom>{series.uom}</uom>" in text
    assert f"<dataQualifier>{series.qualifier}</dataQualifier>" in text


@pytest.mark.parametrize("role", Role)
def test_totals_have_no_phase_element(role: Role) -> None:
    assert "<phase>" not in _type(Series(role, 38))
    assert "<phase>0</phase>" not in "".join(_type(each) for each in EVERY)
    assert [f"<phase>{phase}</phase>" in _type(Series(role, 29, phase)) for phase in (129, 65, 33)] == [
        True
    ] * 3


def test_role_flags_are_0003_for_the_site_and_0049_for_the_der() -> None:
    for apart, (role, flags) in itertools.product((False, True), ((Role.SITE, "0003"), (Role.DER, "0049"))):
        layout = Layout(PEN, LFDI, apart)
        series = Series(role, 38)
        assert (
            f"<roleFlags>{flags}</roleFlags>"
            in layout.document(layout.place(series), [series], V1_2).decode()
        )


def _type(series: Series) -> str:
    layout = Layout(PEN, LFDI)
    body = layout.document(layout.place(series), [series], V1_2)
    check(body, V1_2)
    return body.decode()
