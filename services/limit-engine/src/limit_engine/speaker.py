"""What the engine says: setpoints every second and on change, the envelope every 5 s and on change."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dynexport import messages as m
from dynexport import topics
from dynexport.service import Context, Moment
from limit_engine.control import Bounds, ControlLaw, Decision
from limit_engine.curtailment import OFF_GRID, Curtailment, curtailment
from limit_engine.inverters import Track
from limit_engine.merge import Bound, Envelope
from limit_engine.reasons import ISLANDED, beside_in_words, found_in_words, phases_in_words, sentence
from limit_engine.side import Orders
from limit_engine.sources import SourceState

SETPOINT_EVERY_S = 1.0
ACTIVE_EVERY_S = 5.0
MOVED_EVERY_S = 1.0
WORTH_SAYING = 0.0002
WORTH_SHOWING = 0.01
TTL_S = 15.0


@dataclass(frozen=True, slots=True)
class Hold:
    """What inverters with a loop of their own are told: the site's export, watts, and whether they must go."""

    export_limit_w: float | None = None
    disconnect: bool = False


class Speaker:
    """Publishes decisions; remembers only what it said, to know what changed."""

    def __init__(self, context: Context, engine_id: str) -> None:
        self.context = context
        self.engine_id = engine_id
        self._seq = 0
        self._said: dict[str, tuple[float, float, float | None, bool]] = {}
        self._active: tuple[object, ...] = ()
        self._active_at = -math.inf
        self._target_w = 0.0
        self._basis = ""
        self._full: tuple[str, ...] = ()

    def forget(self) -> None:
        """After a reconnect everything is said afresh."""
        self._said.clear()
        self._active = ()

    def say(
        self,
        law: ControlLaw,
        decision: Decision,
        bounds: Bounds,
        envelope: Envelope,
        sources: Mapping[str, SourceState],
        waiting_for: str | None,
        now: Moment,
        *,
        hold: Hold,
        orders: Orders,
    ) -> None:
        """Publish what is due."""
        for name, command_w in decision.commands_w.items():
            track = law.tracks[name]
            connect = not envelope.open and not (hold.disconnect and track.by_export)
            self._setpoint(name, command_w, hold.export_limit_w, track.rated_w, connect, now)
        self._envelope(law, decision, bounds, envelope, sources, waiting_for, now, orders=orders)

    def release(self, now: Moment) -> None:
        """Say the last targets once more, with `release`."""
        for name, (_, target_w, export_w, connect) in list(self._said.items()):
            self._send(name, target_w, export_w, connect, now, release=True)

    def _setpoint(
        self, name: str, command_w: float, export_w: float | None, rated_w: float, connect: bool, now: Moment
    ) -> None:
        target_w = math.floor(command_w * 10.0) / 10.0
        at, said_w, said_export_w, said_connect = self._said.get(
            name, (-math.inf, math.nan, export_w, connect)
        )
        changed = connect != said_connect or not abs(target_w - said_w) < WORTH_SAYING * rated_w
        if changed or export_w != said_export_w or now.mono - at >= SETPOINT_EVERY_S:
            self._send(name, target_w, export_w, connect, now)

    def _send(
        self,
        name: str,
        target_w: float,
        export_w: float | None,
        connect: bool,
        now: Moment,
        *,
        release: bool = False,
    ) -> None:
        self._seq += 1
        message = m.Setpoint(
            issued_at=now.wall,
            target_w=target_w,
            export_limit_w=export_w,
            connect=connect,
            engine_id=self.engine_id,
            seq=self._seq,
            ttl_s=TTL_S,
            release=release,
        )
        self.context.bus.publish(topics.SETPOINT, message, name)
        self._said[name] = (now.mono, target_w, export_w, connect)

    def _envelope(
        self,
        law: ControlLaw,
        decision: Decision,
        bounds: Bounds,
        envelope: Envelope,
        sources: Mapping[str, SourceState],
        waiting_for: str | None,
        now: Moment,
        *,
        orders: Orders,
    ) -> None:
        age_s = now.mono - self._active_at
        caps_w, unknown = dict(bounds.caps_w), law.phases.unknown
        islanded = law.islanded if law.meter_fresh(now.mono) else None
        key = (envelope, decision.mode, waiting_for, law.meter_wrong, caps_w, unknown, orders.shed, islanded)
        if key == self._active and age_s < MOVED_EVERY_S:
            return
        missed = OFF_GRID if islanded else curtailment(_answering(law, now.mono))
        moved = abs(decision.target_w - self._target_w) > WORTH_SHOWING * law.plan.total_w
        moved = moved or decision.full != self._full
        if key == self._active and age_s < ACTIVE_EVERY_S and not moved and missed.basis == self._basis:
            return
        counting = {name: state.statement for name, state in sources.items() if state.alive(now.mono)}
        until = _until(envelope, counting)
        message = m.Active(
            issued_at=now.wall,
            mode=decision.mode,
            reason=sentence(
                decision.mode,
                envelope,
                words={name: said.reason for name, said in counting.items() if said and said.reason},
                until=until,
                zone=self.context.site.site.zone,
                waiting_for=waiting_for,
                meter_wrong=law.meter_wrong,
                also=[
                    *([ISLANDED] if islanded else []),
                    *phases_in_words(bounds.phases, decision.full, unknown=unknown),
                    *beside_in_words(envelope, orders.shed),
                    *(found_in_words(name, cap_w) for name, cap_w in sorted(caps_w.items())),
                ],
            ),
            until=until,
            target_w=round(decision.target_w, 1),
            islanded=islanded,
            **_fields(envelope),
            **_curtailed(missed),
        )
        if self.context.bus.publish(topics.ACTIVE, message):
            self._active, self._active_at = key, now.mono
            self._target_w, self._basis, self._full = decision.target_w, missed.basis, decision.full


def _answering(law: ControlLaw, mono: float) -> list[Track]:
    return [track for track in law.tracks.values() if track.answers(mono)]


def _until(envelope: Envelope, counting: Mapping[str, m.Limit | None]) -> datetime | None:
    bounds = [bound for bound in (envelope.export_limit_w, envelope.generation_limit_w) if bound is not None]
    said = [counting.get(bound.source) for bound in bounds]
    moments = [limit.until for limit in said if limit is not None and limit.until is not None]
    return min(moments) if moments else None


def _fields(envelope: Envelope) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for attribute in m.WATT_LIMITS:
        bound: Bound | None = envelope.bound(attribute)
        fields[attribute] = bound.value if bound else None
        fields[attribute.removesuffix("_w") + "_source"] = bound.source if bound else None
    target = envelope.storage_target_w
    fields["storage_target_w"] = target.value if target else None
    fields["storage_target_source"] = target.source if target else None
    fields["connect"], fields["connect_source"] = envelope.disconnected_by is None, envelope.disconnected_by
    fields["energize"], fields["energize_source"] = envelope.deenergized_by is None, envelope.deenergized_by
    return fields


def _curtailed(curtailed: Curtailment) -> dict[str, Any]:
    watts = None if curtailed.watts is None else round(curtailed.watts, 0)
    return {"curtailed_w": watts, "curtailed_basis": curtailed.basis}
