from __future__ import annotations

import io
import re

import pytest
from rich.console import Console

from tests.values import make_inputs, make_job
from wheelkiln.build.outcome import Event, JobEnded, JobStarted, Outcome, Said, StageStarted, Status, WheelFile
from wheelkiln.cache.statistics import CompileStatistics
from wheelkiln.cli.progress import _LiveProgress, make_progress
from wheelkiln.plan.make import make_plan

_PLAN = make_plan(make_inputs({"python": ["cp311", "cp312"]}))
_JOB = make_job("cp311-manylinux_x86_64", estimate=65.0)
_BUILT = Outcome(
    _JOB, Status.BUILT, seconds=12.0, wheel=WheelFile("k.whl", "", 1), statistics=CompileStatistics(hits=2)
)


def test_plain_lines_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    events: list[Event] = [
        Said("making the base [x]"),
        JobStarted(_JOB),
        JobStarted(make_job()),
        StageStarted(_JOB, "compile"),
        JobEnded(_BUILT),
        JobEnded(Outcome(_JOB, Status.REUSED)),
        JobEnded(Outcome(_JOB, Status.COVERED, covered_by="k.whl")),
        JobEnded(Outcome(_JOB, Status.FAILED, seconds=3.0, message="broken")),
    ]
    with make_progress(_PLAN.jobs) as progress:
        for event in events:
            progress.on_event(event)
        progress.on_log("a line of an image build")
    printed = capsys.readouterr()
    assert printed.out == ""
    assert [re.sub(r"^\[ *[0-9.]+\] ", "", line) for line in printed.err.splitlines()] == [
        "making the base [x]",
        "cp311-manylinux_x86_64: started (last time 1 m 05 s)",
        "cp312-manylinux_x86_64: started",
        "cp311-manylinux_x86_64: compile",
        "cp311-manylinux_x86_64: built in 12.0 s, 2/2 hits",
        "cp311-manylinux_x86_64: unchanged since it was built",
        "cp311-manylinux_x86_64: served by k.whl",
        "cp311-manylinux_x86_64: failed after 3.0 s: broken",
    ]


def _live() -> tuple[_LiveProgress, Console]:
    console = Console(file=io.StringIO(), width=100, markup=False, highlight=False, force_terminal=False)
    return _LiveProgress(_PLAN.jobs, console), console


def _shown(live: _LiveProgress) -> str:
    console = Console(file=io.StringIO(), width=100)
    console.print(live.render())
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_a_live_view_shows_what_runs_and_counts_what_waits() -> None:
    live, _ = _live()
    assert "2 waiting" in _shown(live)
    live.on_event(JobStarted(_JOB))
    live.on_event(StageStarted(_JOB, "compile"))
    shown = _shown(live)
    assert "cp311-manylinux_x86_64" in shown
    assert "compile" in shown
    assert "of about 1 m 05 s" in shown
    assert "1 waiting" in shown


def test_what_has_ended_scrolls_away_above() -> None:
    live, console = _live()
    live.on_event(JobStarted(_JOB))
    live.on_event(JobEnded(_BUILT))
    assert "cp311" not in _shown(live)
    assert isinstance(console.file, io.StringIO)
    assert console.file.getvalue() == "cp311-manylinux_x86_64: built in 12.0 s, 2/2 hits\n"


def test_a_job_that_ends_without_having_started_waits_no_more() -> None:
    live, _ = _live()
    live.on_event(JobEnded(Outcome(_JOB, Status.REUSED)))
    assert "1 waiting" in _shown(live)


def test_an_image_build_shows_its_last_line() -> None:
    live, _ = _live()
    live.on_event(Said("building the image x"))
    live.on_log("#7 RUN [bold]packages")
    assert "#7 RUN [bold]packages" in _shown(live)
    live.on_event(JobStarted(_JOB))
    assert "#7" not in _shown(live)
