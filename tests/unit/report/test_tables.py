from __future__ import annotations

import io

from rich.console import Console
from rich.table import Table

from tests.values import make_inputs, make_job
from wheelkiln.build.outcome import Outcome, StageSeconds, Status, WheelFile
from wheelkiln.cache.statistics import CompileStatistics
from wheelkiln.plan.make import make_plan
from wheelkiln.plan.matrix import make_document
from wheelkiln.report.tables import NARROW, outcome_table, plan_table


def _lines(table: Table, width: int) -> list[str]:
    console = Console(file=io.StringIO(), width=width, markup=False, highlight=False)
    console.print(table)
    assert isinstance(console.file, io.StringIO)
    return [line.rstrip() for line in console.file.getvalue().splitlines() if line.strip()]


_OUTCOMES = (
    Outcome(
        make_job("cp311-manylinux_x86_64"),
        Status.BUILT,
        seconds=12.0,
        wheel=WheelFile("k.whl", "a" * 64, 2048),
        stages=(StageSeconds("start", 1.0), StageSeconds("compile", 9.0), StageSeconds("repair", 1.5)),
        statistics=CompileStatistics(hits=3, misses=1),
    ),
    Outcome(make_job("cp312-manylinux_x86_64"), Status.REUSED, wheel=WheelFile("l.whl", "b" * 64, 1024)),
    Outcome(make_job("cp313-manylinux_x86_64"), Status.FAILED, seconds=3.0, message="broken"),
)


def test_a_wide_table_of_outcomes() -> None:
    lines = [line.split("  ") for line in _lines(outcome_table(_OUTCOMES, 120), 120)]
    rows = [[cell.strip() for cell in line if cell.strip()] for line in lines]
    assert rows == [
        ["job", "status", "size", "compile", "repair", "rest", "total", "compile cache"],
        ["cp311-manylinux_x86_64", "built", "2.0 KiB", "9.0 s", "1.5 s", "1.5 s", "12.0 s", "3/4 hits"],
        ["cp312-manylinux_x86_64", "reused", "1.0 KiB", "-", "-", "-", "-", "-"],
        ["cp313-manylinux_x86_64", "failed", "-", "-", "-", "3.0 s", "3.0 s", "-"],
        ["all", "15.0 s", "3/4 hits"],
    ]


def test_a_narrow_table_leaves_out_the_stages() -> None:
    lines = _lines(outcome_table(_OUTCOMES, 80), 80)
    assert lines[0].split() == ["job", "status", "size", "total", "compile", "cache"]
    assert max(map(len, lines)) <= 80


def test_no_cell_is_cut_at_any_usual_width() -> None:
    for width in (60, 80, NARROW, 120, 200):
        text = "\n".join(_lines(outcome_table(_OUTCOMES, width), width))
        assert "…" not in text


def test_one_outcome_has_no_sum() -> None:
    assert len(_lines(outcome_table(_OUTCOMES[:1], 120), 120)) == 2


def test_a_table_of_a_plan() -> None:
    plan = make_document([make_plan(make_inputs(estimates={"cp310-manylinux_x86_64": 65.0}))])
    lines = _lines(plan_table(plan, 120), 120)
    assert lines[0].split("  ")[0] == "job"
    assert lines[1].split() == [
        "cp310-manylinux_x86_64",
        "manylinux_2_28_x86_64",
        "kern-x86_64-default",
        "1",
        "m",
        "05",
        "s",
    ]
    assert lines[2].split()[-1] == "-"
    assert len(lines) == 5
    assert _lines(plan_table(plan, 80), 80)[0].split() == ["job", "estimate"]
