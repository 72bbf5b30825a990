"""Keys and certificates as files: made with their mode, never over an existing one, read with words that help."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

PRIVATE, PUBLIC, FOLDER = 0o600, 0o644, 0o700


class PkiError(Exception):
    """A file cannot be used or made; the text says which and what to do."""


def write_new(files: Mapping[Path, tuple[bytes, int]]) -> None:
    """Write each file with its mode from the first byte on; all or none. Raises PkiError where one exists."""
    made: list[Path] = []
    try:
        for path, (content, mode) in files.items():
            path.parent.mkdir(mode=FOLDER, parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
            made.append(path)
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
    except OSError as error:
        for done in made:
            done.unlink()
        if isinstance(error, FileExistsError):
            raise PkiError(
                f"{error.filename} exists and is never overwritten: move it away, or name another"
            ) from error
        raise PkiError(f"{error.filename or path} cannot be written: {error.strerror}") from error


def new_key() -> ec.EllipticCurvePrivateKey:
    """A private key on P-256."""
    return ec.generate_private_key(ec.SECP256R1())


def key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    """PKCS 8 without a passphrase: the service must start by itself."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def chain_pem(*chain: x509.Certificate) -> bytes:
    """The chain in one file, in the order given."""
    return b"".join(each.public_bytes(Encoding.PEM) for each in chain)


def read_key(path: Path) -> ec.EllipticCurvePrivateKey:
    """A P-256 private key; raises PkiError."""
    try:
        key = load_pem_private_key(_read(path), password=None)
    except TypeError as error:
        raise PkiError(f"{path} is encrypted: a service cannot type a passphrase, give it plain") from error
    except ValueError as error:
        raise PkiError(f"{path} holds no private key in PEM") from error
    require_p256(key, path)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return key


def read_chain(path: Path) -> list[x509.Certificate]:
    """The certificates of a file in their order, at least one; raises PkiError."""
    try:
        return x509.load_pem_x509_certificates(_read(path))
    except ValueError as error:
        raise PkiError(f"{path} holds no certificate in PEM") from error


def read_request(path: Path) -> x509.CertificateSigningRequest:
    """A request whose own signature is right; raises PkiError."""
    try:
        request = x509.load_pem_x509_csr(_read(path))
    except ValueError as error:
        raise PkiError(f"{path} holds no certificate request (CSR) in PEM") from error
    require_p256(request.public_key(), path)
    if not request.is_signature_valid:
        raise PkiError(f"{path}: its signature is wrong, so it was changed on its way: ask for it again")
    return request


def require_p256(key: object, path: Path) -> None:
    """Raises PkiError for RSA, another curve, or anything else."""
    if isinstance(key, ec.EllipticCurvePrivateKey | ec.EllipticCurvePublicKey):
        if isinstance(key.curve, ec.SECP256R1):
            return
        kind = f"on {key.curve.name}"
    else:
        kind = "of the type " + type(key).__name__.removesuffix("PrivateKey").removesuffix("PublicKey").strip(
            "_"
        )
    raise PkiError(
        f"{path}: its key is {kind}, but IEEE 2030.5 takes P-256 only: make one by `dynexport cert`"
    )


def fits(key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate) -> bool:
    """Whether the certificate is for this key."""
    return _public(key.public_key()) == _public(certificate.public_key())


def _public(key: object) -> bytes:
    if not isinstance(key, ec.EllipticCurvePublicKey):
        return b""
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise PkiError(f"{path} cannot be read: {error.strerror}") from error
