"""What an inverter should be limited to now, from all that may have happened. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass

from dynexport.messages import ControlState, Scope
from dynexport.modbus.inverter_values import InverterIdentity
from dynexport.settings.models import Inverter
from inverter_writer.acceptance import Accepted


@dataclass(frozen=True, slots=True)
class Device:
    """What limits how it can be limited: `max_w` is 100 %, `resolution_pct` a register's step.

    `most_pct` is a limit found in it that is not ours to loosen.
    """

    max_w: float
    resolution_pct: float
    min_limit_pct: float = 0.0
    can_limit_to_zero: bool = True
    can_disconnect: bool = True
    chooses_revert: bool = False
    most_pct: float = 100.0

    def percent(self, limit_w: float) -> float:
        """The percentage to write: rounded down, never above `most_pct`, below the declared minimum 0."""
        wanted = min(100.0, self.most_pct, max(0.0, 100.0 * limit_w / self.max_w))
        steps = math.floor(wanted / self.resolution_pct + 1e-9)
        rounded = steps * self.resolution_pct
        return 0.0 if rounded < self.min_limit_pct else rounded

    def watts(self, percent: float) -> float:
        """The watts of a percentage."""
        return self.max_w * percent / 100.0


def device_of(identity: InverterIdentity, settings: Inverter) -> Device:
    """From what it says of itself, and what `site.yaml` says of it."""
    return Device(
        identity.max_w,
        identity.resolution_pct,
        settings.min_limit_pct,
        settings.can_limit_to_zero,
        identity.can_disconnect,
        identity.chooses_revert,
    )


@dataclass(frozen=True, slots=True)
class Wanted:
    """`limit_w` is of the inverter's scope; `connect` None leaves the connection as it is."""

    limit_w: float
    connect: bool | None
    state: ControlState


def wanted(
    accepted: Accepted | None,
    share_w: float,
    standing_w: float | None,
    mono: float,
    *,
    failsafe_disconnects: bool = False,
    scope: Scope = Scope.GENERATION,
) -> Wanted:
    """A valid setpoint is followed; silence never raises what stands (`standing_w`), nor connects."""
    if accepted is not None and mono <= accepted.deadline:
        return Wanted(accepted.limit_w(scope, share_w), accepted.connect, ControlState.FOLLOWING)
    candidates = [share_w]
    if accepted is not None:
        candidates.append(accepted.limit_w(scope, share_w))
    if standing_w is not None:
        candidates.append(standing_w)
    stays_open = failsafe_disconnects or (accepted is not None and not accepted.connect)
    return Wanted(min(candidates), False if stays_open else None, ControlState.FAILSAFE)


def first_contact(wanted_now: Wanted, found_w: float) -> Wanted:
    """Before anything else: the smaller of what stands in the device and what is wanted."""
    return Wanted(min(wanted_now.limit_w, found_w), wanted_now.connect, wanted_now.state)


def for_device(wanted_now: Wanted, device: Device) -> tuple[float, bool | None]:
    """Percent and connection to write: an inverter that cannot do 0 % is disconnected instead.

    One without a switch is held at 0 W where it should be disconnected.
    """
    percent = device.percent(wanted_now.limit_w)
    opens = wanted_now.connect is False or (percent <= 0.0 and not device.can_limit_to_zero)
    if not device.can_disconnect:
        return (0.0 if opens else percent), None
    return percent, False if opens else wanted_now.connect


def revert_percent(percent: float, share_w: float, device: Device) -> float:
    """What the device's own timer goes to: the smaller of what is written and the failsafe share."""
    return min(percent, device.percent(share_w))
