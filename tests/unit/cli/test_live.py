from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import replace

import pytest
from rich.console import Console

from tests.fakes import FakeClock
from tests.values import make_job
from wheelkiln.build.outcome import JobEnded, JobStarted, Outcome, Said, StageStarted, Status
from wheelkiln.cache.statistics import CompileStatistics
from wheelkiln.cli.live import LiveView
from wheelkiln.plan.model import Job

_JOBS = tuple(make_job(f"cp3{number}-manylinux_x86_64") for number in (11, 12))
_FIRST = replace(_JOBS[0], estimate=65.0)
_BUILT = Outcome(_FIRST, Status.BUILT, seconds=12.0, statistics=CompileStatistics(hits=2))


class Screen:
    """A live view on a terminal of some size."""

    def __init__(self, jobs: Sequence[Job] = _JOBS, width: int = 100, height: int = 30) -> None:
        self.clock = FakeClock()
        self.console = Console(file=io.StringIO(), width=width, height=height, markup=False, highlight=False)
        self.view = LiveView(jobs, self.console, self.clock)

    @property
    def printed(self) -> str:
        assert isinstance(self.console.file, io.StringIO)
        return self.console.file.getvalue()

    @property
    def lines(self) -> list[str]:
        shown = Console(file=io.StringIO(), width=self.console.width, height=self.console.height)
        shown.print(self.view.render())
        assert isinstance(shown.file, io.StringIO)
        return [line.rstrip() for line in shown.file.getvalue().splitlines()]


def test_it_shows_what_runs_and_counts_the_rest() -> None:
    screen = Screen()
    assert screen.lines == ["2 waiting; 0 s"]
    screen.view.on_event(JobStarted(_FIRST))
    screen.view.on_event(StageStarted(_FIRST, "compile"))
    screen.clock.now += 5
    row, counts = screen.lines
    assert row.split()[1:3] == ["cp311-manylinux_x86_64", "compile"]
    assert row.endswith("5.0 s of about 1 m 05 s")
    assert counts == "1 running, 1 waiting; 5 s, about 2 m 05 s left"


def test_what_has_ended_scrolls_away_above_and_is_counted() -> None:
    screen = Screen()
    screen.view.on_event(JobStarted(_FIRST))
    screen.view.on_event(JobEnded(_BUILT))
    screen.view.on_event(JobEnded(Outcome(_JOBS[1], Status.FAILED, seconds=1.0, message="broken")))
    assert screen.lines == ["1 failed, 1 built; 0 s"]
    assert screen.printed == (
        "cp311-manylinux_x86_64: built in 12.0 s, 2/2 hits\ncp312-manylinux_x86_64: failed after 1.0 s: broken\n"
    )


def test_a_stage_of_a_job_that_does_not_run_is_nothing() -> None:
    screen = Screen()
    screen.view.on_event(StageStarted(_FIRST, "compile"))
    assert screen.lines == ["2 waiting; 0 s"]


def test_an_image_build_shows_its_last_line() -> None:
    screen = Screen()
    screen.view.on_event(Said("building the image x"))
    screen.view.on_log("#7 RUN [bold]packages")
    assert "#7 RUN [bold]packages" in screen.lines[0]
    screen.view.on_event(JobStarted(_FIRST))
    assert not any("#7" in line for line in screen.lines)


@pytest.mark.parametrize(("width", "height"), [(80, 24), (200, 50), (40, 15), (20, 5), (300, 200)])
def test_two_hundred_jobs_fit_any_terminal(width: int, height: int) -> None:
    jobs = [make_job(f"cp312-manylinux_x86_64@v{number}", estimate=600.0) for number in range(200)]
    screen = Screen(jobs, width, height)
    screen.view.on_event(Said("something"))
    for job in jobs[:120]:
        screen.view.on_event(JobStarted(job))
        screen.view.on_event(StageStarted(job, "environment"))
    assert len(screen.lines) <= height - 1
    assert max(map(len, screen.lines)) <= width
    shown = sum("@" in line or "cp312" in line for line in screen.lines)
    assert shown == 120 or any(f"and {120 - shown} more" in line for line in screen.lines)
    assert any(line.startswith("120 running"[:width]) for line in screen.lines[-2:])


def test_in_a_narrow_terminal_the_stage_and_the_time_stay() -> None:
    jobs = [make_job(f"cp312-manylinux_x86_64@v{number}", estimate=600.0) for number in range(2)]
    screen = Screen(jobs, 40, 15)
    screen.view.on_event(JobStarted(jobs[0]))
    screen.view.on_event(StageStarted(jobs[0], "environment"))
    screen.clock.now += 61
    row, counts, times = screen.lines
    assert row[2:] == "…linux_x86_64@v0 environment 1 m 01 s"
    assert counts == "1 running, 1 waiting"
    assert times == "1 m 01 s, about 18 m 59 s left"
