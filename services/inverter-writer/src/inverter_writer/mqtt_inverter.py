"""An inverter behind MQTT as a device: fed from the bus, limited by what we publish. In the service's own thread."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

from dynexport.clock import Clock
from dynexport.mapping import Odd, doubt
from dynexport.modbus.endpoint import Unreachable
from dynexport.modbus.inverter_values import ControlValues, InverterIdentity, InverterStatus, InverterValues
from dynexport.service import Moment
from dynexport.settings.models import InverterCommand, MqttInverter
from dynexport.template import filled, short, switch, whole
from inverter_writer.mqtt_values import Ear, Heard, Held, held, identity_of

SHORTEST_S, PERIODS = 5.0, 3.0

Publish = Callable[[str, bytes, int, bool], bool]


class MqttInverterDevice:
    """Implements InverterDevice. Readings older than `oldest_s` raise Unreachable, and so does a command that cannot
    be sent.

    Without a read-back it cannot be known what stands there: what we told it last counts, before that 0 W, so that a
    first contact never raises anything.
    """

    def __init__(self, settings: MqttInverter, clock: Clock, publish: Publish) -> None:
        self.settings = settings
        self.oldest_s = max(SHORTEST_S, PERIODS * settings.period_s)
        self._settles_s = 0.0 if settings.read_back is None else settings.read_back.within_s
        self._clock = clock
        self._publish = publish
        self._ear = Ear(settings)
        self._started = clock.mono()
        self._heard: tuple[Heard, float] | None = None
        self._held: Held | None = None
        self._limit_pct: float | None = None
        self._connect: bool | None = None
        self._changed = float("-inf")

    @property
    def ready(self) -> bool:
        """Whether it has spoken since we started, or has had its time to."""
        waits = self.settings.read_back is not None and self._held is None
        return self._clock.mono() - self._started > self.oldest_s or not (waits or self._heard is None)

    def take(self, path: str, payload: bytes, mono: float, now: Moment) -> bool:
        """A live message, arrived at `mono`; whether it is news. Raises Odd."""
        news = False
        read_back = self.settings.read_back
        if read_back is not None and path == read_back.topic:
            self._held, news = held(payload, read_back, self.settings.rated_w), True
        if path == self.settings.topic:
            news = self._reading(self._ear.read(payload), mono, now) or news
        return news

    def identify(self) -> InverterIdentity:
        """What `site.yaml` says of it."""
        return identity_of(self.settings, self._heard[0] if self._heard else None)

    def read(self) -> InverterValues:
        """The newest reading."""
        return self._fresh().values

    def read_status(self) -> InverterStatus:
        """What goes with the newest reading."""
        status = self._fresh().status
        if self._held is None or self._held.connected is None:
            return status
        return replace(status, connected=self._held.connected)

    def read_control(self) -> ControlValues:
        """What it says it holds; while our last word may be on its way, or it is silent, the smaller of the two, which
        is not compared.
        """
        if self._held is None:
            return ControlValues(self._connect, self._standing_pct, True, None, told=False)
        limit_pct, settling = self._held.limit_pct, self._clock.mono() - self._changed < self._settles_s
        if settling or self._silent:
            both_pct = min(limit_pct, self._standing_pct)
            return ControlValues(self._held.connected, both_pct, True, None, told=False)
        return ControlValues(self._held.connected, limit_pct, True, None)

    def write_limit(self, limit_pct: float, revert_s: int, revert_pct: float) -> None:
        """Tell it; it has no timer of ours. While it is silent it is not let up."""
        if limit_pct > self._standing_pct:
            self._fresh()
        self._tell(limit_pct, self._connect)

    def write_connect(self, connect: bool) -> None:
        """Tell it; while it is silent it is not connected."""
        if connect:
            self._fresh()
        self._tell(self._limit_pct or 0.0, connect)

    def release(self) -> None:
        """Tell it that it may make all that it can."""
        self._tell(100.0, self._connect)

    def _reading(self, heard: Heard, arrived: float, now: Moment) -> bool:
        moment = now.wall - timedelta(seconds=max(0.0, now.mono - arrived))
        measured_at = heard.measured_at or moment
        too_odd = doubt(measured_at, now.wall, self.oldest_s)
        if too_odd is not None:
            raise Odd(too_odd)
        if self._heard is not None and self._heard[0].values.measured_at == measured_at:
            return False  # the same reading published again is no news, and no mistake either
        at = now.mono - max(0.0, (now.wall - measured_at).total_seconds())
        self._heard = replace(heard, values=replace(heard.values, measured_at=measured_at)), at
        return True

    @property
    def _standing_pct(self) -> float:
        """What we told it last, else what it says it holds; without either nothing may stand there."""
        if self._limit_pct is not None:
            return self._limit_pct
        return 0.0 if self._held is None else self._held.limit_pct

    @property
    def _silent(self) -> bool:
        return self._heard is None or self._clock.mono() - self._heard[1] > self.oldest_s

    def _fresh(self) -> Heard:
        if self._heard is None or self._silent:
            raise Unreachable(f"no good reading on {self.settings.topic} for {self.oldest_s:g} s")
        return self._heard[0]

    def _tell(self, limit_pct: float, connect: bool | None) -> None:
        command = self.settings.command
        if command is None:
            raise Unreachable("site.yaml gives no `command` for it")
        if not self._publish(
            command.topic, self._payload(command, limit_pct, connect), command.qos, command.retain
        ):
            raise Unreachable(f"the broker is away: nothing could be sent on {command.topic}")
        if (limit_pct, connect) != (self._limit_pct, self._connect):
            self._changed = self._clock.mono()
        self._limit_pct, self._connect = limit_pct, connect

    def _payload(self, command: InverterCommand, limit_pct: float, connect: bool | None) -> bytes:
        """Rounded down. A connection that nobody has told us is left as it is said to be; unknown is not connected."""
        limit_w = self.settings.rated_w * limit_pct / 100.0
        if connect is None:
            connect = self._held is not None and self._held.connected is True
        values = {
            "limit_w": whole(limit_w),
            "limit_kw": short(int(limit_w + 1e-6) / 1000.0, 3),
            "limit_pct": short(limit_pct, 2),
            "connect": switch(connect),
        }
        return filled(command.payload, values).encode()
