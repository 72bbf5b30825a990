"""Whether the wall clock is to be trusted: contract.md, "Clocks".

A Raspberry Pi has no clock chip and wakes with a plausible old time.
"""

from __future__ import annotations

import ctypes
from datetime import datetime
from pathlib import Path

from dynexport import BUILD_TIME

STA_UNSYNC = 0x0040
TIME_ERROR = 5
TIMEX_BYTES = 208
STATUS_AT = 40 if ctypes.sizeof(ctypes.c_long) == 8 else 20


def kernel_says_synchronised() -> bool:
    """Ask `adjtimex(2)`, which needs no privileges; False where it cannot be asked."""
    try:
        adjtimex = ctypes.CDLL(None).adjtimex
    except (OSError, AttributeError):
        return False
    timex = ctypes.create_string_buffer(TIMEX_BYTES)
    state = adjtimex(timex)
    status = ctypes.c_int.from_buffer(timex, STATUS_AT).value
    return state >= 0 and state != TIME_ERROR and not status & STA_UNSYNC


def hardware_clock_exists() -> bool:
    """Whether the kernel knows a real-time clock chip."""
    return any(Path("/sys/class/rtc").glob("rtc*"))


def trusted(now: datetime, setting: str, *, newest_stored: datetime | None = None) -> bool:
    """The verdict for `site.clock` ("auto" or "trusted"); an impossible time is never trusted."""
    if now < BUILD_TIME or (newest_stored is not None and now < newest_stored):
        return False
    return setting == "trusted" or kernel_says_synchronised() or hardware_clock_exists()
