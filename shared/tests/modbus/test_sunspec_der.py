"""The newer SunSpec models on real sockets: 701 read, 702 rated, 703 and 704 written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from dynexport.messages import InverterState
from dynexport.modbus.definitions import PointDefinition, model
from dynexport.modbus.endpoint import Endpoint
from dynexport.modbus.sunspec import BadValue
from dynexport.modbus.sunspec_inverter import InverterStatus, SunSpecInverter

MEASURED = {"ACType": 2, "St": 1, "InvSt": 3, "ConnSt": 1, "W": 699, "W_SF": 1, "Var": -25, "Var_SF": 0}
MEASURED |= {"Hz": 499900, "Hz_SF": -4, "VL1": 2301, "VL2": 2302, "VL3": 2303, "V_SF": -1}
MEASURED |= {"TotWhInj": 5_000_000_000_000, "TotWh_SF": 0}
CAPACITY = {"WMaxRtg": 1000, "WMax": 800, "VAMax": 900, "VAMaxRtg": 1000, "VarMaxInj": 440}
CAPACITY |= {"W_SF": 1, "VA_SF": 1, "Var_SF": 1}
SERVICE = {"ES": 1}
CONTROLS = {"WMaxLimPctEna": 0, "WMaxLimPct": 10000, "WMaxLimPctRvrt": 10000, "WMaxLimPctEnaRvrt": 0}
CONTROLS |= {"WMaxLimPctRvrtTms": 0, "WMaxLimPctRvrtRem": 0, "WMaxLimPct_SF": -2}
IMMEDIATE = {"Conn": 1, "WMaxLimPct": 10000, "WMaxLim_Ena": 0, "WMaxLimPct_SF": -2}
OLD = {"W": 5000, "W_SF": 0, "St": 4}
BASE = 40000
GAP = 1 << 70  # a point that this device has not


def void(point: PointDefinition) -> list[int]:
    """The registers that say "not implemented"."""
    if point.type.startswith(("acc", "string")):
        return [0] * point.size
    first = 0x8000 if point.type.startswith(("int", "sunssf", "pad")) else 0xFFFF
    rest = 0 if first == 0x8000 else 0xFFFF
    return [first] + [rest] * (point.size - 1)


def block(model_id: int, values: Mapping[str, int]) -> list[int]:
    definition = model(model_id)
    registers: list[int] = []
    for point in definition.points.values():
        given = values.get(point.name, GAP)
        registers += void(point) if given == GAP else point.encode(given)
    registers[0], registers[1] = model_id, definition.length - 2
    return registers


class Der:
    """An inverter with these models; a value of GAP is not implemented."""

    def __init__(self, server: Any, endpoint: Endpoint, **models: Mapping[str, int] | None) -> None:
        shape: dict[str, Mapping[str, int] | None] = {
            "m701": MEASURED, "m702": CAPACITY, "m703": SERVICE, "m704": CONTROLS, **models,
        }  # fmt: skip
        self.server = server
        self.starts: dict[int, int] = {}
        registers = [0x5375, 0x6E53]
        for name, values in {"m1": {}, **shape}.items():
            if values is not None:
                self.starts[int(name[1:])] = BASE + len(registers)
                registers += block(int(name[1:]), values)
        server.put(1, BASE, *registers, 0xFFFF)
        self.inverter = SunSpecInverter(endpoint, 1)

    def point(self, model_id: int, name: str) -> int:
        offset = model(model_id).points[name].offset
        return int(self.server.registers[(1, self.starts[model_id] + offset)])

    def writes(self) -> list[tuple[int, list[int]]]:
        """(offset in 704, registers) of each write so far."""
        return [(address - self.starts[704], values) for _, address, values in self.server.writes]


def test_701_is_read_in_one_request_with_its_wide_points(server: Any, endpoint: Endpoint) -> None:
    der = Der(server, endpoint)
    der.inverter.read()
    server.requests.clear()
    reading = der.inverter.read()
    assert len(server.requests) == 1
    assert (reading.power_w, reading.state, reading.reactive_var) == (6990.0, InverterState.MPPT, -25.0)
    assert reading.frequency_hz == pytest.approx(49.99)
    assert (reading.voltage_a_v, reading.voltage_c_v) == (pytest.approx(230.1), pytest.approx(230.3))
    assert reading.energy_wh == 5e12


@pytest.mark.parametrize(
    ("number", "state"),
    [
        (0, InverterState.OFF),
        (1, InverterState.SLEEPING),
        (2, InverterState.STARTING),
        (3, InverterState.MPPT),
        (4, InverterState.THROTTLED),
        (5, InverterState.SHUTTING_DOWN),
        (6, InverterState.FAULT),
        (7, InverterState.STANDBY),
    ],
)
def test_every_state_of_701_has_its_word(
    server: Any, endpoint: Endpoint, number: int, state: InverterState
) -> None:
    assert Der(server, endpoint, m701=MEASURED | {"InvSt": number}).inverter.read().state is state


def test_a_state_of_701_that_nobody_knows_is_refused(server: Any, endpoint: Endpoint) -> None:
    with pytest.raises(BadValue, match="InvSt is 9"):
        Der(server, endpoint, m701=MEASURED | {"InvSt": 9}).inverter.read()


@pytest.mark.parametrize(
    ("st", "state"), [(0, InverterState.OFF), (1, InverterState.MPPT), (GAP, InverterState.MPPT)]
)
def test_without_an_inverter_state_701_st_tells_off_from_running(
    server: Any, endpoint: Endpoint, st: int, state: InverterState
) -> None:
    assert Der(server, endpoint, m701=MEASURED | {"InvSt": GAP, "St": st}).inverter.read().state is state


def test_a_sleeping_701_without_a_power_makes_nothing(server: Any, endpoint: Endpoint) -> None:
    assert Der(server, endpoint, m701={"ACType": 0, "InvSt": 1}).inverter.read().power_w == 0.0


def test_a_running_701_without_a_power_is_refused(server: Any, endpoint: Endpoint) -> None:
    with pytest.raises(BadValue, match="W is not implemented"):
        Der(server, endpoint, m701={"ACType": 0, "InvSt": 3}).inverter.read()


def test_a_single_phase_701_gives_its_only_voltage(server: Any, endpoint: Endpoint) -> None:
    one = {"ACType": 0, "InvSt": 3, "W": 10, "W_SF": 0, "LNV": 2415, "V_SF": -1}
    assert Der(server, endpoint, m701=one).inverter.read().voltage_a_v == pytest.approx(241.5)


def test_701_tells_whether_it_is_connected_and_operating(server: Any, endpoint: Endpoint) -> None:
    assert Der(server, endpoint).inverter.read_status() == InverterStatus(connected=True, operating=True)
    gone = Der(server, endpoint, m701=MEASURED | {"ConnSt": 0, "InvSt": 7}).inverter.read_status()
    assert gone == InverterStatus(connected=False, operating=False)


def test_where_both_stand_the_older_models_are_read_because_their_points_are_mandatory(
    server: Any, endpoint: Endpoint
) -> None:
    assert Der(server, endpoint, m103=OLD).inverter.read().power_w == 5000.0


@pytest.mark.parametrize("name", ["Hz_SF", "Var_SF", "V_SF", "TotWh_SF"])
def test_an_absurd_scale_factor_on_an_optional_point_costs_that_point_only(
    server: Any, endpoint: Endpoint, name: str
) -> None:
    reading = Der(server, endpoint, m701=MEASURED | {name: 77}).inverter.read()
    assert reading.power_w == 6990.0
    lost = {"Hz_SF": reading.frequency_hz, "Var_SF": reading.reactive_var, "V_SF": reading.voltage_a_v}
    assert (lost | {"TotWh_SF": reading.energy_wh})[name] is None


def test_an_absurd_scale_factor_of_the_power_is_refused(server: Any, endpoint: Endpoint) -> None:
    with pytest.raises(BadValue, match="scale factor of W is 77"):
        Der(server, endpoint, m701=MEASURED | {"W_SF": 77}).inverter.read()


def test_702_settings_come_before_its_ratings(server: Any, endpoint: Endpoint) -> None:
    identity = Der(server, endpoint).inverter.identify()
    assert (identity.max_w, identity.nameplate_w) == (8000.0, 10_000.0)
    assert (identity.max_va, identity.max_var) == (9000.0, 4400.0)
    assert (identity.control_model, identity.resolution_pct) == (704, pytest.approx(0.01))
    assert (identity.chooses_revert, identity.can_disconnect) == (True, True)


def test_the_base_of_704_is_702_wmax_and_its_rating_where_that_is_missing(
    server: Any, endpoint: Endpoint
) -> None:
    old = {"WMax": 5000, "WMax_SF": 0}
    assert Der(server, endpoint, m121=old).inverter.identify().max_w == 8000.0
    assert Der(server, endpoint, m702=CAPACITY | {"WMax": GAP}).inverter.identify().max_w == 10_000.0
    assert Der(server, endpoint, m702=None, m121=old).inverter.identify().max_w == 5000.0


def test_the_base_of_123_is_121_wmax_also_where_702_stands_beside(server: Any, endpoint: Endpoint) -> None:
    old = {"WMax": 5000, "WMax_SF": 0}
    identity = Der(server, endpoint, m704=None, m121=old, m123=IMMEDIATE).inverter.identify()
    assert (identity.max_w, identity.control_model) == (5000.0, 123)
    assert not identity.chooses_revert


def test_an_absurd_apparent_power_does_not_cost_the_inverter(server: Any, endpoint: Endpoint) -> None:
    identity = Der(server, endpoint, m702=CAPACITY | {"VA_SF": 77}).inverter.identify()
    assert (identity.max_w, identity.max_va) == (8000.0, None)


def test_an_absurd_base_is_refused_and_no_other_rating_taken_for_it(server: Any, endpoint: Endpoint) -> None:
    der = Der(server, endpoint, m702=CAPACITY | {"W_SF": 8}, m121={"WMax": 5000, "WMax_SF": 0})
    with pytest.raises(BadValue, match="WMax is"):
        der.inverter.identify()


def test_a_704_limit_is_one_write_with_its_revert_value_and_a_timer_of_two_registers(
    server: Any, endpoint: Endpoint
) -> None:
    der = Der(server, endpoint)
    der.inverter.identify()
    server.requests.clear()
    der.inverter.write_limit(55.829, 25, 15.0)
    assert len(server.requests) == 1, "a tightening waits for no read"
    assert der.writes() == [(14, [1, 5582, 1500, 1, 0, 25])]
    control = der.inverter.read_control()
    assert (control.effective_pct, control.revert_s) == (pytest.approx(55.82), 25)


def test_a_704_limit_without_a_timer_stops_the_one_of_a_predecessor(server: Any, endpoint: Endpoint) -> None:
    der = Der(server, endpoint, m704=CONTROLS | {"WMaxLimPctRvrtTms": 7_864_320})
    der.inverter.write_limit(40.0, 0)
    assert der.writes() == [(14, [1, 4000, 4000, 1, 0, 0])]


@pytest.mark.parametrize(
    ("lacks", "registers"),
    [
        # no timer at all: the block ends before it
        ({"WMaxLimPctRvrt", "WMaxLimPctEnaRvrt", "WMaxLimPctRvrtTms"}, [1, 4000]),
        # a timer that leads nobody knows where is stopped
        ({"WMaxLimPctRvrt", "WMaxLimPctEnaRvrt"}, [1, 4000, 0xFFFF, 0xFFFF, 0, 0]),
        ({"WMaxLimPctEnaRvrt"}, [1, 4000, 4000, 0xFFFF, 0, 0]),
        ({"WMaxLimPctRvrtTms"}, [1, 4000, 4000, 1]),
    ],
)
def test_a_704_that_lacks_a_part_of_reverting_is_not_asked_to(
    server: Any, endpoint: Endpoint, lacks: set[str], registers: list[int]
) -> None:
    der = Der(server, endpoint, m704=CONTROLS | dict.fromkeys(lacks, GAP))
    assert not der.inverter.identify().chooses_revert
    der.inverter.write_limit(40.0, 25, 15.0)
    assert der.writes() == [(14, registers)]


def test_704_goes_before_123_because_it_reverts_to_what_we_choose(server: Any, endpoint: Endpoint) -> None:
    der = Der(server, endpoint, m123=IMMEDIATE)
    assert der.inverter.identify().control_model == 704
    der.inverter.write_limit(40.0, 25, 15.0)
    assert der.point(123, "WMaxLim_Ena") == 0


@pytest.mark.parametrize("lacks", ["WMaxLimPctEna", "WMaxLimPct", "WMaxLimPct_SF"])
def test_a_704_that_cannot_limit_leaves_it_to_123(server: Any, endpoint: Endpoint, lacks: str) -> None:
    controls = CONTROLS | {lacks: GAP if lacks != "WMaxLimPct_SF" else -0x8000}
    assert Der(server, endpoint, m704=controls, m123=IMMEDIATE).inverter.identify().control_model == 123
    assert Der(server, endpoint, m704=controls).inverter.identify().control_model is None


@pytest.mark.parametrize("scale", [-10, -3, 3, 10])
def test_a_704_scale_factor_with_which_100_percent_cannot_be_written_is_refused(
    server: Any, endpoint: Endpoint, scale: int
) -> None:
    der = Der(server, endpoint, m704=CONTROLS | {"WMaxLimPct_SF": scale})
    with pytest.raises(BadValue, match="scale factor of WMaxLimPct"):
        der.inverter.write_limit(100.0, 0)
    assert server.writes == []


def test_a_704_scale_factor_that_makes_an_enabled_limit_absurd_is_refused(
    server: Any, endpoint: Endpoint
) -> None:
    der = Der(server, endpoint, m704=CONTROLS | {"WMaxLimPct_SF": 0, "WMaxLimPct": 6400, "WMaxLimPctEna": 1})
    with pytest.raises(BadValue, match="WMaxLimPct is 6400 % by the scale factor 0"):
        der.inverter.write_limit(64.0, 0)
    assert server.writes == []


def test_a_704_limit_that_is_not_enabled_limits_nothing(server: Any, endpoint: Endpoint) -> None:
    der = Der(server, endpoint, m704=CONTROLS | {"WMaxLimPct": 1000})
    assert der.inverter.read_control().effective_pct == 100.0


def test_connecting_is_703_enter_service(server: Any, endpoint: Endpoint) -> None:
    der = Der(server, endpoint)
    der.inverter.write_connect(False)
    assert der.point(703, "ES") == 0
    assert der.inverter.read_control().connected is False
    der.server.put(1, der.starts[703] + 2, 1)  # somebody else permits service
    assert der.inverter.read_control().connected is True
    assert der.inverter.read_control().connected is True, "looked at as long as we hold it open"
    der.inverter.write_connect(True)
    assert der.point(703, "ES") == 1


def test_the_switch_of_a_connected_inverter_costs_no_request(server: Any, endpoint: Endpoint) -> None:
    der = Der(server, endpoint)
    assert der.inverter.read_control().connected is True
    server.requests.clear()
    assert der.inverter.read_control().connected is None
    assert len(server.requests) == 1


def test_without_703_the_switch_is_123_conn_else_there_is_none(server: Any, endpoint: Endpoint) -> None:
    der = Der(server, endpoint, m703=SERVICE | {"ES": GAP}, m123=IMMEDIATE)
    assert der.inverter.identify().can_disconnect
    der.inverter.write_connect(False)
    assert der.point(123, "Conn") == 0
    bare = Der(server, endpoint, m703=None)
    assert not bare.inverter.identify().can_disconnect
    assert bare.inverter.read_control().connected is None
    with pytest.raises(BadValue, match="no switch"):
        bare.inverter.write_connect(False)


def test_release_disables_the_limit_also_after_the_timer(server: Any, endpoint: Endpoint) -> None:
    der = Der(server, endpoint)
    der.inverter.write_limit(40.0, 25, 15.0)
    der.inverter.release()
    assert der.writes()[-1] == (14, [0, 10000, 10000, 0, 0, 0])
    assert der.inverter.read_control().effective_pct == 100.0
