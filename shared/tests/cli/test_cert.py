"""`dynexport cert`, typed as an owner would, its files read by OpenSSL and used in real handshakes."""

from __future__ import annotations

import os
import socket
import ssl
import stat
import subprocess
import threading
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from typer.testing import CliRunner, Result

from dynexport.cli.main import application
from dynexport.clock import SystemClock
from dynexport.pki import files, profile
from dynexport.pki.hardware import hardware_name, hardware_type

PEN = "28547"
NOW = SystemClock().now()


def cert(*words: str | Path) -> Result:
    return CliRunner().invoke(application(), ["cert", *map(str, words)])


def openssl(*words: str | Path) -> str:
    done = subprocess.run(["openssl", *map(str, words)], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def authority(folder: Path, *, age_years: int = 0) -> tuple[Path, Path]:
    """A manufacturer's certificate and key, `age_years` old and valid for two."""
    key = files.new_key()
    name = profile.authority_name("Maker", "IEEE 2030.5 MICA")
    made = profile.root_certificate(key, name, NOW - timedelta(days=365 * age_years), 2)
    paths = folder / "mica.pem", folder / "mica.key"
    files.write_new({paths[0]: (files.chain_pem(made), 0o644), paths[1]: (files.key_pem(key), 0o600)})
    return paths


def signed(tmp_path: Path) -> Path:
    mica, mica_key = authority(tmp_path)
    assert cert("device", tmp_path / "csip", "--pen", PEN, "--serial", "SN-1").exit_code == 0
    request = tmp_path / "csip" / "device.csr"
    done = cert("sign", request, "--by", mica, "--by-key", mica_key)
    assert done.exit_code == 0, done.output
    return request.with_suffix(".pem")


def test_a_key_is_its_owners_alone_whatever_the_umask_and_its_folder_too(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        assert cert("device", tmp_path / "csip", "--pen", PEN).exit_code == 0
    finally:
        os.umask(before)
    assert mode(tmp_path / "csip") == 0o700
    assert mode(tmp_path / "csip" / "device.key") == 0o600


def test_an_existing_file_is_never_overwritten_and_nothing_is_left_half_made(tmp_path: Path) -> None:
    (tmp_path / "device.csr").write_text("mine")
    done = cert("device", tmp_path, "--pen", PEN)
    assert done.exit_code == 1
    assert "never overwritten: move it away" in done.output
    assert [path.name for path in tmp_path.iterdir()] == ["device.csr"]
    assert (tmp_path / "device.csr").read_text() == "mine"


def test_without_a_folder_the_files_stand_beside_site_yaml(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DYNEXPORT_CONFIG", str(tmp_path / "site.yaml"))
    assert cert("device", "--pen", PEN).exit_code == 0
    assert (tmp_path / "csip" / "device.key").exists()


@pytest.mark.needs("openssl")
def test_openssl_verifies_a_signed_device_and_reads_the_profile(tmp_path: Path) -> None:
    device = signed(tmp_path)
    assert "OK" in openssl("verify", "-x509_strict", "-CAfile", tmp_path / "mica.pem", device)
    text = openssl("x509", "-in", device, "-noout", "-text")
    assert "X509v3 Subject Alternative Name: critical" in text
    assert "X509v3 Key Usage: critical\n                Digital Signature, Key Agreement\n" in text
    assert "X509v3 Certificate Policies: critical" in text
    assert "Policy: 1.3.6.1.4.1.40732.1.1" in text
    assert openssl("x509", "-in", device, "-noout", "-subject").strip() in ("subject=", "subject= ")
    parsed = openssl("asn1parse", "-in", device)
    name = parsed.split("X509v3 Subject Alternative Name")[1].split("HEX DUMP]:")[1].split()[0]
    assert bytes.fromhex(name).endswith(b"\x04\x04SN-1")


@pytest.mark.needs("openssl")
def test_openssl_takes_the_requests(tmp_path: Path) -> None:
    cert("device", tmp_path, "--pen", PEN)
    cert("manufacturer", tmp_path, "--organisation", "Maker")
    for name in ("device", "manufacturer"):
        openssl("req", "-in", tmp_path / f"{name}.csr", "-verify", "-noout")
    assert "CA:TRUE, pathlen:0" in openssl("req", "-in", tmp_path / "manufacturer.csr", "-noout", "-text")


def test_show_prints_who_the_device_is_and_whether_the_key_fits(tmp_path: Path) -> None:
    device = signed(tmp_path)
    done = cert("show", device)
    assert done.exit_code == 0, done.output
    assert "key:       fits" in done.output
    assert "2 in the file" in done.output
    wrong = cert("show", device, "--key", tmp_path / "mica.key")
    assert wrong.exit_code == 1
    assert "DOES NOT FIT" in wrong.output


def test_a_device_is_valid_no_longer_than_its_manufacturer(tmp_path: Path) -> None:
    device, mica = files.read_chain(signed(tmp_path))
    assert device.not_valid_after_utc == mica.not_valid_after_utc


def test_an_expired_manufacturer_signs_nothing(tmp_path: Path) -> None:
    mica, key = authority(tmp_path, age_years=3)
    cert("device", tmp_path, "--pen", PEN)
    done = cert("sign", tmp_path / "device.csr", "--by", mica, "--by-key", key)
    assert done.exit_code == 1
    assert "expired on" in done.output
    assert not (tmp_path / "device.pem").exists()


def test_what_cannot_sign_is_said_in_words(tmp_path: Path) -> None:
    device, mica = signed(tmp_path), tmp_path / "mica.pem"
    request, own = device.with_suffix(".csr"), device.with_suffix(".key")
    to = ("--to", tmp_path / "new.pem")
    assert "do not belong together" in cert("sign", request, "--by", mica, "--by-key", own, *to).output
    assert "no authority's" in cert("sign", request, "--by", device, "--by-key", own, *to).output
    assert "holds no certificate request" in cert("sign", mica, "--by", mica, "--by-key", own, *to).output
    assert "holds no private key" in cert("sign", request, "--by", mica, "--by-key", mica, *to).output
    cert("manufacturer", tmp_path, "--organisation", "Maker")
    unnamed = cert(
        "sign", tmp_path / "manufacturer.csr", "--by", mica, "--by-key", tmp_path / "mica.key", *to
    )
    assert "names no hardware" in unnamed.output
    assert not (tmp_path / "new.pem").exists()


def test_rsa_and_other_curves_are_refused(tmp_path: Path) -> None:
    device = signed(tmp_path)
    others: dict[str, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey] = {
        "RSA": rsa.generate_private_key(65537, 2048),
        "secp384r1": ec.generate_private_key(ec.SECP384R1()),
    }
    for word, key in others.items():
        path = tmp_path / f"{word}.key"
        path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        done = cert("show", device, "--key", path)
        assert done.exit_code == 1
        assert word in done.output
        assert "P-256 only" in done.output


def test_a_serial_number_that_a_certificate_cannot_hold_is_refused(tmp_path: Path) -> None:
    assert "1 to 64 plain characters" in cert("device", tmp_path, "--pen", PEN, "--serial", "Ä").output
    assert hardware_name(hardware_type(99_999_999), "x" * 64)


def test_self_signed_says_loudly_that_no_distributor_accepts_it_and_shakes_hands(tmp_path: Path) -> None:
    done = cert("self-signed", tmp_path / "csip", "--pen", PEN)
    assert done.exit_code == 0, done.output
    assert "no distributor accepts" in done.output
    assert _handshake(tmp_path / "csip") == "ECDHE-ECDSA-AES128-CCM8"


def _handshake(folder: Path) -> str:
    """Mutual TLS 1.2 over a socket pair, the server's name checked; the cipher."""
    here, there = socket.socketpair()
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    for context, name in ((server, "server"), (client, "device")):
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers("ECDHE-ECDSA-AES128-CCM8:@SECLEVEL=0")
        context.load_cert_chain(folder / f"{name}.pem", folder / f"{name}.key")
        context.load_verify_locations(folder / "root.pem")
        context.verify_mode = ssl.CERT_REQUIRED
        context.verify_flags |= ssl.VERIFY_X509_STRICT
    thread = threading.Thread(target=lambda: server.wrap_socket(there, server_side=True).close(), daemon=True)
    thread.start()
    with client.wrap_socket(here, server_hostname="localhost") as secured:
        cipher = secured.cipher()
    thread.join(5.0)
    return cipher[0] if cipher else ""
