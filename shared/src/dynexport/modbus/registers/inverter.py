"""An inverter by its description: rated, read and limited."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dynexport.messages import HardwareFallback, InverterState, Scope
from dynexport.modbus.endpoint import Endpoint, ModbusError
from dynexport.modbus.inverter_values import ControlValues, InverterIdentity, InverterStatus, InverterValues
from dynexport.modbus.registers.model import Description, LimitSection, Write
from dynexport.modbus.registers.reader import Reader, Snapshot
from dynexport.modbus.registers.writer import Writer
from dynexport.modbus.sunspec import BadValue

FULL_PCT = 100.0
MOST_PCT = 200.0
MOST_OF_RATING = 3.0
MOST_RATED = 10.0
KILO = 1000.0
SHORTEST_WATCHDOG_S = 25
FOREIGN = "another kind of limit stands in it (register {address}), which ours would undo: take it out at the device"
OPERATING = (InverterState.MPPT, InverterState.THROTTLED)
UNTESTED = (
    "its description ({name}) is unconfirmed: nothing is written to it until `i_have_tested_this: true` stands in "
    "site.yaml"
)


class RegisterInverter:
    """An inverter behind an endpoint. Every call may raise ModbusError; after one the device is prepared anew."""

    def __init__(
        self,
        endpoint: Endpoint,
        unit: int,
        description: Description,
        *,
        name: str,
        rated_w: float,
        tested: bool,
    ) -> None:
        self._description = description
        self._name = name
        self._rated_w = rated_w
        self._max_w = rated_w
        self._tested = tested
        self._reader = Reader(endpoint, unit, description)
        self._writer = Writer(endpoint, unit, description)
        self._snapshot: Snapshot | None = None
        self._prepared = False

    def identify(self) -> InverterIdentity:
        """Name, rating and how it can be limited; raises BadValue when its rating makes no sense."""
        description, limit = self._description, self._description.limit
        self._prepared = False
        self._max_w = self._rating_w()
        return InverterIdentity(
            manufacturer=description.make,
            model=self._reader.text(description.identity.model),
            serial=self._reader.text(description.identity.serial),
            der_type=None,
            control_model=None,
            max_w=self._max_w,
            nameplate_w=None,
            max_va=None,
            max_var=None,
            resolution_pct=self._pct(limit.resolution, limit) if limit else 1.0,
            chooses_revert=limit is not None and limit.when_silent is HardwareFallback.CHOSEN_W,
            can_disconnect=description.connect is not None,
            driver=self._name,
            confidence=description.confidence,
            scope=limit.scope if limit else None,
            when_silent=limit.when_silent if limit else HardwareFallback.UNKNOWN,
            why_not=self._why_not(),
        )

    def read(self) -> InverterValues:
        """Power and state; one that sleeps and gives no power makes 0."""
        reader, read = self._reader, self._description.read
        snapshot = self._snapshot = reader.poll()
        state = self._state(snapshot)
        power_w = reader.quantity(read.power_w, snapshot)
        if power_w is None:
            if state not in (InverterState.OFF, InverterState.SLEEPING) and not read.asleep_without_power:
                raise BadValue(f"{reader.where}: it has no power to tell")
            power_w, state = 0.0, InverterState.SLEEPING
        if abs(power_w) > MOST_OF_RATING * max(self._max_w, self._rated_w):
            raise BadValue(
                f"{reader.where}: {power_w:.0f} W is no power for an inverter of {self._max_w:.0f} W"
            )
        return InverterValues(
            power_w=power_w,
            state=state,
            reactive_var=reader.quantity(read.reactive_var, snapshot),
            voltage_a_v=reader.quantity(read.voltage_a_v, snapshot),
            voltage_b_v=reader.quantity(read.voltage_b_v, snapshot),
            voltage_c_v=reader.quantity(read.voltage_c_v, snapshot),
            frequency_hz=reader.quantity(read.frequency_hz, snapshot),
            energy_wh=reader.quantity(read.energy_wh, snapshot),
        )

    def read_status(self) -> InverterStatus:
        """What the last reading said of its connection."""
        read, snapshot = self._description.read, self._snapshot
        if snapshot is None:
            return InverterStatus()
        connected = None if read.connected is None else self._reader.flag(read.connected, snapshot)
        return InverterStatus(
            connected=connected,
            available=connected,
            operating=None if connected is None else connected and self._state(snapshot) in OPERATING,
            available_w=self._reader.quantity(read.available_w, snapshot),
        )

    def read_control(self) -> ControlValues:
        """The limit that stands; raises BadValue when it makes no sense, or the description has none."""
        limit, reader = self._limit(), self._reader
        snapshot = reader.one(limit.value)
        enabled = limit.enabled is None or reader.flag(limit.enabled, reader.one(limit.enabled))
        foreign = limit.foreign is not None and reader.flag(limit.foreign, reader.one(limit.foreign))
        connect = self._description.connect
        connected = None if connect is None else reader.flag(connect.state, reader.one(connect.state))
        if foreign:
            return ControlValues(connected, 0.0, True, None, foreign=True)
        if (
            not enabled or reader.raw(limit.value, snapshot) in limit.unlimited
        ):  # what stands there limits nothing
            return ControlValues(connected, FULL_PCT, enabled, None)
        value = reader.number(limit.value, snapshot)
        if value is None:
            raise BadValue(f"{reader.where}: the limit cannot be read")
        percent = self._pct(value, limit)
        if percent < 0.0 or (limit.unit == "pct" and percent > MOST_PCT):
            raise BadValue(f"{reader.where}: a limit of {percent:g} % makes no sense")
        if percent > FULL_PCT:
            percent = self._most_pct(limit)
        return ControlValues(connected, percent, enabled, None)

    def write_limit(self, limit_pct: float, revert_s: int, revert_pct: float = 0.0) -> None:
        """In the description's order, rounded down; `revert_s` 0 leaves its timer at its shortest: it goes to
        `revert_pct`, which is no higher.
        """
        limit = self._limit()
        self._prepare(limit)
        values = {
            "limit": self._value(limit_pct, limit),
            "fallback": self._value(min(limit_pct, revert_pct), limit),
            "watchdog_s": float(revert_s or SHORTEST_WATCHDOG_S),
        }
        self._send(limit.write, values)

    def write_connect(self, connect: bool) -> None:
        """Connect or disconnect."""
        section = self._description.connect
        if section is None:
            raise BadValue(f"{self._reader.where}: it has no switch")
        self._send(section.on if connect else section.off, {})

    def release(self) -> None:
        """Take our limit out."""
        limit = self._limit()
        self._send(limit.release, {"limit": self._value(FULL_PCT, limit)})

    def _prepare(self, limit: LimitSection) -> None:
        if not self._prepared:
            self._send(limit.prepare, {}, only_if_different=True)
            self._prepared = True

    def _send(
        self, writes: Sequence[Write], values: Mapping[str, float], *, only_if_different: bool = False
    ) -> None:
        try:
            self._writer.send(writes, values, only_if_different=only_if_different)
        except ModbusError:
            self._prepared = False
            raise

    def _most_pct(self, limit: LimitSection) -> float:
        """What a limit above the rating counts as. Of an export that the device remembers it may be an installer's for
        the whole site: one step below 100 %, so that it is told from none, and never lifted without a word.
        """
        if limit.scope is Scope.EXPORT and limit.persistent:
            return FULL_PCT - self._pct(limit.resolution, limit)
        return FULL_PCT

    def _limit(self) -> LimitSection:
        if self._description.limit is None:
            raise BadValue(f"{self._reader.where}: its description has no `limit`")
        return self._description.limit

    def _why_not(self) -> str | None:
        """Why it may not be limited, in words."""
        if self._description.limit is None:
            return f"its description ({self._name}) has no `limit`: it cannot be limited"
        if self._description.confidence == "unconfirmed" and not self._tested:
            return UNTESTED.format(name=self._name)
        foreign = None if self._description.limit.persistent else self._description.limit.foreign
        if foreign is not None and self._reader.flag(foreign, self._reader.one(foreign)):
            return FOREIGN.format(address=foreign.address)
        return None

    def _rating_w(self) -> float:
        register = self._description.rating.max_w
        if register is None:
            return self._rated_w
        value = self._reader.number(register, self._reader.one(register))
        if value is None or not 0 < value <= MOST_RATED * self._rated_w:
            raise BadValue(f"{self._reader.where}: its rating reads {value} W")
        return value

    def _state(self, snapshot: Snapshot) -> InverterState:
        state = self._description.read.state
        if state is None:
            return InverterState.MPPT
        return state.words.get(str(self._reader.raw(state, snapshot)), state.otherwise)

    def _value(self, percent: float, limit: LimitSection) -> float:
        """A percentage in the limit's own unit."""
        watts = percent * self._max_w / FULL_PCT
        return {"pct": percent, "w": watts, "kw": watts / KILO}[limit.unit]

    def _pct(self, value: float, limit: LimitSection) -> float:
        """A value in the limit's own unit as a percentage."""
        watts = {"w": value, "kw": value * KILO}.get(limit.unit)
        return value if watts is None else FULL_PCT * watts / self._max_w
