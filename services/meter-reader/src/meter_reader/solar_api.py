"""A Fronius Smart Meter by the Solar API V1 of its inverter or Datamanager ("Fronius Solar API V1", 42,0410,2012)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from dynexport.clock import Clock
from dynexport.mapping import Odd, Sample, decode, find, moment, number
from meter_reader.device_clock import DeviceClock
from meter_reader.web import Http, NoAnswer, Trouble, WebReading

FLOW = "/solar_api/v1/GetPowerFlowRealtimeData.fcgi"
METERS = "/solar_api/v1/GetMeterRealtimeData.cgi?Scope=System"
AT_THE_GRID = 0.0
TELLS_S = 2.0  # two times in whole seconds, the meter's and the answer's
POWER = "PowerReal_P_Sum"
OTHERS = {
    "power_a_w": "PowerReal_P_Phase_1",
    "power_b_w": "PowerReal_P_Phase_2",
    "power_c_w": "PowerReal_P_Phase_3",
    "reactive_var": "PowerReactive_Q_Sum",
    "voltage_a_v": "Voltage_AC_Phase_1",
    "voltage_b_v": "Voltage_AC_Phase_2",
    "voltage_c_v": "Voltage_AC_Phase_3",
    "frequency_hz": "Frequency_Phase_Average",
    "import_wh": "EnergyReal_WAC_Sum_Consumed",
    "export_wh": "EnergyReal_WAC_Sum_Produced",
}


class SolarApi:
    """One inverter's Solar API. The power flow says whether the meter is heard; the meter says the rest."""

    def __init__(self, clock: Clock, connect: Callable[[], Http]) -> None:
        self._clock = clock
        self._connect = connect
        self._device_clock = DeviceClock()
        self._http: Http | None = None

    def read(self) -> WebReading:
        """One reading; raises Trouble."""
        try:
            flow_at, flow = self._ask(FLOW)
            grid_w = grid_power(flow)
            meters_at, meters = self._ask(METERS)
            sample = site(grid_w, flow_at, meters_at, meters)
        except NoAnswer as error:
            self.close()
            raise Trouble("error", f"the Solar API: {error}") from error
        except Odd as odd:
            raise Trouble("refused", f"the Solar API's answer was dropped: {odd}") from odd
        return WebReading(sample, offset_s=self._device_clock.offset_s, tells_s=TELLS_S)

    def cut(self) -> None:
        """End the exchange under way, from another thread."""
        http = self._http
        if http is not None:
            http.cut()

    def close(self) -> None:
        """Let the connection go."""
        http, self._http = self._http, None
        if http is not None:
            http.close()

    def _ask(self, path: str) -> tuple[datetime, Any]:
        """When it answered, by its own clock, and what; raises NoAnswer, Odd."""
        if self._http is None:
            self._http = self._connect()
        asked = self._clock.now()
        reply = self._http.request("GET", path)
        if reply.status == 404:
            raise NoAnswer("it knows no Solar API (404): is it switched on, under Communication on a GEN24?")
        if reply.status != 200:
            raise NoAnswer(f"{path} answers with status {reply.status}")
        document = decode(reply.body)
        said = answered_at(document)
        self._device_clock.heard(asked, said)
        return said, document


def answered_at(document: Any) -> datetime:
    """`Head.Timestamp`, when the answer was made; raises Odd, also where the answer says that it is none."""
    code = number(find(document, "Head.Status.Code"), "Head.Status.Code")
    if code is None:
        raise Odd("`Head.Status.Code` is missing")
    if code != 0.0:
        raise Odd(
            f"it says status {code:g}: {str(find(document, 'Head.Status.Reason') or 'no reason given')[:80]}"
        )
    return moment(find(document, "Head.Timestamp"))


def grid_power(flow: Any) -> float:
    """`P_Grid`, + import; raises Odd for null, which it is while the inverter does not hear the meter."""
    power_w = number(find(flow, "Body.Data.Site.P_Grid"), "P_Grid")
    if power_w is None:
        raise Odd("P_Grid is null: the inverter does not hear its Smart Meter")
    return power_w


def site(grid_w: float, flow_at: datetime, meters_at: datetime, meters: Any) -> Sample:
    """The meter at the grid connection with its own time; without one (it measures the house) only `P_Grid`.

    Which carries no time of its own: it counts as of the answer in which it came. Raises Odd.
    """
    found = _at_the_grid(meters)
    if found is None:
        return Sample({"power_w": grid_w}, flow_at)
    power_w = number(found.get(POWER), POWER)
    if power_w is None:
        raise Odd(f"`{POWER}` is null")
    said = found.get("TimeStamp")
    measured_at = meters_at if said is None else min(meters_at, moment(said))
    values, left_out = {"power_w": power_w}, []
    for name, key in OTHERS.items():
        try:
            value = number(found.get(key), key)
        except Odd:
            left_out.append(name)
            continue
        if value is not None and (value != 0.0 or name != "frequency_hz"):
            values[name] = value
    return Sample(values, measured_at, tuple(left_out))


def _at_the_grid(meters: Any) -> dict[str, Any] | None:
    listed = find(meters, "Body.Data")
    entries = listed.values() if isinstance(listed, dict) else ()
    return next(
        (
            each
            for each in entries
            if isinstance(each, dict)
            and each.get("Meter_Location_Current") == AT_THE_GRID
            and each.get("Enable", 1.0) != 0.0
        ),
        None,
    )
