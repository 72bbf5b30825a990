"""THE table: every topic of the contract with its payload, writer, QoS, retain, period and deadline.

Documentation, JSON Schemas, subscriptions and the broker's access list all come from here.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from dynexport import messages as m


class Stored(StrEnum):
    """What a receiver does with a stored (retained) copy."""

    IGNORED = "ignored"  # live is for control: dropped and counted
    SEEN = "seen"  # delivered, marked `retained`; the receiver decides


@dataclass(frozen=True, slots=True)
class Writer:
    """Who may write a row: a user of the broker, and which ids; without ids any, fewer than the row's are the first.

    `EACH` is every service below its own name. `ADDED` is whom the owner adds, for what nobody else's service writes.
    """

    user: str
    ids: tuple[str, ...] = ()


EACH = Writer("each service")
ADDED = Writer("a user that you add")
OWNER = Writer("owner")


@dataclass(frozen=True, slots=True)
class Topic:
    """One row: `name` is relative to the root, `+` stands for an id, `model` None for a plain word."""

    name: str
    model: type[m.Message] | None
    writers: tuple[Writer, ...]
    qos: int
    retain: bool
    period: str
    about: str
    stored: Stored = Stored.SEEN
    skew_checked: bool = False
    queue: bool = False
    deadline: str = ""

    @property
    def ids(self) -> int:
        """How many ids the name holds."""
        return self.name.count("+")

    def path(self, root: str, *ids: str) -> str:
        """The full topic; with too few ids raises ValueError, with none of a wildcard's it is the filter."""
        if ids and len(ids) != self.ids:
            raise ValueError(f"topic {self.name} needs {self.ids} ids, got {ids}")
        name = self.name
        for part in ids:
            name = name.replace("+", part, 1)
        return f"{root}/{name}"

    def name_for(self, writer: Writer) -> str:
        """The name with the writer's ids in it: what that writer may write below the root."""
        name = self.name
        for part in writer.ids:
            name = name.replace("+", part, 1)
        return name

    def match(self, root: str, path: str) -> tuple[str, ...] | None:
        """The ids that `path` holds in this row's places, or None when it is another topic."""
        have, want = path.split("/"), self.path(root).split("/")
        if len(have) != len(want):
            return None
        pairs = list(zip(have, want, strict=True))
        if any(w not in ("+", h) for h, w in pairs):
            return None
        return tuple(h for h, w in pairs if w == "+")


def _reading(
    name: str, model: type[m.Message], writers: tuple[Writer, ...], period: str, about: str, deadline: str
) -> Topic:
    return Topic(
        name, model, writers, 0, False, period, about, Stored.IGNORED, skew_checked=True, deadline=deadline
    )


METER_READER, INVERTER_WRITER = Writer("meter-reader"), Writer("inverter-writer")
SITE_SIMULATOR = Writer("site-simulator")  # a simulated load speaks for itself
LIMIT_ENGINE, TARIFF_LIMITS, CSIP_CLIENT = (
    Writer("limit-engine"),
    Writer("tariff-limits"),
    Writer("csip-client"),
)
LIMIT_SOURCES = (
    Writer("csip-client", ("csip",)), Writer("tariff-limits", ("tariff",)), Writer("tariff-limits", ("price",)),
    Writer("owner", ("manual",)), ADDED,
)  # fmt: skip

METER_READING = _reading(
    "meter/site/reading", m.MeterReading, (METER_READER, INVERTER_WRITER),
    "`meter.poll_s`, or an MQTT meter's `period_s`", "the site meter, + is import",
    "2 periods: no raising; 4 s or 3 periods: open loop",
)  # fmt: skip
INVERTER_READING = _reading(
    "inverter/+/reading", m.InverterReading, (INVERTER_WRITER,), "1 s or faster",
    "one inverter, + is generation", "5 s: asleep or silent",
)  # fmt: skip
INVERTER_CAPABILITY = Topic(
    "inverter/+/capability", m.InverterCapability, (INVERTER_WRITER,), 1, True, "start, change",
    "what the inverter is, and what it does when we die",
)  # fmt: skip
INVERTER_CONTROL = Topic(
    "inverter/+/control", m.InverterControl, (INVERTER_WRITER,), 1, True, "10 s + change",
    "what was asked, what was really written, what the inverter says it holds",
)  # fmt: skip
BATTERY_READING = _reading(
    "battery/+/reading", m.BatteryReading, (METER_READER, INVERTER_WRITER, ADDED), "1 s",
    "a battery, + is discharge; from inverter-writer when it answers by Modbus, "
    "from meter-reader when `batteries[].topic` is set",
    "5 s: its `rated_w` counts in open loop",
)  # fmt: skip
UNCONTROLLED_READING = _reading(
    "uncontrolled/+/reading", m.PowerReading, (METER_READER, ADDED), "1 s",
    "a generator that does not obey us; from meter-reader when `uncontrolled[].topic` is set",
    "5 s: its `rated_w` counts in open loop",
)  # fmt: skip
BATTERY_SETPOINT = Topic(
    "battery/+/setpoint", m.BatterySetpoint, (LIMIT_ENGINE,), 0, False, "1 s + change",
    "what one battery is to do, only with `batteries[].control: charge_rate`; its bounds are those of import and "
    "load limits",
    Stored.IGNORED, skew_checked=True, deadline="15 s: no power is told any more, the bounds stay",
)  # fmt: skip
BATTERY_CONTROL = Topic(
    "battery/+/control", m.BatteryControl, (INVERTER_WRITER,), 1, True, "10 s + change",
    "what was asked of a battery, what was really written, what it says it is told",
)  # fmt: skip
LOAD_SETPOINT = Topic(
    "load/+/setpoint", m.Setpoint, (LIMIT_ENGINE,), 0, False, "1 s + change",
    "what one load may use at most; its `rated_w` while no import or load limit is in force",
    Stored.IGNORED, skew_checked=True, deadline="15 s: what stands is not raised",
)  # fmt: skip
LOAD_CONTROL = Topic(
    "load/+/control", m.LoadControl, (INVERTER_WRITER,), 1, True, "10 s + change",
    "what was asked of a load, and what it was told, where `loads[].command` is set",
)  # fmt: skip
LOAD_READING = _reading(
    "load/+/reading", m.PowerReading, (METER_READER, SITE_SIMULATOR, ADDED), "1 s",
    "a controllable load, + is consumption; from meter-reader when `loads[].topic` is set",
    "5 s: it counts as using all that it is allowed",
)  # fmt: skip
LIMIT = Topic(
    "limit/+", m.Limit, LIMIT_SOURCES, 1, True, "10 s + change",
    "a source's candidate limits; only sources listed in `site.yaml` count",
    deadline="60 s or its `ttl_s`: an obligation's fallback; a preference is ignored",
)  # fmt: skip
ACTIVE = Topic("active", m.Active, (LIMIT_ENGINE,), 1, True, "5 s + change", "the envelope in force, and why")
SETPOINT = Topic(
    "setpoint/+", m.Setpoint, (LIMIT_ENGINE,), 0, False, "1 s + change", "what one inverter may make",
    Stored.IGNORED, skew_checked=True, deadline="15 s: the smaller of the last target and the failsafe share",
)  # fmt: skip
FEED_IN_PRICE = Topic(
    "price/feed-in", m.FeedInPrice, (TARIFF_LIMITS,), 1, True, "change", "feed-in price, now and coming"
)
TARIFF_STATUS = Topic(
    "tariff/status", m.TariffStatus, (TARIFF_LIMITS,), 1, True, "change", "the window in force and the next"
)
CSIP_STATUS = Topic(
    "csip/status", m.CsipStatus, (CSIP_CLIENT,), 1, True, "change", "reachability, certificate days left"
)
CSIP_SCHEDULE = Topic(
    "csip/schedule",
    m.CsipSchedule,
    (CSIP_CLIENT,),
    1,
    True,
    "change",
    "the control in force and those to come",
)
AVAILABILITY = Topic(
    "service/+/availability",
    None,
    (EACH,),
    1,
    True,
    "connect",
    "the word `online` or `offline`, by last will",
)
HEALTH = Topic("service/+/health", m.Health, (EACH,), 0, True, "10 s", "the loop runs, and what it dropped")
INFO = Topic("service/+/info", m.Info, (EACH,), 1, True, "start", "version and settings, secrets masked")
EVENT = Topic("service/+/event", m.Event, (EACH,), 1, False, "transition", "something changed", queue=True)
REQUEST = Topic(
    "request/+/+", m.Request, (Writer("dashboard"), OWNER, ADDED), 1, False, "on demand",
    "`limit-engine/pause` (`source`, `for_s`), `limit-engine/step` (`id`, `for_s`), `inverter-writer/adopt` (`id`), "
    "`site-simulator/fault` and `utility-simulator/do` (`fault`, `id`, `value`, `for_s`)",
    Stored.IGNORED, queue=True,
)  # fmt: skip

# Not of the contract, so not of the table: what a simulated site really does, for tests and the bench.
SIMULATOR_TRUTH = "simulator/truth"
UTILITY_STATE = "simulator/utility"  # what the simulated utility server was answered and told

TABLE: tuple[Topic, ...] = tuple(value for value in list(globals().values()) if isinstance(value, Topic))
