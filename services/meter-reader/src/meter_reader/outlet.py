"""Where the readings of a meter by HTTP go out: stamped by our clock, none twice, none that is too old."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from pydantic import ValidationError

from dynexport.mapping import Sample, doubt
from dynexport.messages import Message, stamp
from dynexport.service import Context, Moment
from dynexport.topics import Topic
from meter_reader.troubles import Troubles
from meter_reader.web import WebReading


class Outlet:
    """One topic. A repeated reading is neither news nor a mistake: it lets the meter age, and then that is said."""

    def __init__(
        self,
        context: Context,
        troubles: Troubles,
        topic: Topic,
        model: type[Message],
        oldest_s: float,
        *ids: str,
    ) -> None:
        self._context = context
        self._troubles = troubles
        self._topic = topic
        self._model = model
        self._oldest_s = oldest_s
        self._ids = ids
        self._last: tuple[datetime | None, dict[str, float]] = (None, {})
        self._news = float("-inf")

    def take(self, sample: Sample, found: WebReading, now: Moment, **more: Any) -> bool:
        """Whether it was news and good, and is published; `more` is what the reading says beside its numbers."""
        measured_at = _by_our_clock(sample, found, now)
        odd = self._odd(sample, measured_at, now)
        if odd is not None:
            self._troubles.happened("stale", f"a reading was dropped: {odd}", now.mono)
            return False
        if self._repeats(sample):
            return False
        self._last, self._news = (sample.measured_at, sample.values), now.mono
        stamps = {"issued_at": stamp(now.wall), "measured_at": stamp(measured_at)}
        try:
            reading = self._model.model_validate({**sample.values, **stamps, **more})
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            what = f"a reading was dropped: {'.'.join(map(str, first['loc']))}: {first['msg']}"
            self._troubles.happened("refused", what, now.mono)
            return False
        self._context.bus.publish(self._topic, reading, *self._ids)
        return True

    def _repeats(self, sample: Sample) -> bool:
        return (sample.measured_at, sample.values) == self._last

    def _odd(self, sample: Sample, measured_at: datetime, now: Moment) -> str | None:
        """A device that has stopped, clock and all, shows by its silence only."""
        silent_s = now.mono - self._news
        if self._repeats(sample) and silent_s > self._oldest_s:
            return f"the device has repeated the same one for {silent_s:.1f} s"
        return doubt(measured_at, now.wall, self._oldest_s)


def _by_our_clock(sample: Sample, found: WebReading, now: Moment) -> datetime:
    """When it was measured; now, where its age is too small to tell."""
    assert sample.measured_at is not None
    try:
        measured_at = sample.measured_at + timedelta(seconds=found.offset_s)
    except OverflowError:  # one of its two times is beyond all reason: the reading is dropped for its own
        return sample.measured_at
    if timedelta(0) <= now.wall - measured_at < timedelta(seconds=found.tells_s):
        return now.wall
    ahead_s = (measured_at - now.wall).total_seconds()
    return now.wall if 0.0 < ahead_s < 1.0 else measured_at  # two clocks that agree as far as can be told
