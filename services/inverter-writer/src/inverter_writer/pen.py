"""The only one that writes to an inverter; it remembers what it wrote."""

from __future__ import annotations

from dynexport.modbus.drivers import InverterDevice
from dynexport.modbus.endpoint import ModbusError, Unreachable
from dynexport.modbus.sunspec import BadValue
from dynexport.settings.models import Inverter
from inverter_writer.decision import Device, revert_percent
from inverter_writer.handover import Handover
from inverter_writer.rationing import Standing
from inverter_writer.sparing import Sparing

REVERT_S = 25
EARLY_S = 1.0


class Pen:
    """Writes what it is told to; nothing above a found limit comes here (`Device.most_pct`)."""

    def __init__(self, settings: Inverter, share_w: float, found: Handover) -> None:
        self.written: Standing | None = None
        self.connected: bool | None = None
        self._settings = settings
        self._share_w = share_w
        self._found = found
        self._sparing = Sparing()

    def limit(
        self,
        driver: InverterDevice,
        device: Device,
        percent: float,
        mono: float,
        *,
        standing_pct: float | None = None,
        last: bool = False,
    ) -> None:
        """Write a limit, with the device's own timer where it is of use; `last`: nobody will refresh it.

        On registers that persist nothing is written where `standing_pct` is that limit already; raises BadValue while
        they are spared, because writes before were refused.
        """
        if not self._found.persists:
            self._write(driver, device, percent, last=last)
        elif not _same(standing_pct, percent, device):
            self._write_sparingly(driver, device, percent, mono, last=last)
        self.written = Standing(percent, mono)

    def again(self, driver: InverterDevice, device: Device, percent: float, mono: float) -> bool:
        """Write what did not stay there; False where registers that persist are spared for now."""
        if self._found.persists:
            if self._sparing.wait_s(percent, mono) > 0.0:
                return False
            self._sparing.in_vain(percent, mono)
        self._write(driver, device, percent)
        self.written = Standing(percent, mono)
        return True

    def stands(self, mono: float) -> None:
        """What was written has been read back."""
        self._sparing.stands(mono)

    def _write_sparingly(
        self, driver: InverterDevice, device: Device, percent: float, mono: float, *, last: bool
    ) -> None:
        wait_s = self._sparing.wait_s(percent, mono)
        if wait_s > 0.0:
            raise BadValue(
                f"it refuses our limit: its memory is spared, and it is tried again in {wait_s:.0f} s"
            )
        try:
            self._write(driver, device, percent, last=last)
        except Unreachable:  # what arrived of it is read before the next write
            raise
        except ModbusError:
            self._sparing.in_vain(percent, mono)
            raise

    def _write(self, driver: InverterDevice, device: Device, percent: float, *, last: bool = False) -> None:
        revert_s = 0 if last and device.chooses_revert else self._revert_s(device)
        revert_pct = revert_percent(percent, self._share_w, device)
        if self._found.persists:
            self._found.about_to_write(percent)
        driver.write_limit(percent, revert_s, revert_pct)
        if self._found.persists:
            self._found.wrote(percent)

    def connect(self, driver: InverterDevice, connect: bool) -> None:
        """Write the connection."""
        driver.write_connect(connect)
        self.connected = connect

    def release(
        self, driver: InverterDevice, device: Device, mono: float, standing_pct: float | None = None
    ) -> None:
        """Take our limit out; where another one was found, put that back, adopted or not."""
        if self._found.found_pct is None:
            driver.release()
        else:
            self.limit(driver, device, self._found.found_pct, mono, standing_pct=standing_pct, last=True)

    def timed(self, device: Device) -> bool:
        """Whether the device goes to a limit of our choice when nobody refreshes it: 704, on volatile registers."""
        return device.chooses_revert and not self._found.persists

    def reverted(self, device: Device, read_pct: float, mono: float) -> bool:
        """Whether what stands there is the value that our own timer went to, while nobody refreshed it."""
        written = self.written
        if written is None or not self.timed(device) or mono - written.mono < REVERT_S - EARLY_S:
            return False
        revert_pct = revert_percent(written.percent, self._share_w, device)
        return read_pct < written.percent and _same(read_pct, revert_pct, device)

    def _revert_s(self, device: Device) -> int:
        """704: 25 s. 123: the owner's. None on registers that persist: they are not refreshed."""
        if self._found.persists:
            return 0
        return REVERT_S if device.chooses_revert else self._settings.revert_timer_s


def _same(one_pct: float | None, other_pct: float, device: Device) -> bool:
    return one_pct is not None and abs(one_pct - other_pct) < 0.5 * device.resolution_pct
