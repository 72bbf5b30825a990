"""Modbus RTU as a master: over a serial line, or over TCP to a gateway that passes bytes on as they are.

Not pymodbus's own: with 3.16.1 one stray byte before a frame loses that frame (tried over a pty: every read fails
on a line that begins each answer with a 0x00), its waiting follows the wall clock, and it takes a late answer for
the next question's.
"""

from __future__ import annotations

from dataclasses import dataclass

from pymodbus.client.mixin import ModbusClientMixin
from pymodbus.framer.rtu import FramerRTU
from pymodbus.pdu import DecodePDU, ModbusPDU
from pymodbus.pdu.register_message import ReadHoldingRegistersRequest, ReadInputRegistersRequest

from dynexport.clock import Clock, SystemClock
from dynexport.modbus.address import Address, SerialAddress
from dynexport.modbus.errors import BadAnswer
from dynexport.modbus.wire import Wire, open_wire, receive, send

READ_HOLDING, READ_INPUT = 3, 4
EXCEPTION_LENGTH, WRITE_ANSWER_LENGTH, SHORTEST = 5, 8, 4
QUIET_S = 0.2  # after this nothing more of a frame comes: USB adapters and gateways hand on a frame in parts
SILENCE_BYTES, SHORTEST_SILENCE_S = 3.5, 0.00175  # Modbus over serial line 1.02, section 2.5.1.1
GATEWAY_SILENCE_S = 0.005
LATEST_S = 30.0  # no answer is expected to come later than this
A_WRITE = 0


def seal(body: bytes) -> bytes:
    """A frame: unit, function and data, then their CRC."""
    return body + FramerRTU.compute_CRC(body).to_bytes(2, "big")


def is_sealed(frame: bytes) -> bool:
    """Whether it ends with its own CRC."""
    return len(frame) >= SHORTEST and seal(frame[:-2]) == frame


@dataclass(frozen=True, slots=True)
class Question:
    """A request: its frame, and what an answer must look like."""

    unit: int
    function: int
    count: int
    frame: bytes

    @property
    def reads(self) -> bool:
        """Whether it asks for registers."""
        return self.function in (READ_HOLDING, READ_INPUT)

    @property
    def shape(self) -> int:
        """Two questions of one shape have answers that nothing tells apart: as many registers, or a write."""
        return self.count if self.reads else A_WRITE

    @property
    def answer_length(self) -> int:
        """The length of the answer that is hoped for, bytes."""
        return 5 + 2 * self.count if self.reads else WRITE_ANSWER_LENGTH

    def answer_in(self, data: bytes) -> bytes | None:
        """The first frame that answers, wherever it begins: noise may stand before it."""
        heads = [(bytes([self.unit, self.function | 0x80]), EXCEPTION_LENGTH)]
        head = bytes([self.unit, self.function]) + (bytes([2 * self.count]) if self.reads else b"")
        heads.append((head, self.answer_length))
        for start in range(len(data)):
            for begin, length in heads:
                frame = data[start : start + length]
                if frame.startswith(begin) and len(frame) == length and is_sealed(frame):
                    return frame
        return None


class RtuClient(ModbusClientMixin[ModbusPDU]):
    """One master of one bus. RTU frames carry no number: after a question that was not answered, an answer that is
    still to come could be taken for the next one's. So a unit that owes an answer is first asked for something
    whose answer has another length, and only when that has come, in its turn, is it asked on.
    """

    def __init__(self, address: Address, timeout_s: float, clock: Clock | None = None) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._address = address
        self._timeout_s = timeout_s
        self._clock = clock or SystemClock()
        self._decoder = DecodePDU(False)
        self._wire: Wire | None = None
        self._heard_at = float("-inf")
        self._owed: dict[int, dict[int, float]] = {}

    @property
    def connected(self) -> bool:
        """Whether the port or the connection is open."""
        return self._wire is not None

    def connect(self) -> bool:
        """Open it; raises OSError with the reason."""
        self._wire = self._wire or open_wire(self._address, self._timeout_s)
        return True

    def close(self) -> None:
        """Close it, and give up the port's lock."""
        if self._wire is not None:
            self._wire.close()
        self._wire = None

    def execute(self, no_response_expected: bool, request: ModbusPDU) -> ModbusPDU:
        """Ask; raises TimeoutError for silence, BadAnswer for what is no answer, OSError when the line is gone."""
        question = _question(request)
        if question.shape in self._owes(question.unit):
            self._catch_up(question, request.address)
        answer = self._ask_or_owe(question)
        if answer[1] == question.function:
            self._owed.pop(question.unit, None)
        elif self._owes(question.unit):  # an exception, which may be the older question's
            self._owe(question)
        return self._decode(answer)

    def _catch_up(self, wanted: Question, address: int) -> None:
        """Ask for as many registers as no owed answer has; what comes before is late."""
        unit, owed = wanted.unit, self._owes(wanted.unit)
        count = next(number for number in range(1, len(owed) + 2) if number not in owed)
        read = ReadInputRegistersRequest if wanted.function == READ_INPUT else ReadHoldingRegistersRequest
        self._ask_or_owe(_question(read(address=address, count=count, dev_id=unit)))
        del self._owed[unit]

    def _ask_or_owe(self, question: Question) -> bytes:
        try:
            return self._ask(question)
        except (OSError, BadAnswer):
            self._owe(question)
            raise

    def _owe(self, question: Question) -> None:
        self._owed.setdefault(question.unit, {})[question.shape] = self._clock.mono()

    def _owes(self, unit: int) -> set[int]:
        """The shapes of the answers that may still come."""
        latest = self._clock.mono() - LATEST_S
        kept = {shape: asked for shape, asked in self._owed.get(unit, {}).items() if asked > latest}
        self._owed[unit] = kept
        return set(kept)

    def _decode(self, answer: bytes) -> ModbusPDU:
        pdu = self._decoder.decode(answer[1:-2])
        if pdu is None:
            raise BadAnswer(f"an answer that cannot be decoded: {answer.hex(' ')}")
        return pdu

    def _ask(self, question: Question) -> bytes:
        self.connect()
        wire = self._wire
        if wire is None:
            raise ConnectionError("closed meanwhile")
        self._clear_line(wire)
        deadline = self._clock.mono() + self._timeout_s + self._travel_s(question)
        send(wire, question.frame, self._timeout_s)
        data = b""
        while (left_s := deadline - self._clock.mono()) > 0:
            came = receive(wire, min(left_s, QUIET_S) if data else left_s)
            data += came
            if came:
                self._heard_at = self._clock.mono()
            if answer := question.answer_in(data):
                return answer
            if data and not came:
                data = self._unfit(question, data)
        raise TimeoutError("no answer")

    def _unfit(self, question: Question, data: bytes) -> bytes:
        """What to keep of bytes after which nothing follows: nothing where waiting on makes sense, else BadAnswer."""
        if data == question.frame:  # an adapter that hears itself
            return b""
        if not is_sealed(data):
            raise BadAnswer(f"{len(data)} bytes that are no answer: {data[:12].hex(' ')}")
        if data[0] != question.unit or self._owes(question.unit):  # another unit's, or late
            return b""
        raise BadAnswer(f"an answer to another question came: {data[:12].hex(' ')}")

    def _clear_line(self, wire: Wire) -> None:
        """Drop what has come unasked, and keep the silence that ends a frame."""
        deadline = self._clock.mono() + self._timeout_s
        while (now := self._clock.mono()) < deadline:
            if not receive(wire, self._heard_at + self._silence_s() - now):
                return
            self._heard_at = self._clock.mono()
        raise BadAnswer("the line is never silent: something else speaks on it")

    def _silence_s(self) -> float:
        if isinstance(self._address, SerialAddress):
            return max(SHORTEST_SILENCE_S, self._address.seconds(SILENCE_BYTES))
        return GATEWAY_SILENCE_S

    def _travel_s(self, question: Question) -> float:
        """How long question and answer are on the line; a gateway's line is fast enough for its timeout."""
        if isinstance(self._address, SerialAddress):
            return self._address.seconds(len(question.frame) + question.answer_length)
        return 0.0


def _question(request: ModbusPDU) -> Question:
    frame = seal(bytes([request.dev_id, request.function_code]) + request.encode())
    return Question(request.dev_id, request.function_code, request.count, frame)
