"""A limit source is killed or frozen; an obligation that is silent from the start."""

from __future__ import annotations

from collections.abc import Iterator

from bench.scenarios import Figure
from bench.stack import CONTROL
from bench.trouble.case import BAND_W, FAILSAFE_W, LIMIT_W, Case, Run, Trouble, standard
from bench.trouble.services import HOW, back, hit
from dynexport import topics
from dynexport.messages import Active

TTL_S = 12.0
EARLY_S = 0.1  # what a message takes to arrive
SAID_W, FALLBACK_W = 3000.0, 1500.0
SILENT_SINCE_START_S = 60.0
OBLIGATION, PREFERENCE = "utility", "manual"


def silent(source: str, how: str) -> Run:
    """It says 3 kW every second with a `ttl_s` of 12 s until it is gone; what then counts is known."""
    row = f"{'obligation' if source == OBLIGATION else 'preference'}-{how}"
    after_w, after_source = (FALLBACK_W, OBLIGATION) if source == OBLIGATION else (LIMIT_W, "agreement")

    def run(case: Case) -> Iterator[Figure]:
        _publish(case, source)
        case.site.start(CONTROL)
        case.settle(SAID_W)
        case.site.bus.subscribe(topics.LIMIT)
        case.site.wait(2.0)
        hit(case, source, how)
        case.site.wait(1.0)
        last = case.heard(topics.LIMIT, 0.0)[-1].mono
        late_s = case.hear(topics.ACTIVE, lambda said: _is(said, after_w, after_source), last, 60.0) - TTL_S
        if late_s < -EARLY_S:
            raise RuntimeError(f"{source} stopped counting {-late_s:.1f} s before its deadline")
        yield Figure(row, "late_s", max(0.0, late_s))
        case.settle(after_w)
        if source == OBLIGATION:
            yield Figure(row, "over_s", case.over_s(last + TTL_S, FALLBACK_W))
        if how == "frozen":
            back(case, source, how)
            case.settle(SAID_W)

    return run


def silent_from_the_start(case: Case) -> Iterator[Figure]:
    """Failsafe until the obligation's deadline since start, then its fallback in closed loop."""
    moment = case.site.start(CONTROL)
    case.site.wait(SILENT_SINCE_START_S - 1.0)
    until = moment + SILENT_SINCE_START_S - 1.0
    yield Figure("obligation-silent-at-start", "failsafe_s", case.above_s(moment, FAILSAFE_W, until))
    yield Figure("obligation-silent-at-start", "closed_loop_s", case.settle(FALLBACK_W) + until - moment)
    case.site.wait(5.0)
    over = [now for now in case.site.record.since(until) if now.export_w > FALLBACK_W + BAND_W]
    yield Figure("obligation-silent-at-start", "over_s", over[-1].mono - over[0].mono if over else 0.0)


def _publish(case: Case, source: str) -> None:
    mqtt = case.site.bus.mqtt
    arguments = [mqtt.host, str(mqtt.port), mqtt.root, source, str(SAID_W), str(TTL_S)]
    case.site.spawn(source, ["bench.trouble.publisher", *arguments])


def _is(said: object, export_limit_w: float, source: str) -> bool:
    return isinstance(said, Active) and (said.export_limit_w, said.export_limit_source) == (
        export_limit_w,
        source,
    )


def _shape(source: str) -> dict[str, object]:
    return standard(obligation_w=FALLBACK_W) if source == OBLIGATION else standard()


SOURCES = (
    *(
        Trouble((f"{kind}-{how}",), silent(source, how), _shape(source), services=False)
        for kind, source in (("obligation", OBLIGATION), ("preference", PREFERENCE))
        for how in HOW
    ),
    Trouble(
        ("obligation-silent-at-start",),
        silent_from_the_start,
        standard(obligation_w=FALLBACK_W),
        services=False,
    ),
)
