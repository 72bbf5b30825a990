"""The doctor's verdicts on the `csip` section."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from dynexport.cli.doctor import csip
from dynexport.cli.doctor.finding import Verdict
from dynexport.cli.doctor.verb import examine
from dynexport.cli.main import application
from dynexport.clock import SystemClock
from dynexport.messages import CsipStatus
from dynexport.settings.csip import CsipSection

NOW = SystemClock().now()


@pytest.fixture
def section(tmp_path: Path) -> CsipSection:
    done = CliRunner().invoke(
        application(), ["cert", "self-signed", str(tmp_path / "csip"), "--pen", "28547"]
    )
    assert done.exit_code == 0
    names = {"cert": "device.pem", "key": "device.key", "ca": "root.pem"}
    paths = {name: str(tmp_path / "csip" / file) for name, file in names.items()}
    return CsipSection.model_validate({"server": "https://localhost:1", "pen": 28547, "pin": 111115, **paths})


def said(section: CsipSection, days: float = 0.0, **changed: Any) -> list[tuple[Verdict, str]]:
    found = csip.files(section.model_copy(update=changed), NOW + timedelta(days=days))
    return [(one.verdict, one.sentence) for one in found]


def test_files_that_fit_are_ok(section: CsipSection) -> None:
    assert [verdict for verdict, _ in said(section)] == [Verdict.OK]


@pytest.mark.parametrize(("days", "verdict"), [(300, Verdict.OK), (310, Verdict.DOUBT), (400, Verdict.WRONG)])
def test_under_60_days_left_is_a_doubt_and_an_expired_certificate_wrong(
    section: CsipSection, days: float, verdict: Verdict
) -> None:
    assert [found for found, _ in said(section, days)] == [verdict]


def test_a_key_that_others_may_read_or_that_does_not_fit_is_wrong(section: CsipSection) -> None:
    Path(section.key).chmod(0o640)
    assert said(section) == [(Verdict.WRONG, f"others may read {section.key}")]
    other = Path(section.key).with_name("server.key")
    assert said(section, key=str(other)) == [(Verdict.WRONG, f"{other} is not the key of {section.cert}")]


def test_a_missing_file_and_a_mistyped_pin_are_wrong(section: CsipSection) -> None:
    assert "cannot be read" in said(section, ca="/nowhere.pem")[0][1]
    assert "check digit" in said(section, pin=111116)[0][1]


def test_a_key_that_is_not_for_us_to_see_is_a_doubt(
    section: CsipSection, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "read_bytes", refused)
    assert [verdict for verdict, _ in said(section)] == [Verdict.DOUBT]


@pytest.mark.parametrize(
    ("fields", "verdict", "words"),
    [
        ({}, Verdict.OK, "registered"),
        ({"reachable": False, "trouble": "timed out"}, Verdict.WRONG, "timed out"),
        ({"clock_offset_s": -75.0}, Verdict.DOUBT, "-75 s"),
        ({"standing": "pin_mismatch"}, Verdict.WRONG, "pin_mismatch"),
        ({"standing": "waiting_for_registration"}, Verdict.WRONG, "waiting"),
    ],
)
def test_what_csip_client_says_of_the_server(fields: dict[str, Any], verdict: Verdict, words: str) -> None:
    usual = {"reachable": True, "standing": "registered", "clock_offset_s": 0.2}
    (found,) = csip.server(CsipStatus(issued_at=NOW, **{**usual, **fields}))
    assert (found.verdict, words in found.sentence) == (verdict, True)


def test_a_missing_site_yaml_is_written_by_setup(tmp_path: Path) -> None:
    (found,) = examine(tmp_path / "site.yaml", 0.0).findings
    assert "`dynexport setup` writes one" in found.advice
