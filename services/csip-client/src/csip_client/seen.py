"""What the bus showed last of inverters and batteries, with its age: the base of status and measurements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

from csip_client import describe
from csip_client.der_status import SILENT_S, DerStatus, InverterView, der_status
from csip_client.storage import BatteryView
from dynexport import messages as m
from dynexport.ports import Received
from dynexport.settings.models import Site

T = TypeVar("T")
FRESH_S = 5.0
HELD_DOWN = 0.95


class Seen:
    """One site's devices as they were heard; `mono` is ours, seconds, `born` when we began to listen."""

    def __init__(self, site: Site, born: float) -> None:
        self._site = site
        self._born = born
        self._readings: dict[str, tuple[m.InverterReading, float]] = {}
        self._batteries: dict[str, tuple[m.BatteryReading, float]] = {}
        self._applied: dict[str, float] = {}
        self._connected: dict[str, bool] = {}
        self._islanded: tuple[bool | None, float] = (None, float("-inf"))

    def hear(self, received: Received) -> None:
        """Take in a reading, or what an inverter's writer applied; of the meter, whether the site is cut off."""
        message, name = received.message, received.id
        if isinstance(message, m.InverterReading):
            self._readings[name] = (message, received.mono)
        elif isinstance(message, m.MeterReading):
            self._islanded = (message.islanded, received.mono)
        elif isinstance(message, m.BatteryReading):
            self._batteries[name] = (message, received.mono)
        elif isinstance(message, m.InverterControl) and message.applied_w is not None:
            self._applied[name] = message.applied_w
            self._connected[name] = message.connect is not False

    def answering(self, mono: float) -> dict[str, m.InverterReading] | None:
        """The readings of now; None while one is missing that may come yet. One silent for a minute is off."""
        return self._fresh(self._readings, [each.id for each in self._site.inverters], mono)

    def discharge_w(self, mono: float) -> float | None:
        """What all batteries beside the inverters give, + is discharge; None while one is missing that may come yet.

        What a hybrid inverter's own battery does is in that inverter's reading.
        """
        beside = [each.id for each in self._site.batteries if each.inverter is None]
        found = self._fresh(self._batteries, beside, mono)
        return None if found is None else sum(each.power_w for each in found.values())

    def _fresh(
        self, heard: Mapping[str, tuple[T, float]], names: Sequence[str], mono: float
    ) -> dict[str, T] | None:
        found = {}
        for name in names:
            said = heard.get(name)
            age_s = mono - (self._born if said is None else said[1])
            if said is not None and age_s <= FRESH_S:
                found[name] = said[0]
            elif age_s <= SILENT_S:
                return None
        return found

    def status(self, mono: float, switches: dict[str, bool]) -> DerStatus:
        """DERStatus of all inverters together under the switches in force."""
        views = [self._view(inverter.id, inverter.rated_w, mono) for inverter in self._site.inverters]
        connect, energize = switches.get("connect", True), switches.get("energize", True)
        return der_status(views, connect=connect, energize=energize, islanded=self.islanded(mono))

    def islanded(self, mono: float) -> bool:
        """Whether the meter said within the last minute that the site is cut off from the grid."""
        said, at = self._islanded
        return said is True and mono - at <= SILENT_S

    def batteries(self, mono: float) -> Sequence[BatteryView]:
        """Every battery of the site."""
        views = []
        for battery in self._site.batteries:
            said = self._batteries.get(battery.id)
            views.append(BatteryView(battery, *((said[0], mono - said[1]) if said else ())))
        return views

    def _view(self, name: str, rated_w: float, mono: float) -> InverterView:
        said = self._readings.get(name)
        if said is None:
            return InverterView(rated_w)
        reading, at = said
        applied_w = self._applied.get(name)
        limited = applied_w is not None and applied_w < rated_w
        return InverterView(
            rated_w,
            age_s=mono - at,
            power_w=reading.power_w,
            asleep=reading.state in describe.ASLEEP,
            connected=False if self._connected.get(name) is False else reading.connected,
            held_down=limited and reading.power_w >= HELD_DOWN * (applied_w or 0.0),
        )
