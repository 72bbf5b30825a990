"""`dump` of devices over real sockets: what is shown, what is taken out, what is said when nothing comes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from dynexport.broker import free_port
from dynexport.cli.main import application

SERIAL = "1987654321"


def run(tmp_path: Path, server: Any, *words: str) -> Any:
    place = f"{server.address.host}:{server.address.port}"
    return CliRunner().invoke(application(), ["dump", place, *words, "--config", str(tmp_path / "none.yaml")])


def written(text: str, registers: int) -> list[int]:
    data = text.encode().ljust(2 * registers, b"\0")
    return [int.from_bytes(data[at : at + 2], "big") for at in range(0, len(data), 2)]


def common() -> list[int]:
    texts = (("Maker", 16), ("Model 5", 16), ("opt", 8), ("1.21.3", 8), (SERIAL, 16))
    return [1, 66, *(register for text, size in texts for register in written(text, size)), 7, 0]


def chain(server: Any, *models: Sequence[int], base: int = 40000, unit: int = 1) -> None:
    server.put(unit, base, 0x5375, 0x6E53)
    at = base + 2
    for registers in (*models, [0xFFFF, 0]):
        server.put(unit, at, *registers)
        at += len(registers)


@pytest.mark.parametrize("base", [40000, 50000, 0])
def test_the_whole_chain_is_shown_with_names_raw_and_scaled_values(
    tmp_path: Path, server: Any, base: int
) -> None:
    meter = [201, 105, *([0] * 105)]
    meter[2 + 16], meter[2 + 20] = 0xFB2E, 1  # W is -1234, W_SF 1
    chain(server, common(), meter, base=base)
    done = run(tmp_path, server)
    assert done.exit_code == 0, done.output
    assert done.output.startswith("```\n")
    assert f"unit 1, SunSpec map at {base}, 2 models" in done.output
    assert re.search(r"^    Mn +Maker$", done.output, re.MULTILINE)
    assert re.search(r"^    Vr +1\.21\.3$", done.output, re.MULTILINE)
    assert re.search(r"^    W +-12340 \(raw -1234\)$", done.output, re.MULTILINE)
    assert f"  {base + 2}: 0001 0042 4d61 6b65 7200 0000 0000 0000" in done.output


def test_a_serial_number_is_gone_as_text_and_where_the_maker_repeats_it_as_text_or_number(
    tmp_path: Path, server: Any
) -> None:
    number = int(SERIAL)
    own = [
        64999,
        12,
        number >> 16,
        number & 0xFFFF,
        5,
        *written(SERIAL, 6),
        17,
        number & 0xFFFF,
        number >> 16,
    ]
    chain(server, common(), own)
    done = run(tmp_path, server)
    assert "…21" in done.output
    assert SERIAL not in done.output
    pairs = [f"{register:04x}" for register in written(SERIAL, 5)]
    assert not any(f"{one} {other}" in done.output for one, other in pairwise(pairs))
    assert (
        "model 64999 at 40070, 14 registers\n  40070: fde7 000c ---- ---- 0005 ---- ---- ----\n"
        in done.output
    )
    assert "  40078: ---- ---- 0000 0011 ---- ----\n" in done.output


def test_where_the_device_answers_is_not_in_the_text(tmp_path: Path, server: Any) -> None:
    chain(server, common(), [103, 50])  # its registers are missing: the read is refused
    done = run(tmp_path, server)
    assert "the device unit 1: read of" in done.output
    assert "exception 2" in done.output
    assert str(server.address.port) not in done.output
    assert server.address.host not in done.output


def test_a_model_that_occurs_again_and_groups_that_repeat_are_all_shown(tmp_path: Path, server: Any) -> None:
    strings = [160, 48, 0, 0, 0, 0, 0, 0, 2, 0]
    for number in (1, 2):
        strings += [number, *written(f"string {number}", 8), 11 * number, *([0] * 10)]
    chain(server, common(), strings, strings)
    done = run(tmp_path, server)
    assert done.output.count("model 160 at ") == 2
    assert re.search(r"^    module2\.DCA +22 \(raw 22\)$", done.output, re.MULTILINE)
    assert "string 2" not in done.output


def test_a_nonsense_scale_factor_costs_its_point_only(tmp_path: Path, server: Any) -> None:
    meter = [201, 105, *([0] * 105)]
    meter[2 + 16], meter[2 + 20] = 5, 0x7FFF
    chain(server, common(), meter)
    assert re.search(
        r"^    W +no value: its scale factor makes no sense \(raw 5\)$", run(tmp_path, server).output, re.M
    )


def test_a_range_is_read_around_what_is_refused(tmp_path: Path, server: Any) -> None:
    server.put(3, 30000, 1, 2, 3)
    server.put(3, 30005, 0xFFFE)
    done = run(tmp_path, server, "--unit", "3", "--registers", "30000-30005")
    assert done.exit_code == 0, done.output
    assert "unit 3, holding registers 30000 to 30005" in done.output
    assert "30000 to 30002\n  30000: 0001 0002 0003" in done.output
    assert "30003 to 30004\n  refused with exception 2" in done.output
    assert re.search(r"30005: fffe +\| 65534", done.output)


def test_input_registers_are_asked_for_by_their_own_function(tmp_path: Path, server: Any) -> None:
    server.put_input(1, 10, 77)
    done = run(tmp_path, server, "--registers", "10", "--input")
    assert "input registers 10 to 10" in done.output
    assert "004d" in done.output
    assert {function for _, function, _, _ in server.requests} == {4}


def test_what_is_no_sunspec_device_says_how_to_go_on(tmp_path: Path, server: Any) -> None:
    server.put(1, 40000, 0, 0)
    done = run(tmp_path, server)
    assert done.exit_code == 1
    assert "no SunSpec map (40000: 0000 0000, 50000: exception 2, 0: exception 2)" in done.output
    assert "--registers 30000-30100" in done.output


def test_nobody_there_says_what_to_look_at(tmp_path: Path) -> None:
    words = ["dump", f"127.0.0.1:{free_port()}", "--config", str(tmp_path / "none.yaml")]
    done = CliRunner().invoke(application(), words)
    assert done.exit_code == 1
    assert "is Modbus switched on in it" in done.output


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["192.0.2.1:70000"], "no port"),
        (["a/b"], "name or an address"),
        (["192.0.2.1", "--registers", "9-1"], "from the smaller to the greater"),
        (["192.0.2.1", "--registers", "x"], "is no range"),
        (["192.0.2.1", "--registers", "0-65535"], "2000 registers at most"),
        (["192.0.2.1", "--input"], "goes with --registers"),
        (["/dev/nothing-here"], "cannot be opened"),
    ],
)
def test_what_makes_no_sense_is_refused_with_what_to_write(
    tmp_path: Path, words: list[str], said: str
) -> None:
    done = CliRunner().invoke(application(), ["dump", *words, "--config", str(tmp_path / "none.yaml")])
    assert done.exit_code == 2
    assert said in " ".join(done.output.replace("│", " ").split())


def test_a_file_is_written_once(tmp_path: Path, server: Any) -> None:
    chain(server, common())
    out = tmp_path / "dump.txt"
    assert run(tmp_path, server, "--out", str(out)).exit_code == 0
    assert "model 1 at 40002" in out.read_text()
    again = run(tmp_path, server, "--out", str(out))
    assert again.exit_code == 2
    assert "name a new file" in " ".join(again.output.replace("│", " ").split())


@pytest.mark.integration
def test_a_simulated_device_is_dumped_only_while_nobody_owns_it(stack: Any) -> None:
    stack.start("site_simulator", "inverter_writer")
    stack.wait_for("service/inverter-writer/availability")
    place = f"127.0.0.2:{stack.inverter_port}"
    done = stack.run("dump", place)
    assert done.returncode == 1
    assert f"{place} is left alone: inverter-writer is online and owns it" in done.stderr
    assert "stop the services" in done.stderr
    stack.stop("inverter_writer")
    done = stack.run("dump", place)
    assert done.returncode == 0, done.stderr
    assert "model 123 at" in done.stdout
    assert "WMaxLimPct_SF" in done.stdout
