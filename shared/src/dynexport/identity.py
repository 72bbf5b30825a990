"""Who a device is to a utility server: LFDI, SFDI and PIN. Pure; IEEE 2030.5 6.3.4 (LFDI), 6.3.3 (SFDI)."""

from __future__ import annotations

import hashlib

LFDI_DIGITS, SFDI_HEX_DIGITS = 40, 9


def lfdi(certificate_der: bytes) -> str:
    """The first 20 bytes of the certificate's SHA-256, upper-case hex."""
    return hashlib.sha256(certificate_der).hexdigest()[:LFDI_DIGITS].upper()


def sfdi(lfdi_hex: str) -> int:
    """The first 36 bits as a decimal number, and a check digit that makes the digit sum a multiple of 10."""
    number = int(lfdi_hex[:SFDI_HEX_DIGITS], 16)
    return number * 10 + (-_digit_sum(number)) % 10


def pin(digits: int) -> int:
    """Five digits with their check digit: the digit sum modulo 10. Raises ValueError for more than five digits."""
    if not 0 <= digits <= 99999:
        raise ValueError(f"a PIN has five digits before its check digit, not {digits}")
    return digits * 10 + _digit_sum(digits) % 10


def pin_is_valid(number: int) -> bool:
    """Whether a PIN's check digit fits."""
    return 0 <= number <= 999999 and pin(number // 10) == number


def _digit_sum(number: int) -> int:
    return sum(int(digit) for digit in str(number))
