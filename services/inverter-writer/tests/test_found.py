"""Whose limit stands in a register that persists: the truth table, the file, and what a power cut leaves."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inverter_writer.found import Record, about_to_write, adopt, meet, wrote
from inverter_writer.handover import Handover
from inverter_writer.store import NotReadable, Store

DEVICE, OTHER = "M|X|1", "M|X|2"
STEP = 0.01


@pytest.mark.parametrize(
    ("before", "device", "standing_pct", "after"),
    [
        # never met: what limits may be the installer's, 100 % is nobody's word
        (None, DEVICE, 50.0, Record(DEVICE, found_pct=50.0)),
        (None, DEVICE, 0.0, Record(DEVICE, found_pct=0.0)),
        (None, DEVICE, 100.0, Record(DEVICE)),
        (None, DEVICE, 99.996, Record(DEVICE)),
        # met, never written: it follows the device
        (Record(DEVICE, found_pct=50.0), DEVICE, 70.0, Record(DEVICE, found_pct=70.0)),
        (Record(DEVICE, found_pct=50.0), DEVICE, 100.0, Record(DEVICE)),
        (Record(DEVICE, found_pct=50.0, adopted=True), DEVICE, 50.0, Record(DEVICE, (), 50.0, True)),
        (Record(DEVICE, found_pct=50.0, adopted=True), DEVICE, 40.0, Record(DEVICE, found_pct=40.0)),
        # the last one that we wrote is ours, to the device's resolution
        (Record(DEVICE, (30.0,)), DEVICE, 30.0, Record(DEVICE, (30.0,))),
        (Record(DEVICE, (30.0,)), DEVICE, 30.004, Record(DEVICE, (30.0,))),
        (Record(DEVICE, (30.0,), 50.0), DEVICE, 30.0, Record(DEVICE, (30.0,), 50.0)),
        (Record(DEVICE, (30.0,), 50.0, True), DEVICE, 30.0, Record(DEVICE, (30.0,), 50.0, True)),
        # another one is not, also when it is looser than ours
        (Record(DEVICE, (30.0,)), DEVICE, 20.0, Record(DEVICE, (30.0,), 20.0)),
        (Record(DEVICE, (30.0,)), DEVICE, 60.0, Record(DEVICE, (30.0,), 60.0)),
        # of two that were found the tighter stays until adopted; a new one after that is found anew
        (Record(DEVICE, (30.0,), 50.0), DEVICE, 70.0, Record(DEVICE, (30.0,), 50.0)),
        (Record(DEVICE, (30.0,), 50.0), DEVICE, 20.0, Record(DEVICE, (30.0,), 20.0)),
        (Record(DEVICE, (80.0,), 50.0, True), DEVICE, 70.0, Record(DEVICE, (80.0,), 70.0)),
        # the adopted one again (the inverter went back to it by itself) stays adopted
        (Record(DEVICE, (80.0,), 50.0, True), DEVICE, 50.0, Record(DEVICE, (80.0,), 50.0, True)),
        # an inverter that forgot everything: what was found still counts
        (Record(DEVICE, (30.0,), 50.0), DEVICE, 100.0, Record(DEVICE, (30.0,), 50.0)),
        # a power cut between the store and the write: either value is ours
        (Record(DEVICE, (30.0, 60.0)), DEVICE, 30.0, Record(DEVICE, (30.0, 60.0))),
        (Record(DEVICE, (30.0, 60.0)), DEVICE, 60.0, Record(DEVICE, (30.0, 60.0))),
        (Record(DEVICE, (15.0,), 50.0), DEVICE, 50.0, Record(DEVICE, (15.0,), 50.0)),
        # another device in its place: nothing that we know counts, not even an adopt
        (Record(DEVICE, (30.0,)), OTHER, 30.0, Record(OTHER, found_pct=30.0)),
        (Record(DEVICE, (30.0,), 50.0, True), OTHER, 50.0, Record(OTHER, found_pct=50.0)),
        (Record(DEVICE, (30.0,), 50.0), OTHER, 100.0, Record(OTHER)),
        # a device that does not say who it is counts as the same
        (Record(DEVICE, (30.0,), 50.0), "", 30.0, Record(DEVICE, (30.0,), 50.0)),
        (Record("", (30.0,), 50.0), DEVICE, 30.0, Record(DEVICE, (30.0,), 50.0)),
    ],
)
def test_what_is_not_ours_is_taken_for_the_installers(
    before: Record | None, device: str, standing_pct: float, after: Record
) -> None:
    assert meet(before, device, standing_pct, STEP) == after


PERCENTS = st.integers(0, 10_000).map(lambda steps: steps / 100)


@given(PERCENTS, st.lists(PERCENTS, max_size=5), st.lists(PERCENTS, min_size=1, max_size=5))
def test_without_an_adopt_no_meeting_ever_lets_more_be_written(
    installers_pct: float, ours: list[float], met: list[float]
) -> None:
    record = meet(None, DEVICE, installers_pct, STEP)
    for percent in [min(record.most_pct, 15.0), *ours]:
        record = wrote(
            about_to_write(record, min(percent, record.most_pct), ""), min(percent, record.most_pct)
        )
    for percent in met:
        before = record.most_pct
        record = meet(record, DEVICE, percent, STEP)
        assert record.most_pct <= before


def test_only_an_adopted_limit_may_be_loosened() -> None:
    record = Record(DEVICE, (15.0,), 50.0)
    assert record.most_pct == 50.0
    assert adopt(record).most_pct == 100.0


def test_values_that_may_have_arrived_are_remembered_until_one_is_confirmed() -> None:
    record = about_to_write(about_to_write(Record(DEVICE, (30.0,)), 60.0, "monday"), 40.0, "monday")
    assert (record.day, record.writes) == ("monday", 2)
    assert about_to_write(record, 50.0, "tuesday").writes == 1
    assert record.ours == (30.0, 60.0, 40.0)
    assert wrote(record, 40.0).ours == (40.0,)


def test_what_is_stored_is_read_back_exactly(tmp_path: Path) -> None:
    store = Store(tmp_path / "state", "roof")
    assert store.load() is None
    record = Record(DEVICE, (55.82, 15.0), 33.33, True)
    store.save(record)
    assert Store(tmp_path / "state", "roof").load() == record
    assert [path.name for path in store.path.parent.iterdir()] == ["roof.json"]


@pytest.mark.parametrize(
    "rubbish",
    [
        b"",
        b"\x00" * 40,
        b"{",
        b"[]",
        b'{"device": "x", "ours": [500]}',
        b'{"device": "x", "found_pct": "NaN"}',
        b'{"ours": []}',
    ],
)
def test_a_damaged_file_counts_as_not_ours_and_is_said_once(tmp_path: Path, rubbish: bytes) -> None:
    store = Store(tmp_path, "roof")
    store.path.parent.mkdir()
    store.path.write_bytes(rubbish)
    with pytest.raises(NotReadable, match=r"roof\.json"):
        store.load()
    handover = Handover(store)
    assert len(handover.troubles) == 1
    assert "damaged" in handover.troubles[0]
    handover.meet(DEVICE, 30.0, STEP)
    assert (handover.found_pct, handover.most_pct) == (30.0, 30.0)
    assert len(handover.troubles) == 1


def test_a_file_that_cannot_be_read_counts_as_not_ours(tmp_path: Path) -> None:
    store = Store(tmp_path, "roof")
    store.path.mkdir(parents=True)  # a folder where the file should be
    handover = Handover(store)
    assert "cannot be read" in handover.troubles[0]
    handover.meet(DEVICE, 30.0, STEP)
    assert handover.most_pct == 30.0


def test_a_disk_that_fails_is_said_once_and_stops_no_write(tmp_path: Path) -> None:
    (tmp_path / "inverter-writer").write_text("a file where the folder should be")
    handover = Handover(Store(tmp_path, "roof"))
    handover.troubles.clear()
    handover.meet(DEVICE, 30.0, STEP)
    handover.about_to_write(15.0)
    handover.wrote(15.0)
    assert len(handover.troubles) == 1
    assert "cannot be written" in handover.troubles[0]
    assert handover.most_pct == 30.0


def test_a_value_is_on_the_disk_before_it_is_in_the_device(tmp_path: Path) -> None:
    handover = Handover(Store(tmp_path, "roof"))
    handover.meet(DEVICE, 100.0, STEP)
    handover.about_to_write(60.0)
    stored = Store(tmp_path, "roof").load()
    assert stored is not None
    assert stored.ours == (60.0,)


def test_an_adopt_survives_a_restart(tmp_path: Path) -> None:
    handover = Handover(Store(tmp_path, "roof"))
    assert not handover.adopt(), "nothing was found yet"
    handover.meet(DEVICE, 50.0, STEP)
    assert handover.adopt()
    again = Handover(Store(tmp_path, "roof"))
    again.meet(DEVICE, 50.0, STEP)
    assert (again.found_pct, again.adopted, again.most_pct) == (50.0, True, 100.0)


def test_volatile_registers_know_no_found_limit() -> None:
    handover = Handover()
    handover.meet(DEVICE, 30.0, STEP)
    assert (handover.found_pct, handover.most_pct, handover.adopt()) == (None, 100.0, False)
