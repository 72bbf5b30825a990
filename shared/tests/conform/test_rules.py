"""For each rule of `conform` a transcript that keeps it and one that breaks it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from dynexport.conform.rule import Outcome, Rule
from dynexport.conform.table import RULES, judge
from dynexport.conform.transcript import Role

from .scenes import AVAILABILITY, RATED_W, SCENES, START, Said, Scene, as_subject, moment, probed

METER, LIMIT, SETPOINT = "meter/site/reading", "limit/mine", "setpoint/roof"
READING, CAPABILITY, CONTROL = (f"inverter/roof/{name}" for name in ("reading", "capability", "control"))
Spoil = Callable[[Scene], object]


def fields(topic: str, number: int = 1, **values: object) -> Spoil:
    """Change fields of one message."""
    return lambda scene: scene.on(topic)[number].fields.update(values)


def raised(probe: str, share: float = 0.6) -> Spoil:
    """The control that follows a probe shows that it was obeyed."""
    return lambda scene: probed(scene, probe).fields.update(requested_w=share * RATED_W)


def at_qos(topic: str, qos: int) -> Spoil:
    return lambda scene: [setattr(said, "qos", qos) for said in scene.on(topic)]


def copy_found(topic: str) -> Spoil:
    return lambda scene: scene.kept.append(topic)


def no_copy(topic: str) -> Spoil:
    return lambda scene: scene.kept.remove(topic)


def forgotten(scene: Scene) -> None:
    """Without hardware_fallback."""
    scene.without(CAPABILITY, "hardware_fallback")


def dies_silently(scene: Scene) -> None:
    scene.said = [said for said in scene.said if said.raw != b"offline"]


def never_online(scene: Scene) -> None:
    scene.said = [said for said in scene.said if said.raw != b"online"]


def only_stored_in_part(scene: Scene) -> None:
    """The engine sends one setpoint with the retain flag."""
    scene.kept.append(SETPOINT)


BREAKS: dict[str, Spoil] = {
    "reader/speaks": lambda scene: scene.silent(METER, 1.0, 99.0),
    "reader/payload": fields(METER, power_w="1500"),
    "reader/version": lambda scene: scene.without(METER, "v"),
    "reader/issued-at": fields(METER, issued_at=moment(-9.0)),
    "reader/measured-once": fields(METER, measured_at=moment(0.4)),
    "reader/fresh": fields(METER, 5, measured_at=moment(0.5)),
    "reader/period": lambda scene: scene.silent(METER, 3.0, 6.0),
    "reader/qos": at_qos(METER, 1),
    "reader/not-stored": copy_found(METER),
    "reader/location": lambda scene: scene.put(METER, location="consumption"),
    "limit-source/speaks": lambda scene: (scene.silent(LIMIT, -1.0, 99.0), no_copy(LIMIT)(scene)),
    "limit-source/payload": fields(LIMIT, export_limit_w=-5.0),
    "limit-source/version": fields(LIMIT, v=2),
    "limit-source/issued-at": lambda scene: scene.without(LIMIT, "issued_at"),
    "limit-source/period": lambda scene: scene.silent(LIMIT, 5.0, 15.0),
    "limit-source/deadline": lambda scene: scene.put(LIMIT, ttl_s=5.0),
    "limit-source/until": fields(LIMIT, until=moment(15.0)),
    "limit-source/states": fields(LIMIT, connect=None),
    "limit-source/null": lambda scene: scene.on(LIMIT)[1].fields.update(
        generation_limit_w=scene.on(LIMIT)[1].fields.pop("export_limit_w")
    ),
    "limit-source/qos": at_qos(LIMIT, 0),
    "limit-source/stored": no_copy(LIMIT),
    "limit-source/stored-age": lambda scene: scene.without(LIMIT, "issued_at"),
    "limit-source/withdrawal": lambda scene: scene.left.update({LIMIT: b"{}"}),
    "writer/reading": lambda scene: scene.silent(READING, -1.0, 99.0),
    "writer/reading-payload": fields(READING, state="dancing"),
    "writer/reading-version": lambda scene: scene.without(READING, "v"),
    "writer/reading-issued-at": fields(READING, issued_at=moment(20.0)),
    "writer/reading-once": fields(READING, measured_at=moment(0.9)),
    "writer/reading-fresh": fields(READING, 9, measured_at=moment(1.0)),
    "writer/reading-period": lambda scene: scene.silent(READING, 3.0, 6.0),
    "writer/reading-qos": at_qos(READING, 2),
    "writer/reading-not-stored": copy_found(READING),
    "writer/capability": lambda scene: (scene.silent(CAPABILITY, -1.0, 99.0), no_copy(CAPABILITY)(scene)),
    "writer/capability-payload": fields(CAPABILITY, 0, max_w=None),
    "writer/capability-stored": lambda scene: (
        no_copy(CAPABILITY)(scene), setattr(scene.on(CAPABILITY)[0], "stored", False)
    ),
    "writer/capability-fallback": forgotten,
    "writer/control-payload": fields(CONTROL, applied_w=float("nan")),
    "writer/control-period": lambda scene: scene.silent(CONTROL, 8.0, 25.0),
    "writer/control-qos": at_qos(CONTROL, 0),
    "writer/control-stored": no_copy(CONTROL),
    "writer/control-names": fields(CONTROL, setpoint_seq=None),
    "writer/applied": fields(CONTROL, -2, applied_w=9000.0),
    "writer/order": fields(CONTROL, 5, setpoint_seq=1),
    "writer/obeys": lambda scene: scene.silent(CONTROL, 1.5, 5.0),
    "writer/tightens": lambda scene: probed(scene, "tightens").fields.update(applied_w=3000.0),
    "writer/retained": raised("retained"),
    "writer/old": raised("old"),
    "writer/replayed": raised("replayed"),
    "writer/rubbish": raised("rubbish"),
    "writer/negative": raised("negative", 0.0),
    "writer/other-looser": raised("other-looser"),
    "writer/other-tighter": raised("other-tighter", 0.2),
    "writer/silence": lambda scene: probed(scene, "silence").fields.update(state="following"),
    "writer/release": raised("taken-over", 0.05),
    "engine/setpoints": lambda scene: scene.silent(SETPOINT, -1.0, 99.0),
    "engine/setpoint-payload": fields(SETPOINT, engine_id=""),
    "engine/setpoint-issued-at": fields(SETPOINT, issued_at=moment(-9.0)),
    "engine/setpoint-period": lambda scene: scene.silent(SETPOINT, 3.0, 7.0),
    "engine/setpoint-qos": at_qos(SETPOINT, 1),
    "engine/setpoint-not-stored": only_stored_in_part,
    "engine/one": fields(SETPOINT, engine_id="b"),
    "engine/seq": fields(SETPOINT, 5, seq=3),
    "engine/target": fields(SETPOINT, ttl_s=60.0),
    "engine/active": lambda scene: (scene.silent("active", -1.0, 99.0), no_copy("active")(scene)),
    "engine/active-payload": fields("active", mode="asleep"),
    "engine/active-period": lambda scene: setattr(scene.on("active")[0], "at", 9.0) or scene.silent("active", 6.0, 8.0),
    "engine/active-qos": at_qos("active", 0),
    "engine/active-stored": no_copy("active"),
}  # fmt: skip
BREAKS |= {f"{role.value}/online": never_online for role in Role}
BREAKS |= {f"{role.value}/offline": dies_silently for role in Role}

EACH = [(role, rule) for role, rules in RULES.items() for rule in rules]
each_rule = pytest.mark.parametrize(("role", "rule"), EACH, ids=[rule.id for _, rule in EACH])


def outcome(scene: Scene, rule: Rule) -> Outcome:
    return rule.check(scene.transcript()).outcome


@each_rule
def test_a_program_that_keeps_the_contract_keeps_the_rule(role: Role, rule: Rule) -> None:
    verdict = rule.check(SCENES[role]().transcript())
    assert verdict.outcome is Outcome.KEPT, verdict.words


@each_rule
def test_one_that_breaks_the_rule_is_told_so_and_what_was_seen(role: Role, rule: Rule) -> None:
    scene = SCENES[role]()
    BREAKS[rule.id](scene)
    verdict = rule.check(scene.transcript())
    assert verdict.outcome is Outcome.BROKEN, verdict.words
    assert len(verdict.words) > 10


@pytest.mark.parametrize("role", Role)
def test_a_program_that_says_nothing_is_told_that_first_and_the_rest_is_not_guessed(role: Role) -> None:
    scene = SCENES[role]()
    scene.said, scene.kept = [], []
    findings = judge(scene.transcript())
    assert findings[0].verdict.outcome is Outcome.BROKEN
    quality = [found for found in findings if found.rule.id.endswith(("payload", "qos", "version"))]
    assert {found.verdict.outcome for found in quality} == {Outcome.UNSEEN}


def test_every_rule_has_an_id_of_its_own_a_sentence_and_a_place() -> None:
    rules = [rule for _, rule in EACH]
    assert len({rule.id for rule in rules}) == len(rules) == len(BREAKS)
    assert all(rule.sentence.endswith(".") and rule.where.split(",")[0].endswith(".md") for rule in rules)


def test_unknown_fields_are_allowed_and_named() -> None:
    scene = SCENES[Role.READER]()
    scene.put(METER, colour="red")
    verdict = next(found.verdict for found in judge(scene.transcript()) if found.rule.id == "reader/payload")
    assert verdict.outcome is Outcome.KEPT
    assert "colour" in verdict.words


def test_a_preference_may_leave_issued_at_out() -> None:
    scene = SCENES[Role.LIMIT_SOURCE]()
    scene.without(LIMIT, "issued_at")
    as_subject(scene, obligation=False)
    rule = next(rule for rule in RULES[Role.LIMIT_SOURCE] if rule.id == "limit-source/issued-at")
    assert outcome(scene, rule) is Outcome.KEPT


def test_no_limit_is_null_and_states_something() -> None:
    scene = SCENES[Role.LIMIT_SOURCE]()
    for said in scene.on(LIMIT):
        said.fields["export_limit_w"] = None
    assert all(found.verdict.outcome is Outcome.KEPT for found in judge(scene.transcript()))


def test_a_source_that_took_its_limit_back_may_be_silent() -> None:
    scene = SCENES[Role.LIMIT_SOURCE]()
    scene.silent(LIMIT, 5.0, 99.0)
    scene.said.append(Said(LIMIT, 5.0, qos=1, raw=b""))
    scene.kept = []
    broken = [found.rule.id for found in judge(scene.transcript()) if found.verdict.outcome is Outcome.BROKEN]
    assert broken == []


def test_a_writer_that_raises_in_silence_is_told_so() -> None:
    scene = SCENES[Role.WRITER]()
    probed(scene, "silence").fields["applied_w"] = 1500.0
    rule = next(rule for rule in RULES[Role.WRITER] if rule.id == "writer/silence")
    verdict = rule.check(scene.transcript())
    assert verdict.outcome is Outcome.BROKEN
    assert "silence raised it from 500 to 1500 W" in verdict.words


def test_a_writer_is_not_judged_by_what_was_not_asked() -> None:
    scene = SCENES[Role.WRITER]()
    scene.asked = []
    found = {found.rule.id: found.verdict.outcome for found in judge(scene.transcript())}
    assert found["writer/obeys"] is found["writer/silence"] is Outcome.UNSEEN


def test_a_writer_that_obeys_nothing_is_not_praised_for_refusing() -> None:
    scene = SCENES[Role.WRITER]()
    scene.silent(CONTROL, 1.5, 5.0)
    found = {found.rule.id: found.verdict.outcome for found in judge(scene.transcript())}
    assert found["writer/obeys"] is Outcome.BROKEN
    assert found["writer/retained"] is found["writer/other-looser"] is Outcome.UNSEEN


def test_what_comes_after_offline_is_said() -> None:
    scene = SCENES[Role.READER]()
    scene.said.append(Said(METER, 12.0, scene.on(METER)[0].fields))
    rule = next(rule for rule in RULES[Role.READER] if rule.id == "reader/offline")
    assert outcome(scene, rule) is Outcome.BROKEN


def test_a_program_that_was_offline_before_and_came_back_is_online() -> None:
    scene = SCENES[Role.READER]()
    scene.said.insert(0, Said(AVAILABILITY, 0.005, stored=True, raw=b"offline"))
    rule = next(rule for rule in RULES[Role.READER] if rule.id == "reader/online")
    assert outcome(scene, rule) is Outcome.KEPT
    assert scene.transcript().began == START
