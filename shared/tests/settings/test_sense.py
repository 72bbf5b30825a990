"""What is well-formed and still hardly meant: refused where it is sure to be wrong, else a warning."""

from __future__ import annotations

import pytest

from .conftest import SiteFile


@pytest.mark.parametrize(
    ("old", "new", "key", "hint"),
    [
        ("rated_w: 10000", "rated_w: 10", "inverters[0].rated_w", "did you mean 10000?"),
        (
            "  manual:",
            "  csip: {kind: obligation, fallback: {export_limit_w: 1.5}}\n  manual:",
            "sources.csip.fallback.export_limit_w",
            "did you mean 1500?",
        ),
        (
            "  failsafe_export_limit_w: 1500",
            "  failsafe_export_limit_w: 1.5",
            "agreement.failsafe_export_limit_w",
            "did you mean 1500?",
        ),
        (
            "sources:",
            "batteries: [{id: b, rated_w: 5}]\nsources:",
            "batteries[0].rated_w",
            "did you mean 5000?",
        ),
    ],
)
def test_kilowatts_are_noticed_wherever_watts_stand(
    site_file: SiteFile, old: str, new: str, key: str, hint: str
) -> None:
    problem = site_file.put(old, new).problem()
    assert (problem.key, problem.hint) == (key, hint)


def test_kilowatts_in_the_limit_do_not_also_accuse_the_failsafe(site_file: SiteFile) -> None:
    assert (
        site_file.put("  export_limit_w: 5000", "  export_limit_w: 5").problem().hint == "did you mean 5000?"
    )


def test_a_failsafe_above_a_limit_of_0_is_refused(site_file: SiteFile) -> None:
    problem = site_file.put("  export_limit_w: 5000", "  export_limit_w: 0").problem()
    assert problem.message == "1500 is above export_limit_w 0"


def test_a_limit_far_above_all_ratings_is_doubted(site_file: SiteFile) -> None:
    site_file.put("  export_limit_w: 5000", "  export_limit_w: 80000")
    (warning,) = site_file.warnings()
    assert (warning.level, warning.line, warning.hint) == ("warning", 4, "is there a digit too many?")


def test_an_id_given_twice_is_refused_with_the_line_of_the_second(site_file: SiteFile) -> None:
    site_file.put("sources:", "  - {id: roof, driver: sunspec, tcp: {host: b}, rated_w: 5000}\nsources:")
    problem = site_file.problem()
    assert (problem.line, problem.key) == (9, "inverters[1].id")
    assert problem.message == "id roof is given twice: inverters[0] has it too"


def test_batteries_and_what_does_not_obey_share_their_ids(site_file: SiteFile) -> None:
    site_file.add("batteries: [{id: b, rated_w: 5000}]\nuncontrolled: [{id: b, rated_w: 3000}]\n")
    assert site_file.problem().key == "uncontrolled[0].id"


def test_two_inverters_at_one_place_are_refused_even_where_defaults_say_so(site_file: SiteFile) -> None:
    more = "  - {id: b, driver: sunspec, tcp: {host: 192.0.2.11, port: 502}, unit: 1, rated_w: 5000}\n"
    problem = site_file.put("sources:", more + "sources:").problem()
    assert (problem.line, problem.message) == (9, "has the same tcp and unit as inverters[0]")


def test_several_mistakes_between_sections_are_told_together(site_file: SiteFile) -> None:
    site_file.put(
        "sources:", "  - {id: roof, driver: sunspec, tcp: {host: 192.0.2.11}, rated_w: 9}\nsources:"
    )
    site_file.put("  failsafe_export_limit_w: 1500", "  failsafe_export_limit_w: 6000")
    assert {problem.key for problem in site_file.problems()} == {
        "agreement.failsafe_export_limit_w",
        "inverters[1].id",
        "inverters[1].rated_w",
        "inverters[1]",
    }


def limited_by_phase(site_file: SiteFile, phases: str = ", phases: 3") -> SiteFile:
    site_file.put("agreement:", "agreement:\n  export_limit_per_phase_w: 1700")
    return site_file.put("name: Home", f"name: Home{phases}")


def test_a_limit_per_phase_needs_the_number_of_phases(site_file: SiteFile) -> None:
    assert limited_by_phase(site_file, "").problem().hint == "say `site.phases: 3`, or 1"


def test_a_limit_per_phase_needs_each_inverters_phase_where_there_are_three(site_file: SiteFile) -> None:
    problem = limited_by_phase(site_file).problem()
    assert (problem.key, problem.hint) == ("inverters[0]", "`phase: a`, b, c, or abc for all three")
    site_file.put("id: roof", "id: roof, phase: b")
    assert site_file.load().phase_limit_w == 1700


def test_a_limit_per_phase_with_one_phase_is_the_sites(site_file: SiteFile) -> None:
    home = limited_by_phase(site_file, ", phases: 1").load()
    assert (home.export_limit_w, home.phase_limit_w) == (1700, None)


def test_a_limit_per_phase_is_refused_with_a_meter_that_has_no_phase_values(site_file: SiteFile) -> None:
    limited_by_phase(site_file).put("id: roof", "id: roof, phase: abc")
    site_file.put(
        "{driver: sunspec, tcp: {host: 192.0.2.10}, unit: 240}",
        "{driver: mqtt, topic: house/meter, fields: {power_w: p, power_a_w: a, power_b_w: b}}",
    )
    problem = site_file.problem()
    assert problem.key == "meter.fields"
    assert problem.message == "a limit per phase needs the power of each: power_c_w missing"
    site_file.put("power_b_w: b", "power_b_w: b, power_c_w: c").load()


@pytest.mark.parametrize("section", ["batteries", "uncontrolled"])
def test_a_publishers_topic_and_its_mapping_go_together(site_file: SiteFile, section: str) -> None:
    site_file.add(f"{section}: [{{id: x, rated_w: 5000, topic: shed/power}}]\n")
    assert "go together" in site_file.problem().message
    site_file.put("topic: shed/power", "topic: shed/power, fields: {power_w: p}").load()


def test_an_inverter_read_so_slowly_that_one_lost_answer_silences_it_is_refused(site_file: SiteFile) -> None:
    problem = site_file.put("rated_w: 10000", "rated_w: 10000, poll_s: 3").problem()
    assert problem.key == "inverters[0].poll_s"


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ("rated_w: 10000", "rated_w: 10000, poll_s: 2", "inverters[0].poll_s"),
        ("unit: 240", "unit: 240, poll_s: 2", "meter.poll_s"),
    ],
)
def test_polls_slower_than_the_promises_are_doubted(
    site_file: SiteFile, old: str, new: str, key: str
) -> None:
    (warning,) = site_file.put(old, new).warnings()
    assert (warning.key, warning.level) == (key, "warning")
    assert "safety.md" in warning.message


@pytest.mark.parametrize("section", ["batteries", "uncontrolled"])
def test_a_meter_of_the_consumption_is_refused_where_something_it_cannot_see_may_export(
    site_file: SiteFile, section: str
) -> None:
    site_file.put("unit: 240", "unit: 240, location: consumption").add(
        f"{section}: [{{id: x, rated_w: 5000}}]\n"
    )
    assert site_file.problem().key == f"{section}[0]"
    site_file.put("rated_w: 5000", "rated_w: 5000, exports: never")
    assert site_file.load().meter.location == "consumption"


def test_a_phase_that_the_site_does_not_have_is_refused(site_file: SiteFile) -> None:
    site_file.put("name: Home", "phases: 1").put("id: roof", "id: roof, phase: b")
    assert site_file.problem().key == "inverters[0].phase"


def test_a_password_that_nobody_sends_is_doubted(site_file: SiteFile) -> None:
    (warning,) = site_file.put("host: localhost", "password: 'x'").warnings()
    assert (warning.key, warning.line) == ("mqtt.password", 2)


@pytest.mark.parametrize("sources", ["sources: {}", "# none"])
def test_without_a_manual_source_the_owner_is_told_that_limits_have_no_effect(
    site_file: SiteFile, sources: str
) -> None:
    site_file.put("sources:\n  manual: {kind: preference}", sources)
    (warning,) = site_file.warnings()
    assert warning.hint == "list it: `manual: {kind: preference}`"
    assert site_file.load().sources == {}
