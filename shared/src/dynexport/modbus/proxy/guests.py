"""What others ask of an endpoint that is ours: asked only in the gaps between our own jobs, and never in vain twice."""

from __future__ import annotations

import math
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from dataclasses import dataclass, field

from dynexport.clock import Clock
from dynexport.modbus.address import SerialAddress
from dynexport.modbus.endpoint import Endpoint, ModbusError, Refused
from dynexport.modbus.proxy.frames import NO_ANSWER, NO_PATH, READ_INPUT, Question, answer, refusal
from dynexport.modbus.worker import Gap

READS_PER_S = 10.0
FRESH_S = 0.75
UNIT_REST_S, ENDPOINT_REST_S, LONGEST_REST_S = 60.0, 5.0, 960.0
KNOWN_MARGIN, UNKNOWN_MARGIN = 1.25, 1.5
MOST_REMEMBERED = 256
FRAME_BYTES = 13
DEVICE_FAILURE = 4


@dataclass(slots=True)
class _Waiting:
    question: Question
    future: Future[bytes] = field(default_factory=Future)


class Guests:
    """`ask` is called by the proxy's thread, `serve` by the endpoint's.

    A read is sent only when, as far as was measured, it is over before one of our own jobs is due; at most 10 a
    second, and for at most half of the time. A unit that does not answer is left alone for 60 s, that question for
    longer and longer, up to 16 minutes (some devices never answer a read beyond their map), and nothing else is
    asked for 5 s: others cost us one time-out in 6 s at most, one a minute for each unit.
    """

    def __init__(self, units: Iterable[int], clock: Clock, wake: Callable[[], None]) -> None:
        self.units = frozenset(units)
        self.counts: Counter[str] = Counter()
        self._clock = clock
        self._wake = wake
        self._lock = threading.Lock()
        self._queue: deque[_Waiting] = deque()
        self._fresh: dict[Question, tuple[float, bytes]] = {}
        self._took_s: dict[Question, float] = {}
        self._resting: dict[int | Question, float] = {}
        self._failures: Counter[Question] = Counter()
        self._next = float("-inf")
        self._closed = False

    def ask(self, question: Question) -> Future[bytes]:
        """The body of the answer, some time; cancel it when it is no longer wanted."""
        waiting = _Waiting(question)
        with self._lock:
            known = self._known(question, self._clock.mono())
            if known is None:
                self._queue.append(waiting)
        if known is None:
            self._wake()
        else:
            waiting.future.set_result(known)
        return waiting.future

    def close(self) -> None:
        """Ask the endpoint nothing more."""
        self._closed = True

    def serve(self, endpoint: Endpoint, mono: float, gap: Gap) -> float:
        """Ask one thing; 0.0 when something was done, else seconds until there may be something to do."""
        with self._lock:
            self._queue = deque(waiting for waiting in self._queue if not waiting.future.cancelled())
            if self._closed or not self._queue:
                return math.inf
            self._answer(lambda question: self._silent(question, gap))
            if mono < self._next:
                return self._next - mono
            question = self._next_fitting(endpoint, gap)
        if question is None:
            return math.inf
        self._read(endpoint, question)
        return 0.0

    def _known(self, question: Question, mono: float) -> bytes | None:
        """What can be said without asking the device."""
        if question.unit not in self.units:
            return refusal(question.function, NO_PATH)
        if mono < max(self._resting.get(question.unit, mono), self._resting.get(question, mono)):
            return refusal(question.function, NO_ANSWER)
        moment, body = self._fresh.get(question, (-math.inf, b""))
        return body if mono - moment <= FRESH_S else None

    def _silent(self, question: Question, gap: Gap) -> bytes | None:
        """Our own jobs have found it silent: others need not find out."""
        silent = gap.answer_s is None or question.unit in gap.silent
        return refusal(question.function, NO_ANSWER) if silent else None

    def _next_fitting(self, endpoint: Endpoint, gap: Gap) -> Question | None:
        """The one that has waited longest of those that fit."""
        for waiting in self._queue:
            if self._expected_s(endpoint, waiting.question, gap.answer_s or 0.0) <= gap.free_s:
                return waiting.question
        return None

    def _expected_s(self, endpoint: Endpoint, question: Question, answer_s: float) -> float:
        """How long a read will take: as it took before, else as our own do, and the time of its bytes on a line."""
        took_s = self._took_s.get(question)
        if took_s is not None:
            return KNOWN_MARGIN * took_s
        line = endpoint.address
        bytes_s = line.seconds(FRAME_BYTES + 2 * question.count) if isinstance(line, SerialAddress) else 0.0
        return UNKNOWN_MARGIN * answer_s + bytes_s

    def _read(self, endpoint: Endpoint, question: Question) -> None:
        read = endpoint.read_input if question.function == READ_INPUT else endpoint.read_holding
        began = self._clock.mono()
        rest_s = 0.0
        try:
            body = answer(question, read(question.unit, question.address, question.count))
        except Refused as error:
            body = refusal(question.function, error.code or DEVICE_FAILURE)
        except ModbusError:
            body, rest_s = refusal(question.function, NO_ANSWER), ENDPOINT_REST_S
        ended = self._clock.mono()
        with self._lock:
            if rest_s:
                self._rest(question, ended)
            else:
                self.counts["read"] += 1
                self._remember(question, body, ended - began, ended)
            self._next = max(began + 1.0 / READS_PER_S, ended + max(rest_s, ended - began))
            self._answer(lambda other: self._known(other, ended))

    def _rest(self, question: Question, mono: float) -> None:
        self.counts["unanswered"] += 1
        if len(self._failures) >= MOST_REMEMBERED:
            self._failures.clear()
            self._resting.clear()
        self._failures[question] += 1
        doubled_s = UNIT_REST_S * 2.0 ** (self._failures[question] - 1)
        self._resting[question] = mono + min(LONGEST_REST_S, doubled_s)
        self._resting[question.unit] = mono + UNIT_REST_S

    def _remember(self, question: Question, body: bytes, took_s: float, mono: float) -> None:
        self._fresh = {known: entry for known, entry in self._fresh.items() if mono - entry[0] <= FRESH_S} | {
            question: (mono, body)
        }
        if len(self._took_s) >= MOST_REMEMBERED:
            self._took_s.clear()
        self._failures.pop(question, None)
        self._took_s[question] = max(took_s, 0.8 * self._took_s.get(question, 0.0))

    def _answer(self, known: Callable[[Question], bytes | None]) -> None:
        """Answer all that can be: many may have asked the same, or a unit that rests."""
        left: deque[_Waiting] = deque()
        for waiting in self._queue:
            body = known(waiting.question)
            if body is None:
                left.append(waiting)
            elif waiting.future.set_running_or_notify_cancel():
                waiting.future.set_result(body)
        self._queue = left
