"""The broker is killed, frozen, or not there when everything starts."""

from __future__ import annotations

import signal
from collections.abc import Iterator

from bench.scenarios import Figure
from bench.stack import CLOCK, CONTROL
from bench.trouble.case import FAILSAFE_W, Case, Run, Trouble, standard
from bench.trouble.services import GONE_S, HOW

BACK_WITHIN_S = 90.0


def gone(how: str) -> Run:
    """Every service loses the broker: failsafe, and recovery by itself."""

    def run(case: Case) -> Iterator[Figure]:
        moment = CLOCK.mono()
        case.site.broker.send_signal(HOW[how])
        case.site.wait(GONE_S)
        yield Figure(f"broker-{how}", "failsafe_s", case.above_s(moment, FAILSAFE_W))
        case.site.broker.revive()
        yield Figure(f"broker-{how}", "back_s", case.settle(timeout_s=BACK_WITHIN_S))

    return run


def absent(case: Case) -> Iterator[Figure]:
    """The services start without a broker, while the inverter runs at full power."""
    case.site.broker.send_signal(signal.SIGKILL)
    moment = case.site.start(CONTROL)
    case.site.wait(GONE_S)
    yield Figure("broker-absent", "failsafe_s", case.above_s(moment, FAILSAFE_W))
    case.site.broker.revive()
    yield Figure("broker-absent", "back_s", case.settle(timeout_s=BACK_WITHIN_S))


BROKERS = (
    *(Trouble((f"broker-{how}",), gone(how), standard()) for how in HOW),
    Trouble(("broker-absent",), absent, standard(), services=False),
)
