"""One thread per endpoint: it runs the jobs of the units behind it, the most urgent first."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from dynexport.clock import Clock
from dynexport.modbus.endpoint import BackOff, Endpoint, ModbusError

IDLE_S = 0.5
FORGET = 0.95  # of the slowest answer, per answer: a slow one counts for some seconds


class Job(Protocol):
    """Something one unit wants done from time to time. All but `urgent` is called in the endpoint's thread."""

    unit: int

    @property
    def urgent(self) -> bool:
        """Whether it goes before all others: a pending tightening."""
        ...

    def due(self, mono: float) -> float:
        """Seconds until it wants to run; 0 or less is now."""
        ...

    def run(self, endpoint: Endpoint, mono: float) -> None:
        """Do it; may raise ModbusError."""
        ...

    def failed(self, error: ModbusError, mono: float) -> None:
        """It did not work; the unit is left alone for a while."""
        ...


@dataclass(frozen=True, slots=True)
class Gap:
    """No job is due for `free_s`. An answer takes up to `answer_s`, None while no unit answers; `silent` units fail."""

    free_s: float
    answer_s: float | None
    silent: frozenset[int]


class Guest(Protocol):
    """What is asked for others, only while no job is due. Called in the endpoint's thread."""

    def serve(self, endpoint: Endpoint, mono: float, gap: Gap) -> float:
        """Ask one thing at most; 0.0 when it did, else seconds until it may have something. Raises no ModbusError."""
        ...


class EndpointWorker(threading.Thread):
    """Owns an endpoint. A unit that does not answer backs off without starving the others."""

    def __init__(
        self, endpoint: Endpoint, jobs: Sequence[Job], clock: Clock, on_end: Callable[[], None]
    ) -> None:
        super().__init__(name=f"modbus-{endpoint.address}", daemon=True)
        self.endpoint = endpoint
        self.jobs = list(jobs)
        self.guest: Guest | None = None
        self.crashed: BaseException | None = None
        self._clock = clock
        self._on_end = on_end
        self._news = threading.Event()
        self._stopping = False
        self._back_off = {job.unit: BackOff() for job in jobs}
        self._busy_since: float | None = None
        self._answer_s: float | None = None
        endpoint.on_answer = self._answered

    def wake(self) -> None:
        """Look again at what is due, at once."""
        self._news.set()

    def busy_for(self, mono: float) -> float:
        """How long it has been stuck: seconds since its job began or the last answer came; 0 when idle."""
        since = self._busy_since
        return 0.0 if since is None else mono - since

    def stop(self, timeout_s: float) -> bool:
        """Ask it to end after its present call; False when it is still busy after `timeout_s`."""
        self._stopping = True
        self.wake()
        self.join(timeout_s)
        return not self.is_alive()

    def run(self) -> None:
        """The thread: what is not a ModbusError is kept in `crashed` and told by `on_end`."""
        try:
            while not self._stopping:
                self._news.clear()
                self._turn()
        except BaseException as error:  # noqa: BLE001 - told to the service, which ends
            self.crashed = error
        finally:
            self.endpoint.close()
            self._on_end()

    def _turn(self) -> None:
        mono = self._clock.mono()
        waits = [(self._wait_for(job, mono), not job.urgent, number) for number, job in enumerate(self.jobs)]
        due = [wait for wait in waits if wait[0] <= 0.0]
        if not due:
            free_s = min([math.inf, *(wait for wait, _, _ in waits)])
            guest_s = self._serve(mono, free_s)
            if guest_s > 0.0:
                self._news.wait(max(0.001, min(IDLE_S, free_s, guest_s)))
            return
        _, _, number = min(due, key=lambda wait: (wait[1], wait[0], wait[2]))
        self._run(self.jobs[number], mono)

    def _wait_for(self, job: Job, mono: float) -> float:
        return max(job.due(mono), self._back_off[job.unit].until - mono)

    def _serve(self, mono: float, free_s: float) -> float:
        if self.guest is None:
            return math.inf
        silent = frozenset(unit for unit, back_off in self._back_off.items() if back_off.failures)
        answer_s = self._answer_s if len(silent) < len(self._back_off) else None
        self._busy_since = mono
        try:
            return self.guest.serve(self.endpoint, mono, Gap(free_s, answer_s, silent))
        finally:
            self._busy_since = None

    def _answered(self) -> None:
        """A long job over a slow gateway (finding a map is 20 to 60 reads) is not a stuck one."""
        now = self._clock.mono()
        if self._busy_since is not None:
            self._answer_s = max(now - self._busy_since, FORGET * (self._answer_s or 0.0))
        self._busy_since = now

    def _run(self, job: Job, mono: float) -> None:
        back_off = self._back_off[job.unit]
        self._busy_since = mono
        try:
            job.run(self.endpoint, mono)
            back_off.succeeded()
        except ModbusError as error:
            now = self._clock.mono()
            back_off.failed(now)
            job.failed(error, now)
        finally:
            self._busy_since = None
