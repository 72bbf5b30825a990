"""SunSpec maps of every shape, on real sockets; vectors from the predecessor's tests."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any

import pytest

from dynexport.messages import InverterState
from dynexport.modbus.definitions import model
from dynexport.modbus.endpoint import BadAnswer, Endpoint, Refused
from dynexport.modbus.sunspec import BadValue, NotSunSpec, discover
from dynexport.modbus.sunspec_inverter import SunSpecInverter
from dynexport.modbus.sunspec_meter import SunSpecMeter

SUNS = (0x5375, 0x6E53)
END = (0xFFFF,)
METER_203 = {"W": -7508, "W_SF": -1, "WphA": -7392, "PhVphA": 2355, "V_SF": -1, "VAR": -5841, "VAR_SF": -1}
METER_203 |= {"Hz": 4990, "Hz_SF": -2, "TotWhImp": 1000, "TotWhExp": 5000, "TotWh_SF": 0}
INVERTER_103 = {"W": 6990, "W_SF": 0, "St": 4, "PhVphA": 23010, "V_SF": -2, "Hz": 4999, "Hz_SF": -2}
INVERTER_103 |= {"VAr": -2500, "VAr_SF": -2}
CONTROLS = {
    "Conn": 1,
    "WMaxLimPct": 10000,
    "WMaxLimPct_WinTms": 0,
    "WMaxLimPct_RvrtTms": 60,
    "WMaxLimPct_RmpTms": 0,
}
CONTROLS |= {"WMaxLim_Ena": 0, "WMaxLimPct_SF": -2}


def block(model_id: int, values: Mapping[str, float], length: int | None = None) -> list[int]:
    """A model's registers: what is not given is not implemented."""
    definition = model(model_id)
    registers = [0x8000] * definition.length
    for point in definition.points.values():
        filler = 0x8000 if point.type in ("int16", "sunssf", "pad") else 0xFFFF
        registers[point.offset : point.offset + point.size] = [filler] * point.size
        if point.type.startswith(("acc", "string")):
            registers[point.offset : point.offset + point.size] = [0] * point.size
        if point.type == "float32":
            registers[point.offset : point.offset + 2] = [0x7FC0, 0]
    for name, value in values.items():
        point = definition.points[name]
        kind = {"float32": ">f"}.get(point.type, ">i" if point.size == 2 else ">h")
        raw = struct.pack(kind, value) if point.type == "float32" else struct.pack(kind, int(value))
        registers[point.offset : point.offset + point.size] = struct.unpack(f">{point.size}H", raw)
    registers[0], registers[1] = model_id, (length or definition.length) - 2
    return registers[: length or definition.length]


def serve(server: Any, *blocks: list[int], base: int = 40000, unit: int = 1, common: int = 68) -> None:
    """Put a map on a unit; the common model has `common` registers with its header."""
    registers = [*SUNS, *block(1, {}, common)]
    for registers_of_model in blocks:
        registers += registers_of_model
    server.put(unit, base, *registers, *END)


@pytest.mark.parametrize("base", [40000, 50000, 0])
@pytest.mark.parametrize("common", [68, 67])
def test_a_map_is_found_at_every_base_and_with_either_common_model(
    server: Any, endpoint: Endpoint, base: int, common: int
) -> None:
    serve(server, block(203, METER_203), base=base, common=common)
    assert SunSpecMeter(endpoint, 1).read().power_w == pytest.approx(-750.8)


def test_the_end_is_recognised_without_a_length(server: Any, endpoint: Endpoint) -> None:
    serve(server, block(203, METER_203))
    assert set(discover(endpoint, 1).models) == {1, 203}


def test_what_is_no_sunspec_map_is_told_with_what_was_found(server: Any, endpoint: Endpoint) -> None:
    server.put(1, 40000, 1, 2)
    with pytest.raises(NotSunSpec, match=r"40000: 0001 0002, 50000: exception 2, 0: exception 2"):
        discover(endpoint, 1)


def test_the_predecessors_meter_vector(server: Any, endpoint: Endpoint) -> None:
    serve(server, block(203, METER_203))
    reading = SunSpecMeter(endpoint, 1).read()
    assert reading.power_a_w == pytest.approx(-739.2)
    assert reading.voltage_a_v == pytest.approx(235.5)
    assert reading.reactive_var == pytest.approx(-584.1)
    assert reading.frequency_hz == pytest.approx(49.9)
    assert reading.power_b_w is None


def test_invert_turns_every_sign_and_swaps_the_counters(server: Any, endpoint: Endpoint) -> None:
    serve(server, block(203, METER_203))
    reading = SunSpecMeter(endpoint, 1, invert=True).read()
    assert reading.power_w == pytest.approx(750.8)
    assert (reading.import_wh, reading.export_wh) == (5000, 1000)


@pytest.mark.parametrize("model_id", [201, 202, 203, 204])
def test_every_integer_meter_model_is_read(server: Any, endpoint: Endpoint, model_id: int) -> None:
    serve(server, block(model_id, {"W": 1234, "W_SF": 0}))
    assert SunSpecMeter(endpoint, 1).read().power_w == 1234


@pytest.mark.parametrize("model_id", [211, 212, 213, 214])
def test_every_float_meter_model_is_read(server: Any, endpoint: Endpoint, model_id: int) -> None:
    serve(server, block(model_id, {"W": 1234.5}))
    assert SunSpecMeter(endpoint, 1).read().power_w == pytest.approx(1234.5)


@pytest.mark.parametrize(
    "damage",
    [
        {"W": -32768},
        {"W_SF": -32768},
        {"W_SF": 32767},
        {"W_SF": 11},
        {"W_SF": -11},
    ],
)
def test_sentinels_and_absurd_scale_factors_are_refused_on_a_mandatory_point(
    server: Any, endpoint: Endpoint, damage: dict[str, float]
) -> None:
    serve(server, block(203, METER_203 | damage))
    with pytest.raises(BadValue, match="model 203"):
        SunSpecMeter(endpoint, 1).read()


@pytest.mark.parametrize("power", [float("nan"), float("inf")])
def test_a_float_that_is_no_number_is_refused(server: Any, endpoint: Endpoint, power: float) -> None:
    serve(server, block(213, {"W": power}))
    with pytest.raises(BadValue):
        SunSpecMeter(endpoint, 1).read()


def test_a_map_that_moved_is_noticed_and_found_again(server: Any, endpoint: Endpoint) -> None:
    serve(server, block(203, METER_203))
    meter = SunSpecMeter(endpoint, 1)
    meter.read()
    serve(server, block(203, METER_203), common=67)
    with pytest.raises(BadValue, match="another model"):
        meter.read()
    assert meter.read().power_w == pytest.approx(-750.8)


def test_a_map_that_moved_to_where_nothing_stood_is_found_again(server: Any, endpoint: Endpoint) -> None:
    serve(server, block(203, METER_203))
    meter = SunSpecMeter(endpoint, 1)
    meter.read()
    server.registers.clear()
    serve(server, block(203, METER_203), base=50000)
    with pytest.raises(Refused):
        meter.read()
    assert meter.read().power_w == pytest.approx(-750.8)


def test_a_meter_is_read_in_one_request_though_a_float_model_has_126_registers(
    server: Any, endpoint: Endpoint
) -> None:
    serve(server, block(213, {"W": 1234.5, "TotWhImp": 70.0, "TotWhExp": 90.0}))
    meter = SunSpecMeter(endpoint, 1)
    meter.read()
    server.requests.clear()
    reading = meter.read()
    assert (reading.import_wh, reading.export_wh) == (70.0, 90.0)
    assert len(server.requests) == 1


def test_a_whole_model_above_125_registers_is_read_in_parts(server: Any, endpoint: Endpoint) -> None:
    serve(server, block(213, {"W": 1234.5}))
    device = discover(endpoint, 1)
    server.requests.clear()
    values = device.read(213)
    assert [count for _, _, _, count in server.requests] == [125, 1]
    assert len(values.registers) == 126


def test_a_counter_of_zero_is_not_implemented(server: Any, endpoint: Endpoint) -> None:
    serve(server, block(203, METER_203 | {"TotWhImp": 0}))
    reading = SunSpecMeter(endpoint, 1).read()
    assert (reading.import_wh, reading.export_wh) == (None, 5000)


@pytest.mark.parametrize("length", [0xFFFF, 0x8000])
def test_a_model_that_would_end_beyond_the_last_register_is_an_odd_answer(
    server: Any, endpoint: Endpoint, length: int
) -> None:
    server.put(1, 40000, *SUNS, 1, length)
    with pytest.raises(BadAnswer):
        discover(endpoint, 1)


def test_a_map_without_an_end_is_given_up(server: Any, endpoint: Endpoint) -> None:
    server.put(1, 40000, *SUNS, *[0] * 300)
    with pytest.raises(NotSunSpec, match="no end after 100 models"):
        discover(endpoint, 1)


def roof(server: Any, endpoint: Endpoint, **controls: int) -> SunSpecInverter:
    settings = block(121, {"WMax": 10000, "WMax_SF": 0})
    serve(server, block(103, INVERTER_103), settings, block(123, CONTROLS | controls))
    return SunSpecInverter(endpoint, 1)


def test_the_predecessors_inverter_vector(server: Any, endpoint: Endpoint) -> None:
    reading = roof(server, endpoint).read()
    assert (reading.power_w, reading.state) == (6990, InverterState.MPPT)
    assert reading.voltage_a_v == pytest.approx(230.1)
    assert reading.reactive_var == pytest.approx(-25)
    assert reading.frequency_hz == pytest.approx(49.99)


@pytest.mark.parametrize("model_id", [101, 102, 103])
def test_every_integer_inverter_model_is_read(server: Any, endpoint: Endpoint, model_id: int) -> None:
    serve(server, block(model_id, {"W": 2500, "W_SF": 0, "St": 4}))
    assert SunSpecInverter(endpoint, 1).read().power_w == 2500


@pytest.mark.parametrize("model_id", [111, 112, 113])
def test_every_float_inverter_model_is_read(server: Any, endpoint: Endpoint, model_id: int) -> None:
    serve(server, block(model_id, {"W": 2500.5, "St": 5}))
    reading = SunSpecInverter(endpoint, 1).read()
    assert reading.power_w == pytest.approx(2500.5)
    assert reading.state is InverterState.THROTTLED


def test_a_sleeping_inverter_without_a_power_makes_nothing(server: Any, endpoint: Endpoint) -> None:
    serve(server, block(103, {"St": 2}))
    assert SunSpecInverter(endpoint, 1).read().power_w == 0.0


def test_a_power_that_is_not_implemented_while_it_runs_is_refused(server: Any, endpoint: Endpoint) -> None:
    serve(server, block(103, {"St": 4, "W_SF": 0}))
    with pytest.raises(BadValue, match="W is not implemented"):
        SunSpecInverter(endpoint, 1).read()


def test_a_limit_is_one_write_of_five_registers_rounded_down_with_its_timer_explicit(
    server: Any, endpoint: Endpoint
) -> None:
    inverter = roof(server, endpoint)
    inverter.write_limit(55.829, 0)
    (write,) = server.writes
    assert write[2] == [5582, 0, 0, 0, 1]
    assert inverter.read_control().effective_pct == pytest.approx(55.82)


def test_optional_timers_that_a_device_has_not_are_left_as_they_are(server: Any, endpoint: Endpoint) -> None:
    roof(server, endpoint, WMaxLimPct_WinTms=-1, WMaxLimPct_RvrtTms=-1, WMaxLimPct_RmpTms=-1).write_limit(
        50.0, 0
    )
    assert server.writes[0][2] == [5000, 0xFFFF, 0xFFFF, 0xFFFF, 1]


@pytest.mark.parametrize(("scale", "raw"), [(0, 55), (-1, 558), (-2, 5582)])
def test_a_percentage_is_scaled_by_the_devices_own_factor(
    server: Any, endpoint: Endpoint, scale: int, raw: int
) -> None:
    roof(server, endpoint, WMaxLimPct_SF=scale, WMaxLimPct=0).write_limit(55.829, 0)
    assert server.writes[0][2][0] == raw


def test_connect_writes_its_one_register(server: Any, endpoint: Endpoint) -> None:
    inverter = roof(server, endpoint)
    inverter.write_connect(False)
    assert server.writes[0][2] == [0]
    assert not inverter.read_control().connected


def test_a_limit_that_is_not_enabled_limits_nothing(server: Any, endpoint: Endpoint) -> None:
    inverter = roof(server, endpoint, WMaxLimPct=1000, WMaxLim_Ena=0)
    assert inverter.read_control().effective_pct == 100.0


def test_points_that_do_not_follow_each_other_are_not_written(server: Any, endpoint: Endpoint) -> None:
    roof(server, endpoint)
    with pytest.raises(ValueError, match="does not follow"):
        discover(endpoint, 1).write(123, {"Conn": 1, "WMaxLim_Ena": 1})
    assert server.writes == []


def test_ratings_come_from_121_else_from_120(server: Any, endpoint: Endpoint) -> None:
    assert roof(server, endpoint).identify().max_w == 10_000
    serve(server, block(103, INVERTER_103), block(120, {"WRtg": 500, "WRtg_SF": 1}))
    assert SunSpecInverter(endpoint, 1).identify().max_w == 5000


def test_without_any_rating_an_inverter_is_refused(server: Any, endpoint: Endpoint) -> None:
    serve(server, block(103, INVERTER_103), block(121, {}))
    with pytest.raises(BadValue, match="neither WMax nor a rating"):
        SunSpecInverter(endpoint, 1).identify()


@pytest.mark.parametrize("scale", [-10, -3, 3, 10])
def test_a_scale_factor_with_which_100_percent_cannot_be_written_is_refused(
    server: Any, endpoint: Endpoint, scale: int
) -> None:
    inverter = roof(server, endpoint, WMaxLimPct_SF=scale, WMaxLimPct=0)
    with pytest.raises(BadValue, match="scale factor of WMaxLimPct"):
        inverter.identify()
    with pytest.raises(BadValue, match="scale factor of WMaxLimPct"):
        inverter.write_limit(100.0, 0)
    assert server.writes == []


def test_a_scale_factor_that_makes_an_enabled_limit_absurd_is_refused(
    server: Any, endpoint: Endpoint
) -> None:
    inverter = roof(server, endpoint, WMaxLimPct_SF=0, WMaxLimPct=6400, WMaxLim_Ena=1)
    with pytest.raises(BadValue, match="WMaxLimPct is 6400 % by the scale factor 0"):
        inverter.read_control()
    with pytest.raises(BadValue, match="by the scale factor 0"):
        inverter.write_limit(64.0, 0)
    assert server.writes == []


def test_an_absurd_percentage_that_is_not_enabled_costs_nothing(server: Any, endpoint: Endpoint) -> None:
    inverter = roof(server, endpoint, WMaxLimPct_SF=0, WMaxLimPct=6400, WMaxLim_Ena=0)
    assert inverter.read_control().effective_pct == 100.0


def test_a_rating_that_no_inverter_can_have_is_refused(server: Any, endpoint: Endpoint) -> None:
    serve(server, block(103, INVERTER_103), block(121, {"WMax": 10000, "WMax_SF": 10}))
    with pytest.raises(BadValue, match="model 121: WMax is"):
        SunSpecInverter(endpoint, 1).identify()


def test_a_name_that_is_not_utf_8_ends_nothing(server: Any, endpoint: Endpoint) -> None:
    inverter = roof(server, endpoint)
    server.put(1, 40004, 0x4DFC, 0x6C6C, 0x6572)  # "M\xfcller", as Latin-1 writes it
    assert inverter.identify().manufacturer == "M\ufffdller"


@pytest.mark.parametrize("state", [1, 2])
@pytest.mark.parametrize("model_id", [103, 113])
def test_power_is_nothing_only_while_it_says_off_or_sleeping(
    server: Any, endpoint: Endpoint, model_id: int, state: int
) -> None:
    serve(server, block(model_id, {"St": state}))
    reading = SunSpecInverter(endpoint, 1).read()
    assert (reading.power_w, reading.state) == (0.0, {1: InverterState.OFF, 2: InverterState.SLEEPING}[state])
