"""What the benchmark makes of its measurements."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from bench.record import Record, Sample
from bench.report import FAULTS, LOOP, fault_rows, line, merge, rows, verdict
from bench.scenarios import Figure
from bench.trouble.case import worst_mean_w
from bench.trouble.table import QUICK, ROWS, find

STEP = [Figure("load step", "compliant_s", 5.0), Figure("load step", "compliant_s", 4.0)]
DIES = [Figure("meter-dies", "open_loop_s", 3.9), Figure("meter-dies", "over_s", 6.2)]


def stored(folder: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((folder / "benchmark.json").read_text())
    return found


def test_results_of_both_tables_stand_side_by_side_in_one_file(tmp_path: Path) -> None:
    merge(fault_rows(DIES), tmp_path, "here")
    merge(rows(STEP), tmp_path, "there")
    assert [(row["section"], row["metric"], row["machine"]) for row in stored(tmp_path)] == [
        (LOOP, "compliant_s", "there"),
        (FAULTS, "open_loop_s", "here"),
        (FAULTS, "over_s", "here"),
    ]
    page = (tmp_path / "benchmark.md").read_text()
    assert "| load step |" in page
    assert "| `meter-dies`: meter dies" in page


def test_a_row_that_is_run_again_replaces_only_itself(tmp_path: Path) -> None:
    merge(fault_rows(DIES), tmp_path, "here")
    merge(fault_rows([Figure("meter-dies", "over_s", 5.0)]), tmp_path, "here")
    assert [row["measured"] for row in stored(tmp_path)] == [3.9, 5.0]


def test_a_figure_over_its_must_is_missed_and_one_without_a_must_promises_nothing() -> None:
    late, free = fault_rows(
        [Figure("meter-dies", "over_s", 10.1), Figure("writer-gone-123", "over_w", 4500.0)]
    )
    assert (verdict(late), verdict(free)) == ("missed", "no promise")
    assert "no promise" in line(free)


def test_the_worst_minute_is_found_wherever_it_lies() -> None:
    samples = [Sample(0.5 * n, 2000.0 if 40 <= n < 160 else 1000.0, 0.0) for n in range(400)]
    assert worst_mean_w(samples) == pytest.approx(2000.0)
    assert worst_mean_w(samples[:20]) == 1000.0


def test_the_record_takes_only_whole_lines_and_reads_on(tmp_path: Path) -> None:
    record = Record(tmp_path / "record.jsonl")
    whole = '{"mono": 1.0, "site_w": -5.0, "load_w": 3.0}\n'
    record.path.write_text(whole + '{"mono": 2.0, "si')
    record.update()
    assert record.samples == [Sample(1.0, 5.0, 3.0)]
    record.path.write_text(whole + '{"mono": 2.0, "site_w": 7.0, "load_w": 9.0}\n')
    record.update()
    assert [sample.export_w for sample in record.since(1.5)] == [-7.0]


def test_every_row_has_one_scenario_and_the_quick_ones_are_rows() -> None:
    assert len(set(ROWS)) == len(ROWS)
    assert set(QUICK) <= set(ROWS)
    with pytest.raises(KeyError, match="no row earthquake"):
        find("earthquake")
