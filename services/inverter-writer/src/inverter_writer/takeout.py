"""Our limit out of one inverter, for uninstalling: what stands there, what would be written, and doing it."""

from __future__ import annotations

from dataclasses import dataclass

from dynexport.modbus.drivers import InverterDevice
from dynexport.modbus.inverter_values import ControlValues, InverterIdentity
from dynexport.settings.models import ModbusInverter as InverterSettings
from inverter_writer.decision import Device, device_of
from inverter_writer.handover import Handover
from inverter_writer.pen import Pen


@dataclass(frozen=True, slots=True)
class Standing:
    """What was found in the inverter before anything is written."""

    identity: InverterIdentity
    control: ControlValues

    @property
    def limit(self) -> str:
        """What limits it now, in words."""
        return _words(self.control.effective_pct, self.identity) if self.control.enabled else "no limit"


class NeverWritten(Exception):
    """Nothing may be written to this inverter as things stand; the text says why."""


class Takeout:
    """One inverter, asked first. Every call may raise ModbusError."""

    def __init__(self, settings: InverterSettings, driver: InverterDevice, found: Handover) -> None:
        self._settings = settings
        self._driver = driver
        self._found = found

    def look(self) -> Standing:
        """Who it is and what stands there; on registers that persist, also whose that is. Raises NeverWritten."""
        identity = self._driver.identify()
        if identity.why_not is not None:
            raise NeverWritten(identity.why_not)
        standing = Standing(identity, self._driver.read_control())
        resolution_pct = standing.identity.resolution_pct
        self._found.meet(standing.identity.key, standing.control.effective_pct, resolution_pct)
        return standing

    def plan(self, standing: Standing) -> str | None:
        """What would be written, in words; None when there is nothing of ours to take out."""
        found_pct = self._found.found_pct
        if found_pct is None:
            if not standing.control.enabled:
                return None
            return f"{standing.limit} is taken out: then only its own settings limit it"
        if abs(standing.control.effective_pct - found_pct) < 0.5 * standing.identity.resolution_pct:
            return None
        return f"{_words(found_pct, standing.identity)} is put back, which was found in it before ours"

    def write(self, standing: Standing, mono: float) -> str:
        """Do it; what limits it afterwards, in words."""
        device: Device = device_of(standing.identity, self._settings)
        pen = Pen(self._settings, share_w=0.0, found=self._found)
        pen.release(self._driver, device, mono, standing.control.effective_pct)
        return Standing(standing.identity, self._driver.read_control()).limit


def _words(percent: float, identity: InverterIdentity) -> str:
    return f"a limit of {identity.max_w * percent / 100.0:.0f} W ({percent:g} %)"
