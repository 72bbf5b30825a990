"""An inverter that only a data file describes, over a real socket: devices.md section 4, "a declarative driver"."""

from __future__ import annotations

from typing import Any

import pytest

from dynexport.clock import FakeClock
from dynexport.messages import HardwareFallback, InverterState, Scope
from dynexport.modbus.endpoint import Endpoint, Refused, Unreachable
from dynexport.modbus.registers.catalogue import description
from dynexport.modbus.registers.inverter import RegisterInverter
from dynexport.modbus.registers.model import Description, Flag
from dynexport.modbus.registers.reader import Reader
from dynexport.modbus.sunspec import BadValue

UNIT = 7


@pytest.fixture
def device(server: Any, endpoint: Endpoint, acme: Description) -> RegisterInverter:
    server.put(UNIT, 10, 0x4163, 0x6D65, 0x2031, 0x3000)
    server.put(UNIT, 20, 0x1234, 0)
    server.put(UNIT, 30, 10_000, 0)
    server.put(UNIT, 100, 250, 0, 2301, 0xFFFF, 9000, 0, 1000, 0, 7, 1)
    server.put_input(UNIT, 200, 5001, 0)
    server.put(UNIT, 300, 0x55, 1000, 0, 0)
    server.put(UNIT, 310, 206)
    server.put(UNIT, 400, 4, 0)
    return RegisterInverter(endpoint, UNIT, acme, name="acme", rated_w=10_000, tested=False)


def test_it_says_who_it_is_and_what_it_does_without_us(device: RegisterInverter) -> None:
    identity = device.identify()
    assert (identity.manufacturer, identity.model, identity.serial) == ("Acme", "Acme 10", "4660")
    assert (identity.max_w, identity.resolution_pct) == (10_000, 0.1)
    assert (identity.driver, identity.confidence, identity.scope) == ("acme", "agreed", Scope.GENERATION)
    assert (identity.chooses_revert, identity.when_silent) == (True, HardwareFallback.CHOSEN_W)
    assert identity.can_disconnect
    assert identity.why_not is None


def test_its_values_are_scaled_summed_and_taken_from_the_registers_named(device: RegisterInverter) -> None:
    values = device.read()
    assert (values.power_w, values.state) == (2500.0, InverterState.MPPT)
    assert values.voltage_a_v == pytest.approx(230.1)
    assert values.frequency_hz == pytest.approx(50.01)
    status = device.read_status()
    assert (status.available_w, status.connected, status.operating) == (8000.0, True, True)


def test_a_poll_is_one_request_for_each_block(server: Any, device: RegisterInverter) -> None:
    server.requests.clear()
    device.read()
    assert server.requests == [(UNIT, 3, 100, 10), (UNIT, 4, 200, 2)]


def test_no_power_is_zero_when_it_sleeps_and_refused_when_it_does_not(
    server: Any, device: RegisterInverter
) -> None:
    server.put(UNIT, 100, 0, 0x8000)
    with pytest.raises(BadValue, match="no power"):
        device.read()
    server.put(UNIT, 108, 0)
    assert (device.read().power_w, device.read().state) == (0.0, InverterState.SLEEPING)


@pytest.mark.parametrize("words", [(0xFFFF,) * 10, (0x7FFF, 0x7FFF, 2301, 0, 0, 0, 0, 0, 7, 1)])
def test_registers_that_make_no_sense_are_no_reading(
    server: Any, device: RegisterInverter, words: tuple[int, ...]
) -> None:
    server.put(UNIT, 100, *words)
    with pytest.raises(BadValue):
        device.read()


def test_a_scale_factor_that_lies_is_refused(server: Any, device: RegisterInverter) -> None:
    server.put(UNIT, 103, 0x8000)
    with pytest.raises(BadValue, match="scale factor"):
        device.read()


@pytest.mark.parametrize("rating", [(0, 0), (0xFFFF, 0xFFFF)])
def test_a_rating_that_makes_no_sense_is_refused(
    server: Any, device: RegisterInverter, rating: tuple[int, int]
) -> None:
    server.put(UNIT, 30, *rating)
    with pytest.raises(BadValue, match="rating"):
        device.identify()


@pytest.mark.parametrize(
    ("registers", "effective_pct"),
    [((0xAA, 250), 25.0), ((0x55, 250), 100.0), ((0xAA, 0xFFFF), 100.0), ((0xAA, 1100), 100.0)],
)
def test_the_limit_that_stands_is_read(
    server: Any, device: RegisterInverter, registers: tuple[int, int], effective_pct: float
) -> None:
    server.put(UNIT, 300, *registers)
    control = device.read_control()
    assert control.effective_pct == pytest.approx(effective_pct)
    assert control.connected is True


def test_a_limit_that_lies_is_refused_and_never_written_back(server: Any, device: RegisterInverter) -> None:
    server.put(UNIT, 300, 0xAA, 30_000)
    with pytest.raises(BadValue, match="makes no sense"):
        device.read_control()


def test_a_limit_is_written_in_the_order_of_the_file_and_rounded_down(
    server: Any, device: RegisterInverter
) -> None:
    device.write_limit(33.37, 25, 15.0)
    assert server.writes == [(UNIT, 301, [333, 25, 150]), (UNIT, 300, [0xAA])]
    server.writes.clear()
    device.write_limit(40.0, 25, 15.0)
    assert server.writes == [(UNIT, 301, [400, 25, 150])], "the switch stands already"


def test_its_timer_never_goes_to_more_than_what_is_written(server: Any, device: RegisterInverter) -> None:
    device.write_limit(10.0, 25, 15.0)
    assert server.writes[0] == (UNIT, 301, [100, 25, 100])


def test_a_last_write_keeps_the_timer_whose_value_is_no_higher(server: Any, device: RegisterInverter) -> None:
    device.write_limit(30.0, 0, 15.0)
    assert server.writes[0] == (UNIT, 301, [300, 25, 150])


def test_what_prepares_it_is_written_only_where_it_differs_and_once(
    server: Any, device: RegisterInverter
) -> None:
    server.put(UNIT, 400, 9)
    device.write_limit(30.0, 25, 15.0)
    device.write_limit(31.0, 25, 15.0)
    assert [(address, values) for _, address, values in server.writes if address in (400, 401)] == [
        (400, [4]),
        (401, [1]),
    ]


def test_after_an_error_it_is_prepared_anew(server: Any, device: RegisterInverter) -> None:
    device.write_limit(30.0, 25, 15.0)
    server.mood = "refuse"
    with pytest.raises(Refused):
        device.write_limit(20.0, 25, 15.0)
    server.mood = "fine"
    server.put(UNIT, 400, 9)  # it came back as the factory made it
    device.write_limit(20.0, 25, 15.0)
    assert (UNIT, 400, [4]) in server.writes


def test_it_is_connected_disconnected_and_released(server: Any, device: RegisterInverter) -> None:
    device.write_connect(False)
    assert device.read_control().connected is False
    device.write_connect(True)
    device.release()
    assert server.writes == [(UNIT, 310, [207]), (UNIT, 310, [206]), (UNIT, 300, [0x55])]


@pytest.mark.parametrize(("tested", "refused"), [(False, True), (True, False)])
def test_an_unconfirmed_description_needs_the_owners_word(
    endpoint: Endpoint, server: Any, acme: Description, device: RegisterInverter, tested: bool, refused: bool
) -> None:
    doubtful = acme.model_copy(update={"confidence": "unconfirmed"})
    identity = RegisterInverter(
        endpoint, UNIT, doubtful, name="acme", rated_w=10_000, tested=tested
    ).identify()
    assert (identity.why_not is not None) is refused
    assert "i_have_tested_this: true" in (identity.why_not or "i_have_tested_this: true")


def test_an_export_limit_in_watts_is_a_part_of_the_rating(
    server: Any, endpoint: Endpoint, acme: Description, device: RegisterInverter
) -> None:
    assert acme.limit is not None
    value = acme.limit.value.model_copy(update={"scale": 10.0})
    write = acme.limit.write[0].model_copy(update={"scale": 10.0})
    limit = acme.limit.model_copy(
        update={"scope": Scope.EXPORT, "unit": "w", "resolution": 10.0, "value": value, "write": (write,)}
    )
    by_export = RegisterInverter(
        endpoint, UNIT, acme.model_copy(update={"limit": limit}), name="acme", rated_w=10_000, tested=False
    )
    assert (by_export.identify().scope, by_export.identify().resolution_pct) == (Scope.EXPORT, 0.1)
    by_export.write_limit(50.07, 0, 15.0)
    assert server.writes == [(UNIT, 301, [500])]
    server.put(UNIT, 300, 0xAA, 500)
    assert by_export.read_control().effective_pct == 50.0
    server.put(UNIT, 301, 4000)
    assert by_export.read_control().effective_pct == 100.0, "more than it could ever export is no limit"


def with_foreign(acme: Description, endpoint: Endpoint, *, persistent: bool) -> RegisterInverter:
    assert acme.limit is not None
    update = {"foreign": Flag(address=300, on=(5,)), "persistent": persistent}
    described = acme.model_copy(update={"limit": acme.limit.model_copy(update=update)})
    return RegisterInverter(endpoint, UNIT, described, name="acme", rated_w=10_000, tested=False)


def test_a_limit_of_another_kind_counts_as_0_until_it_is_adopted(
    server: Any, endpoint: Endpoint, acme: Description, device: RegisterInverter
) -> None:
    cautious = with_foreign(acme, endpoint, persistent=True)
    server.put(UNIT, 300, 5, 800)
    assert cautious.identify().why_not is None
    assert cautious.read_control().effective_pct == 0.0
    server.put(UNIT, 300, 0xAA)
    assert cautious.read_control().effective_pct == 80.0


def test_a_volatile_inverter_with_a_limit_of_another_kind_is_never_written_to(
    server: Any, endpoint: Endpoint, acme: Description, device: RegisterInverter
) -> None:
    cautious = with_foreign(acme, endpoint, persistent=False)
    server.put(UNIT, 300, 5, 800)
    assert "another kind of limit stands in it (register 300)" in (cautious.identify().why_not or "")
    server.put(UNIT, 300, 0x55)
    assert cautious.identify().why_not is None


def test_a_reading_that_the_device_does_not_stand_by_is_none(
    server: Any, endpoint: Endpoint, acme: Description, device: RegisterInverter
) -> None:
    read = acme.read.model_copy(update={"valid": Flag(address=109, on=(1,))})
    described = acme.model_copy(update={"read": read})
    careful = RegisterInverter(endpoint, UNIT, described, name="acme", rated_w=10_000, tested=False)
    assert careful.read().power_w == 2500.0
    server.put(UNIT, 109, 0)
    with pytest.raises(BadValue, match="do not count"):
        careful.read()


def test_a_block_that_is_read_seldom_keeps_its_values_until_then(
    server: Any, endpoint: Endpoint, acme: Description, device: RegisterInverter
) -> None:
    clock = FakeClock()
    seldom = acme.blocks[1].model_copy(update={"every_s": 10.0})
    reader = Reader(endpoint, UNIT, acme.model_copy(update={"blocks": (acme.blocks[0], seldom)}), clock)
    assert reader.poll()["input", 200] == 5001
    server.put_input(UNIT, 200, 4999)
    clock.advance(9.0)
    assert reader.poll()["input", 200] == 5001
    clock.advance(1.0)
    assert reader.poll()["input", 200] == 4999


def test_a_prepare_that_broke_off_before_its_commit_is_committed_by_the_next(
    server: Any, device: RegisterInverter, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.put(UNIT, 400, 9)
    write = Endpoint.write_registers

    def lose_the_commit(self: Endpoint, unit: int, address: int, words: Any) -> None:
        if address == 401:
            raise Unreachable("no answer")
        write(self, unit, address, words)

    with monkeypatch.context() as patch:
        patch.setattr(Endpoint, "write_registers", lose_the_commit)
        with pytest.raises(Unreachable):
            device.write_limit(30.0, 25)
    device.write_limit(30.0, 25)
    device.write_limit(31.0, 25)
    assert [address for _, address, _ in server.writes if address in (400, 401)] == [400, 401]


def test_what_stands_in_a_sungrow_sg_is_not_written_again_because_nobody_knows_whether_its_memory_wears(
    server: Any, endpoint: Endpoint
) -> None:
    server.put(1, 5006, 0x55, 1000)
    sungrow = RegisterInverter(
        endpoint, 1, description("sungrow-sg"), name="sungrow-sg", rated_w=10_000, tested=False
    )
    for _ in range(3):
        sungrow.write_limit(30.0, 0)
    assert server.writes == [(1, 5007, [300]), (1, 5006, [0xAA])]


def test_a_limit_that_is_not_enabled_may_read_as_anything(server: Any, device: RegisterInverter) -> None:
    server.put(UNIT, 300, 0x55, 30_000)
    assert device.read_control().effective_pct == 100.0


def test_an_export_limit_above_the_rating_is_told_from_none_where_it_persists(
    server: Any, endpoint: Endpoint, acme: Description, device: RegisterInverter
) -> None:
    """The master of two hybrids may hold the whole site's limit, which `release` must not lift."""
    assert acme.limit is not None
    value = acme.limit.value.model_copy(update={"scale": 10.0})
    update = {"scope": Scope.EXPORT, "unit": "w", "resolution": 10.0, "value": value, "persistent": True}
    limit = acme.limit.model_copy(update=update)
    master = RegisterInverter(
        endpoint, UNIT, acme.model_copy(update={"limit": limit}), name="acme", rated_w=10_000, tested=False
    )
    server.put(UNIT, 300, 0xAA, 1500)
    assert master.read_control().effective_pct == pytest.approx(99.9)
    server.put(UNIT, 301, 1000)
    assert master.read_control().effective_pct == 100.0, "the most that we write ourselves"
