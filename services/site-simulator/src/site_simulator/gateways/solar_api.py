"""A simulated Fronius Solar API: the power flow, and the Smart Meter at the grid connection."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from site_simulator.gateways.server import Answer
from site_simulator.world import METER, World

FLOW, METERS = "/solar_api/v1/GetPowerFlowRealtimeData.fcgi", "/solar_api/v1/GetMeterRealtimeData.cgi"
VOLTAGE_V, HERTZ = 230.0, 50.0
JSON = {"Content-Type": "application/json"}


class SimulatedSolarApi:
    """What an inverter with a Smart Meter answers; with the fault `sentinel` it does not hear its meter."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._frozen: dict[str, Answer] = {}

    def answer(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """One request."""
        now = self.world.advance()
        resource = path.partition("?")[0]
        data: dict[str, Any]
        match resource:
            case _ if resource == FLOW:
                data = self._flow()
            case _ if resource == METERS:
                data = {"0": self._meter()}
            case _:
                return Answer(404)
        if resource not in self._frozen or not self.world.faults.has("frozen", METER, now):
            self._frozen[resource] = Answer(200, json.dumps(self._said(data)).encode(), JSON)
        return self._frozen[resource]

    def _said(self, data: dict[str, Any]) -> dict[str, Any]:
        moment = self.world.clock.now().astimezone(self.world.site.site.zone)
        status = {"Code": 0, "Reason": "", "UserMessage": ""}
        return {
            "Body": {"Data": data},
            "Head": {"Status": status, "Timestamp": moment.isoformat(timespec="seconds")},
        }

    def _flow(self) -> dict[str, Any]:
        made_w = self.world.plant.generation_w
        site = {
            "Mode": "meter",
            "Meter_Location": "grid",
            "P_Grid": self._grid_w(),
            "P_PV": made_w,
            "P_Akku": None,
        }
        return {"Site": site, "Inverters": {"1": {"DT": 99, "P": made_w}}}

    def _grid_w(self) -> float | None:
        if self.world.faults.has("sentinel", METER, self.world.plant.now):
            return None
        return self._sign * self.world.plant.read_meter().power_w

    @property
    def _sign(self) -> float:
        return -1.0 if self.world.faults.has("reversed", METER, self.world.plant.now) else 1.0

    def _meter(self) -> dict[str, Any]:
        shown = self.world.plant.read_meter()
        phases = shown.phases_w or (shown.power_w,)
        said: dict[str, Any] = {
            "Details": {"Manufacturer": "Fronius", "Model": "Smart Meter 63A", "Serial": "0"},
            "Enable": 1,
            "Visible": 1,
            "Meter_Location_Current": 0,
            "TimeStamp": int(self.world.clock.now().timestamp()),
            "PowerReal_P_Sum": self._sign * shown.power_w,
            "PowerReactive_Q_Sum": 0,
            "Frequency_Phase_Average": HERTZ,
            "EnergyReal_WAC_Sum_Consumed": self.world.import_wh,
            "EnergyReal_WAC_Sum_Produced": self.world.export_wh,
        }
        for number, power_w in enumerate(phases, start=1):
            said[f"PowerReal_P_Phase_{number}"] = self._sign * power_w
            said[f"Voltage_AC_Phase_{number}"] = VOLTAGE_V
        return said
