"""Programs that keep the contract, as scenes that a test may spoil before they become a transcript."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from dynexport.clock import rfc3339
from dynexport.conform.transcript import Asked, Heard, Role, Subject, Transcript

START, NOON = 1000.0, datetime(2026, 1, 15, 2, 0, tzinfo=UTC)
RATED_W = 10_000.0
SERVICE = "mine"
AVAILABILITY = "service/mine/availability"


@dataclass(slots=True)
class Said:
    """One message: `fields` become JSON unless `raw` is given; `at` is seconds after the start."""

    topic: str
    at: float
    fields: dict[str, Any] = field(default_factory=dict)
    qos: int = 0
    stored: bool = False
    raw: bytes | None = None

    @property
    def payload(self) -> bytes:
        return json.dumps(self.fields).encode() if self.raw is None else self.raw


def moment(at: float) -> str:
    return rfc3339(NOON + timedelta(seconds=at))


@dataclass(slots=True)
class Scene:
    """What was heard, what is kept, and what was asked."""

    subject: Subject
    said: list[Said]
    seconds: float
    kept: list[str] = field(default_factory=list)
    left: dict[str, bytes] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)

    def on(self, topic: str) -> list[Said]:
        return [said for said in self.said if said.topic == topic]

    def put(self, topic: str, **fields: Any) -> None:
        """Change fields of every message on a topic."""
        for said in self.on(topic):
            said.fields.update(fields)

    def without(self, topic: str, name: str) -> None:
        """Leave a field out of every message on a topic."""
        for said in self.on(topic):
            said.fields.pop(name, None)

    def silent(self, topic: str, begin: float, end: float) -> None:
        """Nothing is said on a topic for a while."""
        self.said = [s for s in self.said if s.topic != topic or not begin < s.at < end]

    def transcript(self) -> Transcript:
        heard = [
            Heard(s.topic, s.payload, s.qos, s.stored, START + s.at, NOON + timedelta(seconds=s.at))
            for s in sorted(self.said, key=lambda said: said.at)
        ]
        stop = START + self.seconds
        kept = {
            topic: next(h.payload for h in reversed(heard) if h.topic == topic and h.mono <= stop)
            for topic in self.kept
        }
        return Transcript(
            self.subject, START, stop + 3.0, tuple(heard), kept, self.left, tuple(self.asked), stop
        )


def life(seconds: float) -> list[Said]:
    """`online`, stored before we came, and `offline` soon after the end."""
    return [
        Said(AVAILABILITY, 0.01, stored=True, raw=b"online"),
        Said(AVAILABILITY, seconds + 0.5, qos=1, raw=b"offline"),
    ]


def reader() -> Scene:
    said = [
        Said("meter/site/reading", at, {
            "v": 1, "issued_at": moment(at), "measured_at": moment(at - 0.1), "power_w": -1500.0, "location": "feed_in",
        })
        for at in (n + 0.5 for n in range(10))
    ]  # fmt: skip
    return Scene(Subject(Role.READER, "+", SERVICE, location="feed_in"), [*said, *life(10.0)], 10.0)


def limit_source() -> Scene:
    said = [
        Said("limit/mine", at, {
            "v": 1, "issued_at": moment(at), "export_limit_w": 1500.0, "ttl_s": 30.0, "until": moment(3600.0),
        }, qos=1)
        for at in (1.0, 11.0, 21.0)
    ]  # fmt: skip
    said.append(Said("limit/mine", 30.4, qos=1, raw=b""))
    return Scene(Subject(Role.LIMIT_SOURCE, "mine", SERVICE), [*said, *life(30.0)], 30.0, ["limit/mine"])


PROBES = (  # probe, began, ended, share asked, share that stood, share held after it
    ("obeys", 2, 5, 0.3, 1.0, 0.3),
    ("tightens", 5, 8, 0.2, 0.3, 0.2),
    ("retained", 8, 11, 0.6, 0.2, 0.2),
    ("old", 11, 14, 0.6, 0.2, 0.2),
    ("replayed", 14, 17, 0.6, 0.2, 0.2),
    ("rubbish", 17, 20, 0.6, 0.2, 0.2),
    ("negative", 20, 23, 0.6, 0.2, 0.2),
    ("other-looser", 23, 26, 0.6, 0.2, 0.2),
    ("other-tighter", 26, 29, 0.1, 0.2, 0.1),
    ("silence", 29, 36, 0.05, 0.1, 0.05),
    ("taken-over", 36, 39, 0.2, 0.05, 0.2),
)


def control(at: float, watts: float, seq: int, state: str = "following") -> Said:
    fields = {
        "v": 1, "issued_at": moment(at), "state": state, "requested_w": watts, "applied_w": watts,
        "setpoint_seq": seq, "engine_id": "conform-1",
    }  # fmt: skip
    return Said("inverter/roof/control", at, fields, qos=1)


def writer() -> Scene:
    said = [
        Said("inverter/roof/reading", n, {
            "v": 1, "issued_at": moment(n), "measured_at": moment(n - 0.1), "power_w": 900.0, "state": "throttled",
        })
        for n in range(1, 40)
    ]  # fmt: skip
    capability = {"v": 1, "issued_at": moment(-50), "max_w": RATED_W, "hardware_fallback": "holds_last"}
    said.append(Said("inverter/roof/capability", 0.0, capability, qos=1, stored=True))
    said.append(control(1.0, 1500.0, 0, "failsafe"))
    asked = []
    for seq, (name, began, ended, share, stood, held) in enumerate(PROBES, start=1):
        asked.append(Asked(name, START + began, START + ended, share * RATED_W, stood * RATED_W))
        said.append(control(began + 0.5, held * RATED_W, seq))
    said.append(control(35.0, 0.05 * RATED_W, 10, "failsafe"))
    kept = ["inverter/roof/capability", "inverter/roof/control"]
    return Scene(
        Subject(Role.WRITER, "roof", SERVICE), [*said, *life(40.0)], 40.0, kept, asked=asked
    )  # fmt: skip


def engine() -> Scene:
    said = [
        Said("setpoint/roof", n + 0.5, {
            "v": 1, "issued_at": moment(n + 0.5), "target_w": 2000.0, "engine_id": "a", "seq": n, "ttl_s": 15.0,
        })
        for n in range(10)
    ]  # fmt: skip
    active = {"v": 1, "mode": "normal", "reason": "the agreement", "export_limit_w": 5000.0}
    said += [Said("active", at, {**active, "issued_at": moment(at)}, qos=1) for at in (2.0, 7.0)]
    return Scene(Subject(Role.ENGINE, "+", SERVICE), [*said, *life(10.0)], 10.0, ["active"])


SCENES: dict[Role, Callable[[], Scene]] = {
    Role.READER: reader,
    Role.LIMIT_SOURCE: limit_source,
    Role.WRITER: writer,
    Role.ENGINE: engine,
}


def probed(scene: Scene, probe: str) -> Said:
    """The control said in answer to a probe."""
    asked = next(asked for asked in scene.asked if asked.probe == probe)
    began, ended = asked.began - START, asked.ended - START
    return [said for said in scene.on("inverter/roof/control") if began <= said.at <= ended][-1]


def as_subject(scene: Scene, **changes: Any) -> None:
    scene.subject = replace(scene.subject, **changes)
