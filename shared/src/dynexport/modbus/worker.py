"""One thread per endpoint: it runs the jobs of the units behind it, the most urgent first."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Protocol

from dynexport.clock import Clock
from dynexport.modbus.endpoint import BackOff, Endpoint, ModbusError

IDLE_S = 0.5


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


class EndpointWorker(threading.Thread):
    """Owns an endpoint. A unit that does not answer backs off without starving the others."""

    def __init__(
        self, endpoint: Endpoint, jobs: Sequence[Job], clock: Clock, on_end: Callable[[], None]
    ) -> None:
        super().__init__(name=f"modbus-{endpoint.address}", daemon=True)
        self.endpoint = endpoint
        self.jobs = list(jobs)
        self.crashed: BaseException | None = None
        self._clock = clock
        self._on_end = on_end
        self._news = threading.Event()
        self._stopping = False
        self._back_off = {job.unit: BackOff() for job in jobs}
        self._busy_since: float | None = None
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
            self._news.wait(max(0.001, min([IDLE_S, *(wait for wait, _, _ in waits)])))
            return
        _, _, number = min(due, key=lambda wait: (wait[1], wait[0], wait[2]))
        self._run(self.jobs[number], mono)

    def _wait_for(self, job: Job, mono: float) -> float:
        return max(job.due(mono), self._back_off[job.unit].until - mono)

    def _answered(self) -> None:
        """A long job over a slow gateway (finding a map is 20 to 60 reads) is not a stuck one."""
        self._busy_since = self._clock.mono()

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
