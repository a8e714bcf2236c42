from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from wheelkiln.build.journal import Attempt, PastRun, RunState
from wheelkiln.report.history import history_as_json, job_table, run_table

_JOB = "kern-1.2/cp312-manylinux_x86_64"


def _attempt(state: str, job_id: str = _JOB, **changes: Any) -> Attempt:
    return Attempt("r1", "kern", "1.2", job_id, state, 1_700_000_000.0, **changes)


def _run(*attempts: Attempt, state: RunState = RunState.DONE, ended: float | None = 1_700_000_060.0) -> PastRun:
    return PastRun("r1", 1_700_000_000.0, ended, state, "", "wheelkiln build", "/out", attempts)


def _cells(table: Any) -> list[list[str]]:
    return [list(row) for row in zip(*(column._cells for column in table.columns), strict=True)]


def _names(table: Any) -> list[str]:
    return [column.header for column in table.columns]


def test_a_run_is_told_by_what_became_of_its_jobs() -> None:
    run = _run(_attempt("built"), _attempt("built", "b"), _attempt("failed", "c"), state=RunState.FAILED)
    table = run_table([run], 120)
    (cells,) = _cells(table)
    assert cells[1:] == ["kern 1.2", "failed", "1 m 00 s", "2 built, 1 failed"]
    assert table.rows[0].style == "bold red"


@pytest.mark.parametrize(
    ("state", "words"),
    [(RunState.DIED, "1 not begun, 1 not ended"), (RunState.RUNNING, "1 planned, 1 started")],
)
def test_what_a_run_that_died_did_not_come_to_is_told(state: RunState, words: str) -> None:
    run = _run(_attempt("planned"), _attempt("started", "b"), state=state, ended=None)
    (cells,) = _cells(run_table([run], 120))
    assert cells[2:] == [state.value, "-", words]


def test_several_projects_in_a_run() -> None:
    other = Attempt("r1", "other", "3", "x", "built", 1.0)
    (cells,) = _cells(run_table([_run(_attempt("built"), other)], 120))
    assert cells[1] == "kern 1.2 and 1 more"


@pytest.mark.parametrize(
    ("width", "names"),
    [
        (60, ["at", "job", "state", "took"]),
        (120, ["at", "of", "job", "state", "took", "why"]),
        (200, ["at", "of", "job", "state", "took", "log"]),
    ],
)
def test_a_table_of_jobs_has_what_fits(width: int, names: list[str]) -> None:
    run = _run(_attempt("failed", seconds=2.0, message="no header"))
    table = job_table([run], {("r1", _JOB): Path("/runs/r1/build.log")}, width)
    assert _names(table) == names
    (cells,) = _cells(table)
    told = dict(zip(names, cells, strict=True))
    assert (told["job"], told["state"], told["took"]) == ("cp312-manylinux_x86_64", "failed", "2.0 s")
    assert told.get("log", "/runs/r1/build.log") == "/runs/r1/build.log"
    assert told.get("why", "no header") == "no header"


def test_json_names_the_logs_that_still_exist() -> None:
    run = _run(_attempt("built", seconds=2.0), _attempt("reused", "b"))
    (told,) = history_as_json([run], {("r1", _JOB): Path("/runs/r1/build.log")})
    assert (told["state"], told["started"], told["ended"]) == ("done", "2023-11-14T22:13:20Z", "2023-11-14T22:14:20Z")
    assert [(job["job"], job["log"]) for job in told["jobs"]] == [
        ("cp312-manylinux_x86_64", "/runs/r1/build.log"),
        ("b", None),
    ]
