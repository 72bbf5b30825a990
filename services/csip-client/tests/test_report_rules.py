"""The rules of csip.md section 7 that concern reports, each by its name: start, queue, DERStatus, reading types."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from csip_house import House
from reported import (
    DER_VAR,
    DER_W,
    SITE_W,
    battery,
    capability,
    inverter,
    last,
    meter,
    posted,
    status,
    value,
)

from csip_client import reports, telemetry
from csip_client.layout import Layout
from csip_client.telemetry import Role, Series
from dynexport import messages as m
from dynexport.testing.context import codes
from dynexport.testing.pki import Pki
from utility_simulator.document import V1_3
from utility_simulator.tree import Request, watts

BATTERY = {"id": "garage", "rated_w": 5000, "max_charge_w": 5000, "energy_wh": 10000}


@pytest.fixture
def house(pki: Pki, tmp_path: Path) -> Iterator[House]:
    made = House(pki, tmp_path)
    yield made
    made.end()


@pytest.fixture
def build(pki: Pki, tmp_path: Path) -> Iterator[Callable[..., House]]:
    made: list[House] = []

    def one(**settings: object) -> House:
        made.append(House(pki, tmp_path, **settings))  # type: ignore[arg-type]
        return made[-1]

    yield one
    for each in made:
        each.end()


def lives(house: House, seconds: int, power_w: float = 3000.0, islanded: bool | None = None) -> None:
    for _ in range(seconds):
        values = {"reactive_var": 10.0, "voltage_a_v": 241.26, "frequency_hz": 49.97, "power_a_w": -1500.25}
        meter(house, -1500.25, islanded=islanded, **values)
        inverter(house, power_w=power_w, voltage_a_v=242.0, frequency_hz=49.97)
        house.turn(1.0)


def counts(house: House) -> list[int]:
    return [len(house.utility.bodies(name)) for name in ("dercap", "derg", "ders", "mup")]


def names(house: House) -> set[str]:
    """The mRIDs of the mirrors that were posted."""
    return {value(body, "mRID") or "" for body in house.utility.bodies("mup")}


def for_resource(
    house: House, name: str, code: int, **headers: str
) -> Callable[[Request], tuple[int, dict[str, str]] | None]:
    def fails(request: Request) -> tuple[int, dict[str, str]] | None:
        found = house.utility.names.of(request.path) or ""
        return (code, headers) if found.split(":")[0] == name and request.method != "GET" else None

    return fails


def test_each_start_puts_and_posts_everything_whatever_the_store_says(house: House) -> None:
    lives(house, 70)
    before, made = counts(house), names(house)
    house.client.store.close()
    house.boot()
    lives(house, 10)
    assert all(after > so_far for so_far, after in zip(before, counts(house), strict=True))
    assert names(house) == made, "the same mRIDs: an update"


def test_each_new_registration_puts_and_posts_everything_and_drops_the_readings_of_before(
    house: House,
) -> None:
    lives(house, 70)
    house.utility.failing = for_resource(house, "mirror", 503)
    lives(house, 120)
    house.utility.registered = False  # the judge empties the server; every address stays
    house.utility.stored.clear()
    house.utility.mirrors.clear()
    emptied = house.utility.now()
    lives(house, 70)
    assert house.utility.registered, "it registered itself again"
    house.utility.failing = lambda request: None
    lives(house, 130)
    assert all(count > 0 for count in counts(house))
    starts = [start for start, _, _ in posted(house, SITE_W)]
    assert starts
    assert min(starts) > emptied - 60, "nothing that was measured under the old registration"


def test_a_404_where_we_report_rediscovers_from_the_top(house: House) -> None:
    lives(house, 70)
    before, asked = counts(house), len(house.utility.requests)
    gone = house.utility.names.path("mirror:" + sorted(house.utility.mirrors)[0])
    once = [404]
    house.utility.failing = lambda request: (once.pop(), {}) if once and request.path == gone else None
    lives(house, 70)
    assert not once
    assert all(after > so_far for so_far, after in zip(before, counts(house), strict=True))
    since = [each.path for each in house.utility.requests[asked:]]
    assert "/dcap" in since
    assert house.utility.names.path("edev") in since


def test_a_mirror_made_without_a_word_where_is_found_in_the_list(house: House) -> None:
    answer = house.utility._answer

    def silent(request: Request) -> tuple[int, dict[str, str], bytes]:
        status, headers, body = answer(request)
        return (
            (204, {}, body)
            if request.method == "POST" and headers.get("Location")
            else (status, headers, body)
        )

    house.utility._answer = silent  # type: ignore[method-assign]
    lives(house, 130)
    assert len(posted(house, SITE_W)) >= 1
    assert counts(house)[3] == 2, "each mirror was posted once"


def test_a_mirror_that_the_server_lists_no_more_is_made_anew_with_the_same_mrid(house: House) -> None:
    lives(house, 70)
    made = names(house)
    house.utility.mirrors.clear()
    lives(house, 130)
    assert counts(house)[3] == 4
    assert names(house) == made


def test_one_mirror_that_is_refused_holds_up_no_other_one(house: House) -> None:
    lives(house, 70)
    layout = Layout(28547, house.client.who.lfdi)
    site = house.utility.names.path("mirror:" + layout.mrid(layout.place(SITE_W)))
    house.utility.failing = lambda request: (503, {}) if request.path == site else None
    so_far, tried = len(posted(house, DER_W)), len(house.utility.requests)
    lives(house, 300)
    assert len(posted(house, DER_W)) - so_far >= 4
    assert len([each for each in house.utility.requests[tried:] if each.path == site]) <= 10, "backed off"
    house.utility.failing = lambda request: None
    lives(house, 130)
    starts = [start for start, _, _ in posted(house, SITE_W)]
    assert starts == list(range(starts[0], starts[-1] + 60, 60))


@pytest.mark.parametrize(("sections", "category"), [({}, "200000"), ({"batteries": [BATTERY]}, "800000")])
def test_device_category_is_200000_for_solar_and_800000_with_storage(
    build: Callable[..., House], sections: dict[str, object], category: str
) -> None:
    house = build(sections=sections)
    house.utility.registered = False
    lives(house, 5)
    assert value(house.utility.bodies("edev")[0], "deviceCategory") == category


def test_a_404_that_stays_is_no_storm(house: House) -> None:
    lives(house, 30)
    house.utility.failing = for_resource(house, "ders", 404)
    so_far = len(house.utility.requests)
    lives(house, 600)
    ders = house.utility.names.path("ders")
    tried = [each for each in house.utility.requests[so_far:] if each.path == ders]
    assert len(tried) <= 30
    dcap = [each for each in house.utility.requests[so_far:] if each.path == "/dcap"]
    assert len(dcap) <= 20


def test_a_reading_refused_with_4xx_is_dropped_with_an_event_and_the_queue_goes_on(house: House) -> None:
    lives(house, 30)
    name = Layout(28547, house.client.who.lfdi).reading_mrid(SITE_W).encode()
    house.utility.failing = lambda request: (
        (400, {}) if name in request.body and b"<Reading>" in request.body else None
    )
    lives(house, 130)
    assert posted(house, SITE_W) == []
    assert len(posted(house, DER_W)) >= 2
    assert "csip_reading_refused" in codes(house.bus, "csip-client")
    house.utility.failing = lambda request: None
    lives(house, 70)
    assert len(posted(house, SITE_W)) == 1, "what was refused is not tried again"


@pytest.mark.parametrize("code", [401, 403, 408, 429, 500, 503])
def test_a_refusal_that_may_end_by_itself_keeps_every_reading_in_order(house: House, code: int) -> None:
    lives(house, 70)
    house.utility.failing = for_resource(house, "mirror", code)
    lives(house, 240)
    house.utility.failing = lambda request: None
    lives(house, 70)
    starts = [start for start, _, _ in posted(house, SITE_W)]
    assert len(starts) >= 5
    assert starts == list(range(starts[0], starts[-1] + 60, 60)), "each minute once, oldest first"


def test_retry_after_of_a_reading_is_kept(house: House) -> None:
    lives(house, 70)
    house.utility.failing = for_resource(house, "mirror", 429, **{"Retry-After": "100"})
    so_far = len(house.utility.requests)
    lives(house, 95)
    tried = [
        each.path for each in house.utility.requests[so_far:]
        if (house.utility.names.of(each.path) or "").startswith("mirror:")
    ]  # fmt: skip
    assert len(tried) == len(set(tried)), "one try at each mirror"


def test_answers_are_retried_until_the_event_ends_and_come_before_any_report(house: House) -> None:
    lives(house, 10)
    now = int(house.utility.now())
    house.utility.programs[0][0].controls["A"] = house.utility.control(
        "AA", now, 400, watts("opModExpLimW", 5)
    )
    house.utility.failing = for_resource(house, "rsp", 503)
    lives(house, 300)
    house.utility.failing = lambda request: None
    lives(house, 70)
    assert house.utility.answers() == [("AA", 1), ("AA", 2)]


def test_der_status_is_put_on_change_debounced_by_2_s(house: House) -> None:
    lives(house, 10)
    puts = len(house.utility.bodies("ders"))
    for _ in range(20):  # a cloud at the edge of 1 %
        lives(house, 1, power_w=101.0)
        lives(house, 1, power_w=99.0)
    assert len(house.utility.bodies("ders")) == puts
    lives(house, 4, power_w=0.0)
    assert len(house.utility.bodies("ders")) == puts + 1
    assert status(house) == ("07", "1")


def test_der_status_says_not_connected_while_the_meter_says_islanded_and_follows_it_back(
    house: House,
) -> None:
    lives(house, 10, islanded=False)
    assert status(house) == ("07", "2")
    lives(house, 4, islanded=True)
    assert status(house) == ("00", "1")
    lives(house, 4, islanded=False)
    assert status(house) == ("07", "2")


def test_each_failed_put_is_backed_off(house: House) -> None:
    lives(house, 10)
    house.utility.failing = for_resource(house, "ders", 500)
    so_far = len(house.utility.requests)
    for second in range(300):
        lives(house, 1, power_w=0.0 if second // 10 % 2 else 3000.0)
    tried = [
        each for each in house.utility.requests[so_far:] if each.path == house.utility.names.path("ders")
    ]
    assert len(tried) <= 12, "row 31 of the predecessor's faults: one PUT per sample"


def test_der_status_is_put_at_every_poll_of_the_list_of_der(house: House) -> None:
    house.utility.rates["der"] = 120
    lives(house, 10)
    puts = len(house.utility.bodies("ders"))
    lives(house, 360)
    assert 3 <= len(house.utility.bodies("ders")) - puts <= 4
    house.utility.rates["der"] = 60
    lives(house, 120)
    puts = len(house.utility.bodies("ders"))
    lives(house, 180)
    assert len(house.utility.bodies("ders")) - puts >= 3


def test_der_documents_are_never_fetched_so_that_a_404_before_the_first_put_means_nothing(
    house: House,
) -> None:
    lives(house, 130)
    ours = {house.utility.names.path(name) for name in ("dercap", "derg", "ders")}
    assert [each for each in house.utility.requests if each.method == "GET" and each.path in ours] == []


MODES = {
    "what is usual": (["export", "generation"], "0010000C", "05"),
    "export only": (["export"], "0000000C", "01"),
    "import and load obeyed as well": (["export", "import", "generation", "load"], "0010000C", "0F"),
}


@pytest.mark.parametrize(("obeyed", "modes", "doe"), MODES.values(), ids=MODES.keys())
def test_modes_are_0000000c_and_00100000_and_doe_modes_only_those_obeyed(
    build: Callable[..., House], obeyed: list[str], modes: str, doe: str
) -> None:
    house = build(modes=obeyed)
    lives(house, 10)
    assert (
        value(last(house, "dercap"), "modesSupported") == value(last(house, "derg"), "modesEnabled") == modes
    )
    assert (
        value(last(house, "dercap"), "doeModesSupported")
        == value(last(house, "derg"), "doeModesEnabled")
        == doe
    )
    assert value(last(house, "dercap"), "vppModesSupported") is None


def test_element_order_and_media_type_of_1_3(build: Callable[..., House]) -> None:
    house = build(sections={"batteries": [BATTERY]}, wire=V1_3)
    for _ in range(70):
        battery(house, soc_pct=50.0)
        lives(house, 1)
    text = last(house, "dercap").decode()
    assert text.index("<type>") < text.index("doeModesSupported") < text.index("vppModesSupported")
    text = last(house, "derg").decode()
    assert (
        text.index("updatedTime")
        < text.index("doeModesEnabled")
        < text.index("vppModesEnabled")
        < text.index("setMinWh")
    )
    sent = [each for each in house.utility.requests if each.method in ("PUT", "POST")]
    assert {each.media_type for each in sent} == {"application/sep+xml; csipaus=1.3"}


@pytest.mark.parametrize("layout", ["role", "reading"])
def test_the_default_set_is_averages_of_watts_vars_and_volts_in_either_layout(
    build: Callable[..., House], layout: str
) -> None:
    house = build(mup_layout=layout)
    lives(house, 190)
    types = b"".join(house.utility.bodies("mup"))
    assert types.count(b"<ReadingType>") == 6, "site and DER: W, var, volts of the one phase"
    assert types.count(b"<dataQualifier>2</dataQualifier>") == 6
    assert b"<uom>33</uom>" not in types
    assert len(names(house)) == {"role": 2, "reading": 6}[layout]
    assert len(house.utility.bodies("mup")) == len(names(house))
    expected = {SITE_W: -15002, Series(Role.SITE, 29, 129): 2413, DER_W: 30000, DER_VAR: 0}
    assert {series: posted(house, series)[-1][2] for series in expected} == expected
    assert len(posted(house, SITE_W)) >= 2
    made = names(house)
    house.client.store.close()
    house.boot()
    lives(house, 10)
    assert names(house) == made, "the same mRIDs after a restart"


def test_minimum_maximum_frequency_and_power_per_phase_come_by_setting(build: Callable[..., House]) -> None:
    house = build(report_also=["minimum_maximum", "frequency", "power_per_phase"])
    lives(house, 190)
    assert posted(house, Series(Role.SITE, 33, power_of_ten=-2))[-1][2] == 4997
    assert posted(house, Series(Role.SITE, 33, None, 8, -2))[-1][2] == 4997
    assert posted(house, Series(Role.SITE, 38, 128))[-1][2] == -15002
    assert posted(house, Series(Role.DER, 38, None, 9))[-1][2] == 30000


def test_a_post_rate_under_60_s_posts_each_whole_minute_once(house: House) -> None:
    house.utility.post_rate = 5
    lives(house, 310)
    starts = [start for start, _, _ in posted(house, SITE_W)]
    assert len(starts) >= 4
    assert starts == list(range(starts[0], starts[-1] + 60, 60))
    assert {length for _, length, _ in posted(house, SITE_W)} == {60}


def test_asleep_der_watts_and_vars_are_0_and_volts_are_left_out(house: House) -> None:
    for _ in range(190):
        meter(house)
        inverter(house, power_w=-4.0, reactive_var=9.0, voltage_a_v=3.0, state=m.InverterState.SLEEPING)
        house.turn(1.0)
    assert {each for _, _, each in posted(house, DER_W)} == {0}
    assert {each for _, _, each in posted(house, DER_VAR)} == {0}
    assert posted(house, Series(Role.DER, 29, 129)) == []


def test_an_inverter_that_does_not_tell_its_vars_is_not_said_to_have_none(house: House) -> None:
    for _ in range(190):
        inverter(house, reactive_var=None)
        house.turn(1.0)
    assert posted(house, DER_W)
    assert posted(house, DER_VAR) == []


def test_a_mirror_is_posted_again_with_the_same_mrid_when_it_carries_more_and_no_type_changes(
    house: House,
) -> None:
    for _ in range(70):
        meter(house)
        house.turn(1.0)
    lives(house, 70)
    site = [body.decode() for body in house.utility.bodies("mup") if b"<roleFlags>0003<" in body]
    assert [body.count("<ReadingType>") for body in site] == [1, 3]
    assert len({value(body.encode(), "mRID") for body in site}) == 1
    first = site[0][site[0].index("<ReadingType>") : site[0].index("</ReadingType>")]
    assert first in site[1]


def test_a_post_rate_that_changes_is_obeyed_and_every_minute_is_covered_exactly_once(house: House) -> None:
    lives(house, 130)
    house.utility.post_rate = 300
    lives(house, 1200)
    house.utility.post_rate = 60
    lives(house, 600)
    found = posted(house, SITE_W)
    assert {300, 60} <= {length for _, length, _ in found}
    ends = [start + length for start, length, _ in found]
    assert [start for start, _, _ in found][1:] == ends[:-1]
    assert all(start % 60 == 0 for start, _, _ in found)


def test_readings_are_buffered_through_an_outage_and_each_comes_once(house: House) -> None:
    lives(house, 130)
    house.utility.failing = lambda request: (500, {})
    lives(house, 900)
    house.utility.failing = lambda request: None
    lives(house, 130)
    starts = [start for start, _, _ in posted(house, SITE_W)]
    assert starts == list(range(starts[0], starts[-1] + 60, 60))
    assert len(starts) >= 17


def test_too_many_readings_drop_the_oldest_first_with_an_event(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (telemetry, reports):
        monkeypatch.setattr(module, "MOST_WAITING", 30)
    lives(house, 130)
    house.utility.failing = lambda request: (500, {})
    outage = house.utility.now()
    lives(house, 1200)
    assert "csip_readings_dropped" in codes(house.bus, "csip-client")
    house.utility.failing = lambda request: None
    lives(house, 70)
    late = [start for start, _, _ in posted(house, SITE_W) if start > outage]
    assert late == list(range(late[0], late[-1] + 60, 60)), "the newest are kept, without a gap"
    assert late[0] > outage + 600


@pytest.mark.parametrize("count", [0, 2])
def test_row_13_a_list_of_no_or_two_der_is_no_crash(house: House, count: int) -> None:
    pages = house.utility._pages
    listed = pages._list

    def changed(name: str, entries: list[str], rate: str | None, request: Request) -> bytes:
        return listed(name, entries * count if name == "DERList" else entries, rate, request)

    pages._list = changed  # type: ignore[method-assign]
    lives(house, 130)
    assert (counts(house)[0] > 0) is (count > 0)
    pages._list = listed  # type: ignore[method-assign]
    lives(house, 70)
    assert counts(house)[0] > 0, "an empty list is asked again"


def test_row_25_volts_and_hertz_keep_their_decimals(build: Callable[..., House]) -> None:
    house = build(report_also=["frequency"])
    lives(house, 130)
    assert posted(house, Series(Role.SITE, 29, 129))[-1][2] == 2413, "241.26 V in tenths"
    assert posted(house, Series(Role.SITE, 33, power_of_ten=-2))[-1][2] == 4997, "49.97 Hz in hundredths"


def test_row_26_no_inverter_that_answers_is_off_and_no_number_that_is_none(house: House) -> None:
    house.turn(130.0)
    assert status(house) == ("00", "1")
    assert b"nfinity" not in b"".join(house.utility.bodies("ders") + house.utility.bodies("mirror"))


def test_row_28_rtg_max_w_is_watts_and_rtg_max_va_is_va(house: House) -> None:
    capability(house, "roof", 9000.0, nameplate_w=10000.0, max_va=11000.0)
    lives(house, 5)
    assert value(last(house, "dercap"), "rtgMaxW/value") == "10000"
    assert value(last(house, "dercap"), "rtgMaxVA/value") == "11000"
    assert value(last(house, "derg"), "setMaxW/value") == "9000"


def test_row_29_solar_with_storage_is_type_83_whatever_the_inverter_says(build: Callable[..., House]) -> None:
    house = build(sections={"batteries": [BATTERY]})
    capability(house, "roof", 10000.0, der_type=82)
    lives(house, 5)
    assert value(last(house, "dercap"), "type") == "83"


def test_row_32_a_rating_without_decimals_is_no_rating_missing(house: House) -> None:
    capability(house, "roof", 10000.0, max_va=10000.0, max_var=6000.0)
    lives(house, 5)
    assert value(last(house, "derg"), "setMaxVA/value") == "10000"
    assert value(last(house, "derg"), "setMaxVar/value") == "6000"


def test_row_43_a_rating_beyond_16_bits_or_with_decimals_is_scaled_to_fit(house: House) -> None:
    capability(house, "roof", 49999.0, nameplate_w=50001.5)
    lives(house, 5)
    body = last(house, "dercap")
    assert (value(body, "rtgMaxW/value"), value(body, "rtgMaxW/multiplier")) == ("5000", "1")
    assert abs(int(value(last(house, "derg"), "setMaxW/value") or 0)) <= 32767


def test_row_49_memory_is_bounded_while_there_is_nowhere_to_post(house: House) -> None:
    lives(house, 5)
    house.utility.failing = lambda request: (500, {}) if b"<MirrorUsagePoint" in request.body else None
    report = house.client.lanes.report
    assert report is not None
    lives(house, 1200)
    assert len(report._telemetry.buckets) <= 6 * 6
    assert len(report._telemetry.waiting) <= telemetry.MOST_WAITING
    assert len(report._samples) < 100
