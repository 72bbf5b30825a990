"""Requests and certificates as IEEE 2030.5 6.11 profiles them: a device's without subject, named by its hardware."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from dynexport.pki.files import PkiError, fits, require_p256
from dynexport.pki.hardware import IEEE_2030_5, has_hardware_name

DEVICE, TEST, SELF_SIGNED, BULK = (f"{IEEE_2030_5}.{arc}" for arc in ("1.1", "2.1", "2.2", "2.4"))
BACKDATED = timedelta(minutes=5)  # clocks of others may be slow
YEAR = timedelta(days=365)
NOBODY = x509.Name([])
Issuer = tuple[x509.Certificate, ec.EllipticCurvePrivateKey]


def usage(*, authority: bool) -> x509.KeyUsage:
    """An authority signs certificates; a device signs and agrees on keys."""
    return x509.KeyUsage(
        digital_signature=not authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=not authority,
        key_cert_sign=authority,
        crl_sign=authority,
        encipher_only=False,
        decipher_only=False,
    )


def device_request(
    key: ec.EllipticCurvePrivateKey, names: x509.SubjectAlternativeName
) -> x509.CertificateSigningRequest:
    """Empty subject, the hardware's name critical."""
    asked = x509.CertificateSigningRequestBuilder().subject_name(NOBODY)
    asked = asked.add_extension(names, critical=True)
    return asked.add_extension(usage(authority=False), critical=True).sign(key, hashes.SHA256())


def manufacturer_request(
    key: ec.EllipticCurvePrivateKey, organisation: str
) -> x509.CertificateSigningRequest:
    """For an authority that signs devices and no further authority."""
    name = authority_name(organisation, "IEEE 2030.5 MICA")
    asked = x509.CertificateSigningRequestBuilder().subject_name(name)
    asked = asked.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    return asked.add_extension(usage(authority=True), critical=True).sign(key, hashes.SHA256())


def authority_name(organisation: str, common: str) -> x509.Name:
    """The subject of an authority; raises ValueError for a name that X.509 cannot hold."""
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation),
            x509.NameAttribute(NameOID.COMMON_NAME, common),
        ]
    )


def names_of(request: x509.CertificateSigningRequest, path: Path) -> x509.SubjectAlternativeName:
    """The hardware's name in a device's request; raises PkiError where it has none."""
    try:
        names = request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        names = None
    if names is None or not has_hardware_name(names):
        raise PkiError(f"{path} names no hardware (HardwareModuleName): make it by `dynexport cert device`")
    return names


def require_authority(issuer: Issuer, path: Path, now: datetime) -> None:
    """Raises PkiError for what must not sign devices: no authority, expired, not yet valid, another's key, no P-256."""
    certificate, key = issuer
    require_p256(certificate.public_key(), path)
    if not is_authority(certificate):
        raise PkiError(f"{path} is no authority's certificate: it may not sign others")
    if certificate.not_valid_after_utc <= now:
        raise PkiError(f"{path} expired on {certificate.not_valid_after_utc:%Y-%m-%d}: ask for a new one")
    if certificate.not_valid_before_utc > now:
        raise PkiError(
            f"{path} is valid from {certificate.not_valid_before_utc:%Y-%m-%d} on: is this machine's clock right?"
        )
    if not fits(key, certificate):
        raise PkiError(
            f"{path} and the key do not belong together: take the key that its request was made with"
        )


def is_authority(certificate: x509.Certificate) -> bool:
    """Whether it may sign others."""
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def device_certificate(
    public: ec.EllipticCurvePublicKey,
    names: x509.SubjectAlternativeName,
    issuer: Issuer,
    now: datetime,
    years: int,
    policies: tuple[str, ...] = (DEVICE, BULK),
) -> x509.Certificate:
    """A device's, valid for so many years, and never longer than its issuer."""
    made = _begun(NOBODY, issuer[0].subject, public, now, years, issuer[0])
    stated = [x509.PolicyInformation(x509.ObjectIdentifier(each), None) for each in policies]
    made = made.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    made = made.add_extension(usage(authority=False), critical=True)
    made = made.add_extension(names, critical=True)
    made = made.add_extension(x509.CertificatePolicies(stated), critical=True)
    return made.add_extension(_issued_by(issuer[0]), critical=False).sign(issuer[1], hashes.SHA256())


def root_certificate(
    key: ec.EllipticCurvePrivateKey, name: x509.Name, now: datetime, years: int
) -> x509.Certificate:
    """An authority that signed itself."""
    made = _begun(name, name, key.public_key(), now, years, None)
    made = made.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    made = made.add_extension(usage(authority=True), critical=True)
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    return made.add_extension(identifier, critical=False).sign(key, hashes.SHA256())


def server_certificate(
    public: ec.EllipticCurvePublicKey, host: x509.GeneralName, issuer: Issuer, now: datetime, years: int
) -> x509.Certificate:
    """A utility server's, for local tests."""
    made = _begun(authority_name("Local test", "server"), issuer[0].subject, public, now, years, issuer[0])
    made = made.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    made = made.add_extension(usage(authority=False), critical=True)
    made = made.add_extension(x509.SubjectAlternativeName([host]), critical=False)
    return made.add_extension(_issued_by(issuer[0]), critical=False).sign(issuer[1], hashes.SHA256())


def _begun(
    subject: x509.Name,
    issuer: x509.Name,
    public: ec.EllipticCurvePublicKey,
    now: datetime,
    years: int,
    signer: x509.Certificate | None,
) -> x509.CertificateBuilder:
    start, end = now - BACKDATED, now + years * YEAR
    if signer is not None:
        start = max(start, signer.not_valid_before_utc)
        end = min(end, signer.not_valid_after_utc)
    made = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(public)
    return made.serial_number(x509.random_serial_number()).not_valid_before(start).not_valid_after(end)


def _issued_by(issuer: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    try:
        found = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    except x509.ExtensionNotFound:
        public = issuer.public_key()
        assert isinstance(public, ec.EllipticCurvePublicKey)
        return x509.AuthorityKeyIdentifier.from_issuer_public_key(public)
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(found)
