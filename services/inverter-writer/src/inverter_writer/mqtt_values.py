"""What an inverter behind MQTT says, as the values of any inverter. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from dynexport.mapping import Mapping, Odd, Sample, decode, find, number
from dynexport.messages import HardwareFallback, InverterState
from dynexport.modbus.inverter_values import InverterIdentity, InverterStatus, InverterValues
from dynexport.settings.models import MqttInverter, ReadBack
from dynexport.settings.mqtt_devices import InverterFields

DRIVER = "mqtt"
ROUNDED_W = 2.0  # a whole watt is lost on each side
STATES = tuple(InverterState)  # SunSpec 103 `St`, from 1
SWITCHED = {"true": True, "on": True, "1": True, "false": False, "off": False, "0": False}

# open-dynamic-export's payload: IEEE 2030.5 says `operationalModeStatus` and the bits of `genConnectStatus`
PREDECESSOR = InverterFields(
    power_w="inverter.realPower",
    reactive_var="inverter.reactivePower",
    voltage_a_v="inverter.voltagePhaseA",
    voltage_b_v="inverter.voltagePhaseB",
    voltage_c_v="inverter.voltagePhaseC",
    frequency_hz="inverter.frequency",
    state="status.operationalModeStatus",
)
PREDECESSOR_STATES = {1.0: InverterState.OFF}
CONNECTED, AVAILABLE, OPERATING, FAULT = 1, 2, 4, 16


@dataclass(frozen=True, slots=True)
class Heard:
    """One message of the publisher; `measured_at` None: it does not say."""

    values: InverterValues
    status: InverterStatus
    measured_at: datetime | None
    left_out: tuple[str, ...] = ()
    nameplate_w: float | None = None
    max_va: float | None = None
    max_var: float | None = None


@dataclass(frozen=True, slots=True)
class Held:
    """What it says it holds: percent of `rated_w`, 100 at most; `connected` None: it does not say."""

    limit_pct: float
    connected: bool | None = None


class Ear:
    """How one publisher's readings are read."""

    def __init__(self, settings: MqttInverter) -> None:
        self._predecessor = settings.format == "predecessor"
        self._mapping = Mapping(settings, PREDECESSOR)

    def read(self, payload: bytes) -> Heard:
        """One message; raises Odd."""
        sample = self._mapping.read(payload)
        heard = Heard(
            _values(sample, _state(sample)),
            InverterStatus(available_w=sample.values.get("available_w")),
            sample.measured_at,
            sample.left_out,
        )
        return _predecessors(heard, decode(payload)) if self._predecessor else heard


def identity_of(settings: MqttInverter, heard: Heard | None) -> InverterIdentity:
    """What it is: all that is known of it stands in `site.yaml`, but a nameplate that its publisher tells."""
    return InverterIdentity(
        manufacturer=None,
        model=None,
        serial=None,
        der_type=None,
        control_model=None,
        max_w=settings.rated_w,
        nameplate_w=heard.nameplate_w if heard else None,
        max_va=heard.max_va if heard else None,
        max_var=heard.max_var if heard else None,
        resolution_pct=max(settings.resolution_pct, 100.0 * ROUNDED_W / settings.rated_w),
        can_disconnect=settings.can_disconnect,
        driver=DRIVER,
        when_silent=HardwareFallback(settings.when_silent),
        why_not=None if settings.command else "site.yaml gives no `command` for it: it is only read",
    )


def held(payload: bytes, settings: ReadBack, rated_w: float) -> Held:
    """What a read-back says; raises Odd for one without a limit."""
    document, fields = decode(payload), settings.fields
    path, base = (fields.limit_w, rated_w) if fields.limit_w is not None else (fields.limit_pct, 100.0)
    assert path is not None
    limit = number(find(document, path), path)
    if limit is None or limit < 0.0:
        raise Odd(f"`{path}` is no limit: {limit}")
    connected = None if fields.connect is None else _switched(find(document, fields.connect), fields.connect)
    return Held(min(100.0, 100.0 * limit / base), connected)


def _switched(value: Any, path: str) -> bool:
    if isinstance(value, float):
        value = f"{value:g}"
    word = str(value).strip().lower()
    if word not in SWITCHED:
        raise Odd(f"`{path}` is neither true nor false: {str(value)[:40]!r}")
    return SWITCHED[word]


def _values(sample: Sample, state: InverterState | None) -> InverterValues:
    values = sample.values
    power_w = values["power_w"]
    guessed = InverterState.MPPT if power_w > 0.0 else InverterState.STANDBY
    return InverterValues(
        power_w=power_w,
        state=state or guessed,
        reactive_var=values.get("reactive_var"),
        voltage_a_v=values.get("voltage_a_v"),
        voltage_b_v=values.get("voltage_b_v"),
        voltage_c_v=values.get("voltage_c_v"),
        frequency_hz=values.get("frequency_hz"),
        energy_wh=values.get("energy_wh"),
    )


def _state(sample: Sample) -> InverterState | None:
    word = sample.words.get("state")
    if isinstance(word, float) and word.is_integer() and 1 <= word <= len(STATES):
        return STATES[int(word) - 1]
    return next((state for state in STATES if state.value == word), None)


def _predecessors(heard: Heard, document: Any) -> Heard:
    """Its words for the state are others, and it tells its nameplate."""
    mode = number(find(document, "status.operationalModeStatus"), "status.operationalModeStatus")
    bits = int(number(find(document, "status.genConnectStatus"), "status.genConnectStatus") or 0)
    guessed = InverterState.MPPT if heard.values.power_w > 0.0 else InverterState.STANDBY
    state = InverterState.FAULT if bits & FAULT else PREDECESSOR_STATES.get(mode or 0.0, guessed)
    status = InverterStatus(bool(bits & CONNECTED), bool(bits & AVAILABLE), bool(bits & OPERATING))
    plate = {name: number(find(document, f"nameplate.{name}"), name) for name in ("maxW", "maxVA", "maxVar")}
    return replace(
        heard,
        values=replace(heard.values, state=state),
        status=status,
        nameplate_w=plate["maxW"],
        max_va=plate["maxVA"],
        max_var=plate["maxVar"],
    )
