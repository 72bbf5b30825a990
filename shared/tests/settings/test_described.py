"""Devices with `driver: registers` in `site.yaml`: their descriptions are read and must fit."""

from __future__ import annotations

from .conftest import SiteFile

ROOF = "{id: roof, driver: sunspec, tcp: {host: 192.0.2.11}, rated_w: 10000}"


def described(device: str, more: str = "") -> str:
    return (
        f"{{id: roof, driver: registers, device: {device}, tcp: {{host: 192.0.2.11}}, rated_w: 10000{more}}}"
    )


def test_a_shipped_description_is_taken_by_its_name(site_file: SiteFile) -> None:
    site = site_file.put(ROOF, described("solaredge")).load()
    assert site.modbus_inverters[0].id == "roof"
    assert site_file.warnings() == []


def test_a_misspelt_name_is_told_where_it_stands_with_the_nearest(site_file: SiteFile) -> None:
    problem = site_file.put(ROOF, described("solarege")).problem()
    assert (problem.file, problem.line, problem.key) == (str(site_file.path), 8, "inverters[0].device")
    assert problem.hint == "did you mean solaredge?"


def test_a_meter_is_no_inverter(site_file: SiteFile) -> None:
    problem = site_file.put(ROOF, described("sdm630")).problem()
    assert problem.message == "sdm630 describes a device of `kind: meter`"


def test_an_unconfirmed_one_is_told_to_write_nothing(site_file: SiteFile) -> None:
    site_file.put(ROOF, described("sungrow-sh"))
    (warning,) = site_file.warnings()
    assert "nothing is written to it" in warning.message
    site_file.put("rated_w: 10000}", "rated_w: 10000, i_have_tested_this: true}")
    assert site_file.warnings() == []


def test_a_file_of_ones_own_starts_where_site_yaml_is_and_its_mistakes_are_told_in_it(
    site_file: SiteFile,
) -> None:
    own = site_file.path.parent / "mine.yaml"
    own.write_text("version: 1\nkind: inverter\nmade: Acme\n")
    problems = site_file.put(ROOF, described("mine.yaml")).problems()
    assert {problem.file for problem in problems} == {str(own)}
    (misspelt,) = [problem for problem in problems if problem.key == "made"]
    assert (misspelt.line, misspelt.hint) == (3, "did you mean make?")


def test_a_file_that_is_not_there_or_empty_is_named_with_the_line_that_names_it(site_file: SiteFile) -> None:
    own = site_file.path.parent / "mine.yaml"
    problem = site_file.put(ROOF, described("mine.yaml")).problem()
    assert (problem.line, problem.message) == (8, f"{own}: there is no such file")
    own.write_text("")
    assert site_file.problem().message == f"{own}: is empty"


def test_one_that_holds_the_whole_export_cannot_keep_a_limit_of_each_phase(site_file: SiteFile) -> None:
    site_file.put(ROOF, described("goodwe-et", ", phase: abc"))
    site_file.put("Australia/Adelaide}", "Australia/Adelaide, phases: 3}")
    site_file.put(
        "export_limit_w: 5000\n  fail", "export_limit_w: 5000\n  export_limit_per_phase_w: 5000\n  fail"
    )
    assert "a limit of each phase would not be kept" in site_file.problem().message


def test_who_names_a_device_as_the_driver_is_told_how_to_write_it(site_file: SiteFile) -> None:
    site_file.put("id: roof, driver: sunspec", "id: roof, driver: goodwe-et")
    problem = next(each for each in site_file.problems() if each.key == "inverters[0].driver")
    assert problem.hint == "write `driver: registers, device: goodwe-et`"
