"""`dynexport devices`: what is shipped, and one to start from."""

from __future__ import annotations

from typer.testing import CliRunner

from dynexport.cli.main import application
from dynexport.modbus.registers.catalogue import SHIPPED, names

RUNNER = CliRunner()


def test_every_shipped_description_is_listed_with_its_confidence() -> None:
    done = RUNNER.invoke(application(), ["devices"])
    assert done.exit_code == 0
    assert [line.split()[0] for line in done.output.splitlines()] == names()
    assert "sungrow-sh         inverter, limits export, unconfirmed" in done.output


def test_a_description_is_printed_as_it_stands() -> None:
    done = RUNNER.invoke(application(), ["devices", "--show", "sdm630"])
    assert done.output == (SHIPPED / "sdm630.yaml").read_text(encoding="utf-8")


def test_a_name_that_is_not_shipped_is_told_with_the_nearest() -> None:
    done = RUNNER.invoke(application(), ["devices", "--show", "sdm63"])
    assert done.exit_code == 2
    assert "did you mean sdm630?" in done.output
