"""Checks that hold for every topic, made for one row of the topic table."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import pairwise
from typing import Any

from pydantic import ValidationError

from dynexport import topics
from dynexport.conform.rule import Check, Rule, Verdict, broken, kept, unseen
from dynexport.conform.transcript import Heard, Transcript
from dynexport.inbox import LARGEST_PAYLOAD, MAX_SKEW_S
from dynexport.messages import Message
from dynexport.topics import Topic

NOTHING = "no message was heard"
STOPS_WITHIN_S = 10.0


def spoke(topic: Topic, least: int) -> Check:
    """At least so many live messages."""

    def check(transcript: Transcript) -> Verdict:
        count = len(transcript.live(topic))
        path = transcript.subject.path(topic)
        if count < least:
            seconds = transcript.until - transcript.began
            return broken(
                f"{count} on {path} in {seconds:.0f} s: is it running, and are root and user right?"
            )
        return kept(f"{count} heard")

    return check


def valid(topic: Topic) -> Check:
    """Every payload is one JSON object of the documented shape, within 64 KiB."""

    def check(transcript: Transcript) -> Verdict:
        messages = _filled(transcript, topic)
        payloads = [heard.payload for heard in messages] or _standing(transcript, topic)
        path = transcript.subject.path(topic)
        for payload in payloads:
            if (why := _mistake(topic, payload)) is not None:
                return broken(f"{path} {_shown(payload)}: {why}")
        unknown = sorted({name for payload in payloads for name in _unknown(topic, payload)})
        words = f"not in the contract, so ignored by all: {', '.join(unknown)}" if unknown else ""
        return kept(words) if payloads else unseen(NOTHING)

    return check


def versioned(topic: Topic) -> Check:
    """Every payload says `v: 1`."""

    def check(transcript: Transcript) -> Verdict:
        messages = _filled(transcript, topic)
        for heard in messages:
            if _object(heard.payload).get("v") != 1:
                return broken(f'{_shown(heard.payload)}: put "v": 1 into it')
        return kept() if messages else unseen(NOTHING)

    return check


def stamped(topic: Topic, needed: Callable[[Transcript], bool] = lambda _: True) -> Check:
    """`issued_at` is within 5 s of the receiver's clock, and never goes back."""

    def check(transcript: Transcript) -> Verdict:
        worst, last = 0.0, None
        messages = [(heard, message) for heard, message in _read(transcript, topic)]
        for heard, message in messages:
            if message.issued_at is None:
                if needed(transcript):
                    return broken(f"{_shown(heard.payload)}: it has no issued_at")
                continue
            offset_s = (heard.wall - message.issued_at).total_seconds()
            if abs(offset_s) > MAX_SKEW_S:
                return broken(
                    f"issued_at differs from our clock by {offset_s:.1f} s, {MAX_SKEW_S:g} s is the most: "
                    "stamp it when it is sent, in UTC, and set both clocks by NTP"
                )
            if last is not None and message.issued_at < last:
                return broken(f"issued_at went back from {last} to {message.issued_at}")
            worst, last = max(worst, abs(offset_s)), message.issued_at
        return kept(f"off by {worst:.2f} s at most") if messages else unseen(NOTHING)

    return check


def measured(topic: Topic) -> Check:
    """`measured_at` grows with every reading: one measurement is never said twice."""

    def check(transcript: Transcript) -> Verdict:
        moments = [message.measured_at for _, message in _read(transcript, topic)]
        for before, after in pairwise(moments):
            if after <= before:
                return broken(f"measured_at {after} follows {before}: say a measurement once, then be silent")
        return kept() if len(moments) > 1 else unseen("fewer than two readings were heard")

    return check


def recent(topic: Topic, oldest_s: Callable[[Transcript], float]) -> Check:
    """What is said was measured just now."""

    def check(transcript: Transcript) -> Verdict:
        ages = [
            (heard.wall - message.measured_at).total_seconds() for heard, message in _read(transcript, topic)
        ]
        if not ages:
            return unseen(NOTHING)
        if max(ages) > oldest_s(transcript):
            return broken(
                f"measured {max(ages):.1f} s before it came, {oldest_s(transcript):g} s is the most"
            )
        if min(ages) < -MAX_SKEW_S:
            return broken(f"measured {-min(ages):.1f} s in the future")
        return kept(f"{max(ages):.2f} s old at most")

    return check


def every(topic: Topic, most_s: Callable[[Transcript], float]) -> Check:
    """No longer gap than `most_s`, from our first moment to the last."""

    def check(transcript: Transcript) -> Verdict:
        times = [heard.mono for heard in transcript.running(topic)]
        if not times:
            return unseen(NOTHING)
        gap_s = max(
            after - before for before, after in pairwise([transcript.began, *times, transcript.until])
        )
        if gap_s > most_s(transcript):
            return broken(f"silent for {gap_s:.1f} s, {most_s(transcript):g} s is the most")
        return kept(f"silent for {gap_s:.1f} s at most")

    return check


def at_qos(topic: Topic) -> Check:
    """Sent at the table's QoS."""

    def check(transcript: Transcript) -> Verdict:
        seen = {heard.qos for heard in transcript.live(topic)}
        if seen - {topic.qos}:
            return broken(f"sent at QoS {max(seen - {topic.qos})}: send it at QoS {topic.qos}")
        return kept() if seen else unseen("only a stored copy was heard")

    return check


def never_stored(topic: Topic) -> Check:
    """The broker holds no stored copy."""

    def check(transcript: Transcript) -> Verdict:
        path = transcript.subject.path(topic)
        copies = (transcript.stored_at_start(topic), transcript.stored(topic), transcript.stored_after(topic))
        if any(copy is not None for copy in copies):
            return broken(
                f"the broker holds a stored copy of {path}: publish without the retain flag, then take the "
                f"copy away with `mosquitto_pub -r -n -t ROOT/{path}`"
            )
        return kept() if transcript.live(topic) else unseen(NOTHING)

    return check


def is_stored(topic: Topic) -> Check:
    """The broker holds the last live message."""

    def check(transcript: Transcript) -> Verdict:
        path, live = transcript.subject.path(topic), transcript.running(topic)
        stored = transcript.stored(topic)
        if not live and stored is None:
            return unseen(NOTHING)
        if live and not live[-1].payload:
            return unseen("it was taken back")
        if stored is None:
            return broken(f"the broker holds no copy of {path}: publish it with the retain flag")
        if live and stored not in [heard.payload for heard in live]:
            return broken(
                f"the stored copy of {path} is none of the messages heard: publish each with retain"
            )
        return kept()

    return check


def available(transcript: Transcript) -> Verdict:
    """The word `online` stands while the program speaks."""
    service = transcript.subject.service
    if service is None:
        return unseen("name the program with --service")
    words = [word for mono, word in _availability(transcript, service) if mono <= transcript.until]
    if not words:
        return broken(
            f"nothing on service/{service}/availability: publish `online` there, stored, on connect"
        )
    if words[-1] != b"online":
        return broken(f"it says {words[-1].decode(errors='replace')!r} while it speaks: the word is `online`")
    return kept()


def stops(transcript: Transcript) -> Verdict:
    """`offline` soon after the end, and nothing after it."""
    service, asked = transcript.subject.service, transcript.stop_asked
    if asked is None or service is None:
        return unseen("say --and-stop and --service, and stop the program when told to")
    gone = [mono for mono, word in _availability(transcript, service) if word == b"offline" and mono >= asked]
    if not gone or gone[0] - asked > STOPS_WITHIN_S:
        return broken(
            f"`offline` did not come on service/{service}/availability within {STOPS_WITHIN_S:.0f} s: "
            "make it the last will, and say it before you disconnect"
        )
    late = [
        heard.topic
        for heard in transcript.heard
        if heard.mono > gone[0] and not heard.topic.startswith(("service/", "setpoint/"))
    ]
    return broken(f"it said `offline`, then spoke on {late[0]}") if late else kept()


def life(role: str) -> tuple[Rule, ...]:
    """The rules on coming and going."""
    return (
        Rule(
            f"{role}/online",
            "`online` stands, stored, on `service/NAME/availability` while it runs.",
            "docs/topics.md, `service/+/availability`",
            available,
        ),
        Rule(
            f"{role}/offline",
            "`offline` stands there within 10 s of its end, by its last will when it was killed; "
            "after it comes nothing.",
            "docs/topics.md, `service/+/availability`",
            stops,
        ),
    )


def _availability(transcript: Transcript, service: str) -> list[tuple[float, bytes]]:
    path = topics.AVAILABILITY.name.replace("+", service)
    return [(heard.mono, heard.payload.strip()) for heard in transcript.heard if heard.topic == path]


def _filled(transcript: Transcript, topic: Topic) -> list[Heard]:
    """The messages that must hold something: an empty payload takes a limit back."""
    return [heard for heard in transcript.live(topic) if heard.payload or topic is not topics.LIMIT]


def _standing(transcript: Transcript, topic: Topic) -> list[bytes]:
    """What was said before we came and still stands."""
    stored = transcript.stored(topic)
    return [] if stored is None else [stored]


def _read(transcript: Transcript, topic: Topic) -> list[tuple[Heard, Any]]:
    return transcript.said(topic, topic.model or Message)


def _mistake(topic: Topic, payload: bytes) -> str | None:
    if len(payload) > LARGEST_PAYLOAD:
        return f"{len(payload)} bytes, {LARGEST_PAYLOAD} is the most"
    try:
        (topic.model or Message).model_validate_json(payload)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        return f"{'.'.join(str(part) for part in first['loc']) or 'payload'}: {first['msg']}"
    return None


def _object(payload: bytes) -> dict[str, Any]:
    try:
        found = json.loads(payload)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _unknown(topic: Topic, payload: bytes) -> set[str]:
    return set(_object(payload)) - set((topic.model or Message).model_fields)


def _shown(payload: bytes) -> str:
    text = payload[:80].decode(errors="replace")
    return f"{text}{'…' if len(payload) > 80 else ''}"
