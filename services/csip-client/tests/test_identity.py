"""LFDI, SFDI, PIN and mRIDs: the published examples."""

from __future__ import annotations

import hashlib

import pytest

from csip_client.mrid import mrid
from dynexport.identity import lfdi, pin, pin_is_valid, sfdi


def test_the_lfdi_is_the_first_20_bytes_of_the_certificates_fingerprint() -> None:
    assert lfdi(b"a certificate") == hashlib.sha256(b"a certificate").hexdigest().upper()[:40]


def test_the_sfdi_of_the_test_harness_device() -> None:
    assert sfdi("3E4F45AB31EDFE5B67E343E5E4562E3100000000") == 167261211391


def test_a_pin_ends_in_the_sum_of_its_digits() -> None:
    assert pin(11111) == 111115
    assert pin_is_valid(111115)
    assert not pin_is_valid(111114)
    with pytest.raises(ValueError, match="five digits"):
        pin(111111)


def test_an_mrid_ends_in_the_pen_in_decimal_and_differs_between_sites_of_one_pen() -> None:
    assert mrid(28547, "lfdi 1", 3, 38).endswith("00028547")
    assert len(mrid(28547, "lfdi 1", 3, 38)) == 32
    assert mrid(28547, "lfdi 1", 3, 38) != mrid(28547, "lfdi 2", 3, 38)
