"""What the bus says of the site during the test: samples for the judge, and what ends the test. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

from dynexport import messages as m
from dynexport.cli.commission.judge import TOLERANCE, WITHIN_S, Sample
from dynexport.cli.snapshot import Snapshot
from dynexport.ports import RawReceived, Received
from dynexport.settings.models import Site

METER_SILENT_S, ACTIVE_SILENT_S = 5.0, 12.0
OVER_FOR_S = 20.0
MANUAL = "manual"
TESTING, ABORTED = "commissioning test", "commissioning test aborted"


@dataclass(slots=True)
class Watch:
    """Feeds on what was received; `samples` grows by one with each meter reading."""

    site: Site
    snapshot: Snapshot = field(default_factory=Snapshot)
    samples: list[Sample] = field(default_factory=list)
    loads_w: dict[str, float] = field(default_factory=dict)
    manual: m.Limit | None = None
    _over_since: float | None = None

    @property
    def rated_w(self) -> float:
        """All ratings together, watts."""
        return sum(inverter.rated_w for inverter in self.site.inverters)

    @property
    def others(self) -> bool:
        """Whether the owner's limit is no longer the test's: somebody has set one meanwhile."""
        return self.manual is not None and self.manual.reason not in (TESTING, ABORTED)

    @property
    def active(self) -> m.Active | None:
        """What limit-engine said last."""
        return self.snapshot.active[0] if self.snapshot.active else None

    def take(self, inbox: list[Received | RawReceived]) -> None:
        """Take in what was received."""
        for received in inbox:
            self.snapshot.take([received])
            if not isinstance(received, Received):
                continue
            match received.message:
                case m.MeterReading() as reading:
                    self.samples.append(self._sample(reading, received.mono))
                case m.Limit() as limit if received.id == MANUAL:
                    self.manual = limit
                case m.PowerReading() as reading:
                    self.loads_w[received.id] = reading.power_w

    def _sample(self, reading: m.MeterReading, mono: float) -> Sample:
        made_w = self.snapshot.generation_w or 0.0
        export_w = -reading.power_w
        if reading.location is m.Location.CONSUMPTION:
            export_w = made_w - reading.power_w
        applied = [self._applied_w(inverter.id) for inverter in self.site.inverters]
        known = [watts for watts in applied if watts is not None]
        return Sample(mono, export_w, made_w, sum(known) if len(known) == len(applied) else None)

    def _applied_w(self, name: str) -> float | None:
        control = self.snapshot.controls.get(name)
        return None if control is None else control.applied_w

    def tighter(self, level_w: float) -> str:
        """Why export is held below this level by others than the test; empty when it is not."""
        active = self.active
        if active is None or active.export_limit_w is None or active.export_limit_w >= level_w - 0.5:
            return ""
        return (
            f"{active.export_limit_source} limits export to {active.export_limit_w:.0f} W, which is tighter"
        )

    def holds(self, level_w: float) -> bool:
        """Whether export is at this level now."""
        return bool(self.samples) and abs(self.samples[-1].export_w - level_w) <= TOLERANCE * self.rated_w

    def obeyed(self, level_w: float) -> bool:
        """Whether limit-engine holds this level, or a tighter one."""
        active = self.active
        return (
            active is not None
            and active.export_limit_w is not None
            and active.export_limit_w <= level_w + 0.5
        )

    def trouble(self, mono: float) -> str:
        """What ends the test, in words; empty while all is well."""
        meter, active = self.snapshot.meter, self.snapshot.active
        if meter is None or mono - meter[1] > max(METER_SILENT_S, 3 * self.site.meter.poll_s):
            return "the meter is silent"
        if active is None or mono - active[1] > ACTIVE_SILENT_S:
            return "limit-engine is silent"
        if active[0].mode is not m.Mode.NORMAL:
            return f"control is no longer normal: {active[0].reason}"
        if not (active[0].connect and active[0].energize):
            return f"the site was disconnected by {active[0].connect_source or active[0].energize_source}"
        failed = [name for name, control in self.snapshot.controls.items() if control.state in _FAILED]
        return (
            f"{failed[0]} no longer follows: {self.snapshot.controls[failed[0]].state.value}"
            if failed
            else ""
        )

    def stays_over(self, level_w: float) -> str:
        """Whether the last samples are over a level for longer than any answer may take; in words, or empty."""
        if not self.samples:
            return ""
        last = self.samples[-1]
        if last.export_w <= level_w + TOLERANCE * self.rated_w:
            self._over_since = None
            return ""
        self._over_since = last.mono if self._over_since is None else self._over_since
        if last.mono - self._over_since <= OVER_FOR_S:
            return ""
        return (
            f"export stays {last.export_w - level_w:.0f} W over {level_w:.0f} W, {WITHIN_S:.0f} s are allowed"
        )


_FAILED = (m.ControlState.FAILSAFE, m.ControlState.FAULT, m.ControlState.DISABLED)
