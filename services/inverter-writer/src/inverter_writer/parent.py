"""The small process above the working one: a frozen process cannot end itself, so this one ends and restarts it.

It imports next to nothing, so that it stays small and cannot share the child's trouble.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from collections.abc import Sequence

from dynexport.clock import Clock, SystemClock

SILENT_S = 10.0
STOP_WITHIN_S = 10.0
BACK_OFF_S = (0.0, 1.0, 2.0, 5.0)
STEADY_S = 60.0
BAD_CONFIGURATION = 2
HEARTBEAT, PARENT_PIPE = "DYNEXPORT_HEARTBEAT_FD", "DYNEXPORT_PARENT_PIPE_FD"
WORKER = "inverter_writer.worker"


class Parent:
    """Starts the worker, listens to its heartbeat, kills and restarts it when it falls silent."""

    def __init__(self, arguments: Sequence[str], clock: Clock) -> None:
        self._command = [sys.executable, "-m", WORKER, *arguments]
        self._clock = clock
        self._stopping = False
        self._failures = 0
        own = os.environ.get(PARENT_PIPE, "")
        self._above = int(own) if own.isdigit() else None

    def ask_to_stop(self, *_: object) -> None:
        """From a signal."""
        self._stopping = True

    def run(self) -> int:
        """Until asked to stop, or the configuration is bad; returns the exit code."""
        while True:
            began = self._clock.mono()
            code = self._live()
            if self._stopping or code == BAD_CONFIGURATION:
                return max(0, code)
            self._failures = 0 if self._clock.mono() - began > STEADY_S else self._failures + 1
            wait_s = BACK_OFF_S[min(self._failures, len(BACK_OFF_S)) - 1] if self._failures else 0.0
            self._say(f"the working process ended with {code}: another one in {wait_s:.0f} s")
            self._clock.sleep(wait_s)

    def _live(self) -> int:
        """One life of the worker; its exit code."""
        beat_in, beat_out = os.pipe()
        life_in, life_out = os.pipe()
        environment = {**os.environ, HEARTBEAT: str(beat_out), PARENT_PIPE: str(life_in)}
        child = subprocess.Popen(self._command, env=environment, pass_fds=(beat_out, life_in))
        os.close(beat_out)
        os.close(life_in)
        try:
            self._watch(child, beat_in)
            return self._end(child)
        finally:
            os.close(life_out)
            os.close(beat_in)

    def _watch(self, child: subprocess.Popen[bytes], beat_in: int) -> None:
        heard = seen = self._clock.mono()
        while child.poll() is None and not self._stopping:
            watched = [beat_in] + ([self._above] if self._above is not None else [])
            ready, _, _ = select.select(watched, [], [], 1.0)
            now = self._clock.mono()
            if now - seen > SILENT_S / 2:  # we were frozen ourselves: give the child its chance
                heard = now
            seen = now
            if self._above in ready and not os.read(self._above or 0, 1):
                self._stopping = True
            if beat_in in ready and os.read(beat_in, 4096):
                heard = now
            if now - heard > SILENT_S:
                self._say(f"the working process was silent for {SILENT_S:.0f} s: it is killed")
                child.kill()

    def _end(self, child: subprocess.Popen[bytes]) -> int:
        if self._stopping and child.poll() is None:
            child.terminate()
        try:
            return child.wait(STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            child.kill()
            return child.wait()

    @staticmethod
    def _say(text: str) -> None:
        print(f"at=inverter-writer-parent level=WARNING msg={text!r}", file=sys.stderr, flush=True)


def main(arguments: Sequence[str]) -> int:
    """Run the parent; returns the exit code."""
    parent = Parent(arguments, SystemClock())
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, parent.ask_to_stop)
    return parent.run()
