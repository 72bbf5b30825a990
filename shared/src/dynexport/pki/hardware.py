"""HardwareModuleName (RFC 4108 5), the name of a device in its certificate: type and serial number, in DER."""

from __future__ import annotations

from cryptography import x509

NAME = x509.ObjectIdentifier("1.3.6.1.5.5.7.8.4")
IEEE_2030_5 = "1.3.6.1.4.1.40732"
SEQUENCE, OID, OCTETS = 0x30, 0x06, 0x04
LONGEST_SERIAL = 64


def hardware_type(pen: int) -> str:
    """The type that the field's tools write for a maker's private enterprise number."""
    return f"{IEEE_2030_5}.{pen}.1"


def hardware_name(kind: str, serial: str) -> x509.SubjectAlternativeName:
    """The subjectAltName of a device; raises ValueError for a serial number or type that it cannot hold."""
    if not serial.isascii() or not serial.isprintable() or not 0 < len(serial) <= LONGEST_SERIAL:
        raise ValueError(f"a serial number has 1 to {LONGEST_SERIAL} plain characters, not {serial!r}")
    inside = _tagged(OID, _oid(kind)) + _tagged(OCTETS, serial.encode())
    return x509.SubjectAlternativeName([x509.OtherName(NAME, _tagged(SEQUENCE, inside))])


def has_hardware_name(names: x509.SubjectAlternativeName) -> bool:
    """Whether one of the names is a device's."""
    return any(name.type_id == NAME for name in names if isinstance(name, x509.OtherName))


def _oid(dotted: str) -> bytes:
    first, second, *rest = (int(arc) for arc in x509.ObjectIdentifier(dotted).dotted_string.split("."))
    return b"".join(_base128(arc) for arc in (first * 40 + second, *rest))


def _base128(number: int) -> bytes:
    digits = [number & 0x7F]
    while number := number >> 7:
        digits.append(number & 0x7F | 0x80)
    return bytes(reversed(digits))


def _tagged(tag: int, content: bytes) -> bytes:
    """Lengths here stay under 128 octets each, the short form; raises ValueError beyond."""
    if len(content) > 127:
        raise ValueError("the hardware type is too long")
    return bytes((tag, len(content))) + content
