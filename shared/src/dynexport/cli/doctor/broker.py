"""The broker: our login, and its access list by round trip."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager

from dynexport import topics
from dynexport.bus import MqttBus
from dynexport.cli.doctor.finding import Finding, doubt, ok, wrong
from dynexport.cli.hearing import Heard, NoBroker, listen, on_the_bus
from dynexport.clock import Clock
from dynexport.inbox import Rejected
from dynexport.messages import Request, Setpoint
from dynexport.ports import RawReceived, Received
from dynexport.settings.models import MqttMeter, Site

ROUND_TRIP_S = 2.0
ECHO = ("doctor", "echo")
NOBODYS = "doctor-probe"
OWNERS_LOGIN = "the user `owner` may: run this as somebody who may read its password (`access/secrets/owner`)"


def unreachable(error: NoBroker) -> Finding:
    """What keeps us out."""
    if error.refused:
        advice = "did `dynexport init` make the users that it knows, and may you read their passwords (sudo)?"
        return wrong("broker", f"{error}: it is there and refuses our login", advice)
    advice = "is it running (`systemctl status mosquitto`, `docker compose ps`)? are mqtt.host and mqtt.port right?"
    return wrong("broker", f"{error}; everything that needs it was left out", advice)


@contextmanager
def session(site: Site, clock: Clock) -> Iterator[MqttBus]:
    """A bus that hears every topic of the contract, an MQTT meter's, and what must be refused."""
    raw = [topics.LOAD_SETPOINT.path(site.mqtt.root, NOBODYS)]
    if isinstance(site.meter, MqttMeter):
        raw += site.meter.topics
    with on_the_bus(site.mqtt, clock, topics.TABLE, raw) as bus:
        yield bus


def access(bus: MqttBus, clock: Clock, heard: Heard) -> list[Finding]:
    """Publish what an owner may, and what nobody but limit-engine may: a setpoint of a load that does not exist."""
    nonce = secrets.token_hex(8)
    bus.publish(topics.REQUEST, Request(issued_at=clock.now(), source=nonce), *ECHO)
    forbidden = Setpoint(issued_at=clock.now(), target_w=0.0, engine_id=nonce, seq=0, ttl_s=0.0)
    bus.publish(topics.LOAD_SETPOINT, forbidden, NOBODYS)
    trial = Heard()
    listen(bus, clock, ROUND_TRIP_S, trial)
    came_back = [one for one in trial.messages if _is_echo(one, nonce)]
    got_through = [
        one for one in trial.messages if isinstance(one, RawReceived) and nonce.encode() in one.payload
    ]
    heard.messages += [one for one in trial.messages if one not in (*came_back, *got_through)]
    ours = (topics.REQUEST.path(bus.root, *ECHO), topics.LOAD_SETPOINT.path(bus.root, NOBODYS))
    heard.dropped += [problem for problem in trial.dropped if problem.path not in ours]
    user = bus.mqtt.username
    unread = [problem for problem in trial.dropped if problem.kind == "read_refused"]
    return [_may(bool(came_back), user), _must_not(bool(got_through), user), *_reads(unread, user)]


def _reads(unread: list[Rejected], user: str | None) -> list[Finding]:
    """Subscriptions that the broker refused: what they carry was not heard."""
    return [
        doubt("access", f"{_name(user)} may not read {problem.path}: it was left out", OWNERS_LOGIN)
        for problem in unread
    ]


def _is_echo(one: Received | RawReceived, nonce: str) -> bool:
    return isinstance(one, Received) and isinstance(one.message, Request) and one.message.source == nonce


def _may(came_back: bool, user: str | None) -> Finding:
    if came_back:
        return ok("access", f"{_name(user)} may write requests, and hears them")
    return doubt(
        "access",
        f"{_name(user)} may not write requests: `limit`, `adopt` and `release` will have no effect",
        OWNERS_LOGIN,
    )


def _must_not(got_through: bool, user: str | None) -> Finding:
    if not got_through:
        return ok("access", f"{_name(user)} is refused where only limit-engine may write")
    return doubt(
        "access",
        f"{_name(user)} may write setpoints: this broker has no access list, so everybody who reaches it drives "
        "the inverters",
        "`dynexport init` makes users and an access list (mosquitto/README.md)",
    )


def _name(user: str | None) -> str:
    return f"user {user}" if user else "anybody (no mqtt.username)"
