"""What SunSpec inverters measure: models 101-103, 111-113 and 122, and the newer 701."""

from __future__ import annotations

from dynexport.messages import InverterState
from dynexport.modbus.inverter_values import InverterStatus, InverterValues
from dynexport.modbus.sunspec import BadValue, NotSunSpec, SunSpecDevice, Values

MODELS = (103, 113, 102, 112, 101, 111)
STATUS, MEASURED = 122, 701
STATES = {
    1: InverterState.OFF,
    2: InverterState.SLEEPING,
    3: InverterState.STARTING,
    4: InverterState.MPPT,
    5: InverterState.THROTTLED,
    6: InverterState.SHUTTING_DOWN,
    7: InverterState.FAULT,
    8: InverterState.STANDBY,
}
ASLEEP = (InverterState.OFF, InverterState.SLEEPING)
OPERATING = (InverterState.MPPT, InverterState.THROTTLED)
SINGLE_PHASE = 0
# as far as TotWh_SF: 121 registers, so one request; the whole of 701 would need two
POINTS_701 = ("ACType", "St", "InvSt", "ConnSt", "W", "Var", "LNV", "Hz", "TotWhInj", "VL1", "VL2", "VL3")


def read_values(device: SunSpecDevice) -> InverterValues:
    """Power and state; raises NotSunSpec where no model tells them.

    The older models come first where a device has both: their W and St are mandatory, while all of 701 is optional.
    """
    model_id = device.first_of(*MODELS)
    if model_id is not None:
        return _values_10x(device.read(model_id))
    if MEASURED in device.models:
        return _values_701(device.read(MEASURED, *POINTS_701))
    found = ", ".join(str(number) for number in device.models)
    raise NotSunSpec(f"{device.endpoint.address} unit {device.unit}: no inverter among the models {found}")


def read_status(device: SunSpecDevice) -> InverterStatus:
    """Model 122, else what 701 says of it; all None where the device has neither."""
    if STATUS in device.models:
        values = device.read(STATUS)
        return InverterStatus(
            connected=values.bit("PVConn", "CONNECTED"),
            available=values.bit("PVConn", "AVAILABLE"),
            operating=values.bit("PVConn", "OPERATING"),
            available_w=values.get("WAval"),
        )
    if MEASURED not in device.models:
        return InverterStatus()
    values = device.read(MEASURED, "ACType", "St", "InvSt", "ConnSt")
    connected = values.integer("ConnSt")
    told = values.integer("InvSt") is not None
    return InverterStatus(
        connected=None if connected is None else connected == 1,
        operating=_state_701(values) in OPERATING if told else None,
    )


def _values_10x(values: Values) -> InverterValues:
    number = values.integer("St")
    state = STATES.get(number) if number is not None else None
    if state is None:
        raise BadValue(f"{values.where}: St is {number}")
    return InverterValues(
        power_w=_power_w(values, state),
        state=state,
        reactive_var=values.get("VAr"),
        voltage_a_v=values.get("PhVphA"),
        voltage_b_v=values.get("PhVphB"),
        voltage_c_v=values.get("PhVphC"),
        frequency_hz=values.get("Hz"),
        energy_wh=values.get("WH"),
    )


def _values_701(values: Values) -> InverterValues:
    state = _state_701(values)
    one_phase = values.integer("ACType") == SINGLE_PHASE
    voltage_a_v = values.get("VL1")
    return InverterValues(
        power_w=_power_w(values, state),
        state=state,
        reactive_var=values.get("Var"),
        voltage_a_v=values.get("LNV") if voltage_a_v is None and one_phase else voltage_a_v,
        voltage_b_v=values.get("VL2"),
        voltage_c_v=values.get("VL3"),
        frequency_hz=values.get("Hz"),
        energy_wh=values.get("TotWhInj"),
    )


def _state_701(values: Values) -> InverterState:
    """InvSt counts from 0 what 103 counts from 1; without it St (0 is off); one that tells neither is running."""
    number = values.integer("InvSt")
    if number is None:
        return InverterState.OFF if values.integer("St") == 0 else InverterState.MPPT
    state = STATES.get(number + 1)
    if state is None:
        raise BadValue(f"{values.where}: InvSt is {number}")
    return state


def _power_w(values: Values, state: InverterState) -> float:
    """An inverter that says off or sleeping and gives no power makes 0; any other must give it."""
    if state in ASLEEP:
        return values.checked("W") or 0.0
    return values.require("W")
