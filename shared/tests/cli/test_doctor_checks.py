"""The doctor's verdicts, from what was heard: no broker, no devices."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from dynexport import messages as m
from dynexport import topics
from dynexport.access import prepare
from dynexport.cli.doctor import devices, local, services
from dynexport.cli.doctor.evidence import Evidence, evidence
from dynexport.cli.doctor.finding import Finding, Verdict, exit_code
from dynexport.cli.hearing import Heard
from dynexport.inbox import Rejected
from dynexport.ports import Received
from dynexport.settings.models import Site
from dynexport.testing.builders import inverter_reading, limit, meter_reading, site
from dynexport.topics import Topic

NOW = datetime(2026, 1, 15, 2, 0, tzinfo=UTC)
MINUTE_AGO = NOW - timedelta(seconds=60)
MONO = 1000.0
SHA = "a" * 64
NAMES = ("meter-reader", "inverter-writer", "limit-engine")


def heard(
    topic: Topic, message: m.Message | str, *ids: str, age_s: float = 0.0, retained: bool = False
) -> Received:
    return Received(topic, ids, message, retained, MONO - age_s)


def roof(message: m.Message) -> Evidence:
    """All well but for this, said of the inverter."""
    kinds = {m.InverterCapability: topics.INVERTER_CAPABILITY, m.InverterControl: topics.INVERTER_CONTROL}
    return seen(heard(kinds[type(message)], message, "roof"))


def capability(**fields: Any) -> m.InverterCapability:
    usual = {"max_w": 10000.0, "control_model": 123, "hardware_fallback": m.HardwareFallback.HOLDS_LAST}
    return m.InverterCapability(issued_at=NOW, **{**usual, **fields})


def control(**fields: Any) -> m.InverterControl:
    return m.InverterControl(
        issued_at=NOW, **{"state": m.ControlState.FOLLOWING, "applied_w": 4000.0, **fields}
    )


def active(moment: datetime = NOW) -> m.Active:
    return m.Active(issued_at=moment, mode=m.Mode.NORMAL, reason="Export is limited to 5000 W.")


def health(**fields: Any) -> m.Health:
    return m.Health(**{"issued_at": NOW, "loop_age_s": 0.0, "tick_ms": 2.0, **fields})


def info(**fields: Any) -> m.Info:
    from dynexport import CONTRACT_VERSION, __version__

    usual: dict[str, Any] = {"version": __version__, "contract_version": CONTRACT_VERSION, "settings": {}}
    return m.Info(issued_at=NOW, **{**usual, "settings_sha256": SHA, **fields})


def all_well() -> list[Received]:
    obeys = capability(hardware_fallback=m.HardwareFallback.CHOSEN_W)
    said = [
        heard(topics.METER_READING, meter_reading(-3000, NOW)),
        heard(topics.INVERTER_READING, inverter_reading(4000, NOW), "roof"),
        heard(topics.INVERTER_CAPABILITY, obeys, "roof"),
        heard(topics.INVERTER_CONTROL, control(), "roof"),
    ]
    for name in NAMES:
        said += [heard(topics.AVAILABILITY, "online", name), heard(topics.HEALTH, health(), name)]
        said += [heard(topics.INFO, info(), name)]
    return said


def seen(*more: Received, dropped: list[Rejected] | None = None) -> Evidence:
    return evidence(Heard([*all_well(), *more], dropped or []), NOW, MONO)


def verdicts(findings: list[Finding], about: str | None = None) -> set[Verdict]:
    return {finding.verdict for finding in findings if about in (None, finding.about)}


def the(findings: list[Finding], verdict: Verdict) -> Finding:
    (found,) = [finding for finding in findings if finding.verdict is verdict]
    return found


def everything(shape: Site, evidence: Evidence) -> list[Finding]:
    return [
        *services.services(shape, evidence, SHA),
        *devices.meter(shape, evidence),
        *devices.inverters(shape, evidence),
        *devices.envelope(shape, evidence),
    ]


def test_a_site_in_order_is_ok_throughout_and_every_other_finding_says_what_to_do() -> None:
    assert verdicts(everything(site(), seen())) == {Verdict.OK}
    nothing = everything(site(), evidence(Heard(), NOW, MONO))
    assert all(finding.advice for finding in nothing if finding.verdict is not Verdict.OK)
    assert exit_code(nothing) == 2


@pytest.mark.parametrize(("verdict", "code"), [("ok", 0), ("doubt", 1), ("wrong", 2)])
def test_the_worst_verdict_is_the_exit_code(verdict: str, code: int) -> None:
    findings = [Finding(Verdict.OK, "a", "b"), Finding(Verdict(verdict), "a", "b")]
    assert exit_code(findings) == code


@pytest.mark.parametrize(
    ("fallback", "verdict", "words"),
    [
        (m.HardwareFallback.CHOSEN_W, Verdict.OK, "by itself"),
        (
            m.HardwareFallback.HOLDS_LAST,
            Verdict.DOUBT,
            "holds its last limit for ever when Dynexport dies: nobody lowers it",
        ),
        (m.HardwareFallback.RELEASES_LIMIT, Verdict.WRONG, "DROPS its limit"),
        (m.HardwareFallback.UNKNOWN, Verdict.DOUBT, "nobody knows"),
    ],
)
def test_what_an_inverter_does_when_we_die_is_not_softened(
    fallback: m.HardwareFallback, verdict: Verdict, words: str
) -> None:
    found = devices.inverters(site(), roof(capability(hardware_fallback=fallback)))
    assert [finding.verdict for finding in found if words in finding.sentence] == [verdict]


def test_an_inverter_that_holds_the_export_itself_is_not_said_to_leave_the_house_alone() -> None:
    told = capability(control_model=None, driver="goodwe-et", scope=m.Scope.EXPORT)
    sentences = [finding.sentence for finding in devices.inverters(site(), roof(told))]
    assert any("goes on holding the site's export by its own meter" in sentence for sentence in sentences)
    assert not any("when the house uses less" in sentence for sentence in sentences)


@pytest.mark.parametrize(("max_w", "verdict"), [(10050.0, "ok"), (9000.0, "doubt"), (5000.0, "wrong")])
def test_a_rating_that_differs_from_the_device_is_told(max_w: float, verdict: str) -> None:
    found = devices.inverters(site(), roof(capability(max_w=max_w)))
    (rating,) = [finding for finding in found if "rated" in finding.sentence]
    assert rating.verdict.value == verdict


def test_a_limit_found_in_the_device_is_told_with_the_verb_that_adopts_it() -> None:
    found = devices.inverters(
        site(),
        roof(capability(found_limit_w=3000.0, adopted=False)),
    )
    assert any("3000 W" in finding.sentence and "dynexport adopt roof" in finding.advice for finding in found)


@pytest.mark.parametrize(
    ("fields", "verdict"),
    [
        ({"conflict": True, "read_back_w": 9000.0}, Verdict.DOUBT),
        ({"state": m.ControlState.FAULT, "reason": "no answer"}, Verdict.WRONG),
        ({"state": m.ControlState.FAILSAFE}, Verdict.WRONG),
        ({"state": m.ControlState.DISABLED}, Verdict.WRONG),
    ],
)
def test_a_limit_that_does_not_hold_is_told(fields: dict[str, Any], verdict: Verdict) -> None:
    found = devices.inverters(site(), roof(control(**fields)))
    assert verdict in verdicts(found)


def test_writing_that_is_switched_off_is_said_to_keep_no_limit() -> None:
    shape = site(control={"enabled": False})
    found = devices.inverters(shape, roof(control(state=m.ControlState.DISABLED)))
    assert "NOT kept inside its limit" in the(found, Verdict.DOUBT).sentence


def test_an_inverter_that_sleeps_is_ok_and_one_that_is_silent_is_not() -> None:
    asleep = inverter_reading(0, NOW, state=m.InverterState.SLEEPING)
    assert verdicts(devices.inverters(site(), seen(heard(topics.INVERTER_READING, asleep, "roof")))) == {
        Verdict.OK
    }
    silent = heard(topics.INVERTER_READING, inverter_reading(10, NOW), "roof", age_s=9.0)
    assert "9 s old" in the(devices.inverters(site(), seen(silent)), Verdict.DOUBT).sentence


def test_an_inverter_without_a_control_model_is_wrong() -> None:
    found = devices.inverters(site(), roof(capability(control_model=None)))
    assert any(
        "cannot be limited" in finding.sentence and finding.verdict is Verdict.WRONG for finding in found
    )


BARN = {"id": "roof", "driver": "mqtt", "rated_w": 10000, "topic": "barn/power", "fields": {"power_w": "p"}}


def test_an_inverter_behind_mqtt_has_no_control_model_and_is_well() -> None:
    told = capability(control_model=None, driver="mqtt", hardware_fallback=m.HardwareFallback.CHOSEN_W)
    assert verdicts(devices.inverters(site(inverters=[BARN]), roof(told))) == {Verdict.OK}


def test_an_inverter_behind_mqtt_that_was_never_heard_is_told_with_its_topic() -> None:
    (found,) = devices.inverters(site(inverters=[BARN]), evidence(Heard(), NOW, MONO))
    assert "does anybody publish barn/power" in found.advice


def test_what_drops_its_limit_behind_mqtt_has_no_timer_of_ours_to_switch_off() -> None:
    told = capability(driver="mqtt", hardware_fallback=m.HardwareFallback.RELEASES_LIMIT)
    found = the(devices.inverters(site(inverters=[BARN]), roof(told)), Verdict.WRONG)
    assert "revert_timer_s" not in found.advice


def test_a_meter_that_is_silent_or_sits_elsewhere_is_wrong() -> None:
    old = heard(topics.METER_READING, meter_reading(5, NOW), age_s=8.0)
    assert Verdict.WRONG in verdicts(devices.meter(site(), seen(old)))
    elsewhere = meter_reading(5, NOW, location=m.Location.CONSUMPTION)
    assert Verdict.WRONG in verdicts(devices.meter(site(), seen(heard(topics.METER_READING, elsewhere))))


def test_a_meter_behind_an_inverters_endpoint_may_sleep_at_night() -> None:
    tcp = {"host": "127.0.0.1", "port": 1503}
    shape = site(meter={"driver": "sunspec", "tcp": tcp, "unit": 240})
    assert "off at night" in the(devices.meter(shape, seen()), Verdict.DOUBT).sentence


@pytest.mark.parametrize(
    ("latency_s", "words"), [(None, "not been learned"), (-0.2, "0.0 s late"), (3.0, "wider margin")]
)
def test_how_late_the_meter_is_is_told(latency_s: float | None, words: str) -> None:
    learned = health(learned={"meter": {"latency_s": latency_s}})
    found = devices.meter(site(), seen(heard(topics.HEALTH, learned, "limit-engine")))
    assert any(words in finding.sentence for finding in found)


def test_no_service_at_all_is_one_sentence() -> None:
    (found,) = services.services(site(), evidence(Heard(), NOW, MONO), SHA)
    assert (found.verdict, found.advice) == (Verdict.WRONG, "`dynexport up`")


@pytest.mark.parametrize(
    ("topic", "message", "verdict", "words"),
    [
        (topics.AVAILABILITY, "offline", Verdict.WRONG, "is offline"),
        (
            topics.HEALTH,
            health(issued_at=MINUTE_AGO),
            Verdict.WRONG,
            "frozen",
        ),
        (topics.HEALTH, health(tick_ms=400.0), Verdict.DOUBT, "400 ms"),
        (topics.HEALTH, health(reconnects=40), Verdict.DOUBT, "40 times"),
        (topics.INFO, info(version="9.9"), Verdict.DOUBT, "version 9.9"),
        (topics.INFO, info(contract_version=7), Verdict.WRONG, "version 7 of the contract"),
        (
            topics.INFO,
            info(settings_sha256="b" * 64),
            Verdict.DOUBT,
            "was changed after limit-engine started",
        ),
    ],
)
def test_a_service_that_is_not_as_it_should_be_is_told(
    topic: Topic, message: m.Message | str, verdict: Verdict, words: str
) -> None:
    found = services.services(site(), seen(heard(topic, message, "limit-engine")), SHA)
    assert words in the(found, verdict).sentence


def test_an_older_service_that_publishes_no_digest_is_not_said_to_be_outdated() -> None:
    older = heard(topics.INFO, info(settings_sha256=None), "limit-engine")
    assert verdicts(services.services(site(), seen(older), SHA)) == {Verdict.OK}


def test_clocks_that_are_apart_are_told() -> None:
    late = heard(topics.ACTIVE, active(NOW - timedelta(seconds=3)))
    assert "3.0 s after its stamp" in the(services.services(site(), seen(late), SHA), Verdict.DOUBT).sentence
    refused = Rejected("dynexport/meter/site/reading", "clock_skew", "issued_at differs by 60.0 s", 60.0)
    found = services.services(site(), seen(dropped=[refused]), SHA)
    assert "60.0 s" in the(found, Verdict.WRONG).sentence


def test_an_obligation_that_is_silent_is_told() -> None:
    sources = {"csip": {"kind": "obligation", "fallback": {"export_limit_w": 1500}}}
    shape = site(sources=sources)
    assert "its fallback counts" in the(devices.envelope(shape, seen()), Verdict.DOUBT).sentence
    live = heard(topics.LIMIT, limit(NOW, export_limit_w=5000.0), "csip")
    assert verdicts(devices.envelope(shape, seen(live))) == {Verdict.OK}
    stored = heard(
        topics.LIMIT, limit(NOW - timedelta(seconds=90), export_limit_w=5000.0), "csip", retained=True
    )
    assert verdicts(devices.envelope(shape, seen(stored))) == {Verdict.DOUBT}


def test_a_secret_that_everybody_may_read_is_wrong(tmp_path: Path) -> None:
    shape = site(mqtt={"host": "127.0.0.1", "username": "owner", "password_file": "owner.txt"})
    secret, path = tmp_path / "owner.txt", tmp_path / "site.yaml"
    tmp_path.chmod(0o755)
    secret.write_text("x")
    secret.chmod(0o644)
    (found,) = local.secrets(path, shape, tmp_path / "access")
    assert found.verdict is Verdict.WRONG
    assert "chmod 600" in found.advice
    secret.chmod(0o600)
    assert verdicts(local.secrets(path, shape, tmp_path / "access")) == {Verdict.OK}


def test_a_password_in_site_yaml_makes_site_yaml_a_secret(tmp_path: Path) -> None:
    shape, path = site(mqtt={"username": "owner", "password": "x"}), tmp_path / "site.yaml"
    tmp_path.chmod(0o755)
    path.write_text("x")
    path.chmod(0o644)
    assert verdicts(local.secrets(path, shape, tmp_path / "access")) == {Verdict.WRONG}
    path.chmod(0o600)
    assert verdicts(local.secrets(path, shape, tmp_path / "access")) == {Verdict.OK}


def test_the_brokers_users_are_secrets_too_and_its_access_list_must_be_this_versions(tmp_path: Path) -> None:
    folder = tmp_path / "access"
    assert local.acl(site(), folder) == []
    prepare(folder, site())
    assert verdicts(local.secrets(tmp_path / "site.yaml", site(), folder)) == {Verdict.OK}
    assert verdicts(local.acl(site(), folder)) == {Verdict.OK}
    (folder / "mosquitto" / "acl").write_text("user nobody\n")
    assert "dynexport init" in the(local.acl(site(), folder), Verdict.DOUBT).advice
    (folder / "secrets").chmod(0o755)
    (folder / "secrets" / "owner").chmod(0o644)
    assert verdicts(local.secrets(tmp_path / "site.yaml", site(), folder)) == {Verdict.WRONG}


def test_a_clock_that_cannot_be_trusted_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dynexport.wallclock.kernel_says_synchronised", lambda: False)
    monkeypatch.setattr("dynexport.wallclock.hardware_clock_exists", lambda: False)
    assert local.clock(NOW + timedelta(days=3650), "auto").verdict is Verdict.WRONG
    assert local.clock(NOW + timedelta(days=3650), "trusted").verdict is Verdict.DOUBT
    monkeypatch.setattr("dynexport.wallclock.kernel_says_synchronised", lambda: True)
    assert local.clock(NOW + timedelta(days=3650), "auto").verdict is Verdict.OK
