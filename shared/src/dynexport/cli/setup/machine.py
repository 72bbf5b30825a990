"""Whether this machine can run Dynexport at all."""

from __future__ import annotations

import platform
import struct

BITS_PER_BYTE = 8


def refusal(pointer_bytes: int | None = None, machine: str | None = None) -> str:
    """Why not, and what to install; empty on a 64-bit system.

    A Raspberry Pi may run a 64-bit kernel with 32-bit programs: the pointers of this very program count.
    """
    bits = BITS_PER_BYTE * (struct.calcsize("P") if pointer_bytes is None else pointer_bytes)
    if bits >= 64:
        return ""
    name = machine or platform.machine()
    kernel = " (its kernel is 64-bit, its programs are not)" if name in ("aarch64", "x86_64", "amd64") else ""
    return (
        f"this system is {bits}-bit ({name}){kernel}, and Dynexport needs a 64-bit one\n"
        "next: on a Raspberry Pi 3 or later install `Raspberry Pi OS (64-bit)`; elsewhere a 64-bit Linux "
        "(amd64 or arm64)"
    )
