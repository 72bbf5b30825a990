"""A meter that somebody publishes on MQTT: what of it counts as a new reading. Pure but for its memory."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dynexport.messages import Location, MeterReading, stamp
from dynexport.settings.models import MqttMeter
from meter_reader.mapping import NotAReading, read

FUTURE_S = 5.0


def max_age_s(period_s: float) -> float:
    """How old a reading may be: 4 s, or three periods if longer."""
    return max(4.0, 3.0 * period_s)


@dataclass(slots=True)
class Publisher:
    """Each message is one reading at most; nothing is ever stamped anew."""

    settings: MqttMeter
    _measured_at: datetime | None = None

    def reading(self, payload: bytes, retained: bool, arrived: datetime) -> MeterReading | None:
        """The reading of one message, None for one told already; raises NotAReading."""
        if retained:
            raise NotAReading("a stored copy may be of any age")
        mapped = read(payload, self.settings)
        if mapped.measured_at is not None:
            if mapped.measured_at == self._measured_at:
                return None
            self._check_age(mapped.measured_at, arrived)
            self._measured_at = mapped.measured_at
        fields: dict[str, Any] = dict(mapped.values)
        return MeterReading(
            issued_at=stamp(arrived),
            measured_at=stamp(min(mapped.measured_at or arrived, arrived)),
            location=Location(self.settings.location),
            **fields,
        )

    def _check_age(self, measured_at: datetime, arrived: datetime) -> None:
        age_s = (arrived - measured_at).total_seconds()
        if age_s > max_age_s(self.settings.period_s):
            raise NotAReading(f"it was measured {age_s:.0f} s ago")
        if age_s < -FUTURE_S:
            raise NotAReading(
                f"it claims to be measured {-age_s:.0f} s from now: check the publisher's clock"
            )
