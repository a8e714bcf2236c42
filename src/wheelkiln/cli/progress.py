"""Progress of a run: a live view on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

import click

from wheelkiln.build.outcome import Event, JobEnded, JobStarted, Outcome, Said, StageStarted, Status
from wheelkiln.cli.console import make_console
from wheelkiln.plan.model import Job
from wheelkiln.report.text import format_cache, format_seconds

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

__all__ = ["Progress", "make_image_log", "make_progress"]

_SPINNER_HZ = 8


class Progress(Protocol):
    """Receives the events of a run and the output of image builds."""

    def on_event(self, event: Event) -> None: ...

    def on_log(self, line: str) -> None: ...


@contextmanager
def make_progress(jobs: Sequence[Job]) -> Iterator[Progress]:
    """Show a run's progress on stderr while the context lasts."""
    console = make_console(stderr=True)
    if not console.is_terminal:
        yield _PlainProgress(time.monotonic())
        return
    from rich.live import Live

    live_view = _LiveProgress(jobs, console)
    with Live(
        get_renderable=live_view.render,
        console=console,
        refresh_per_second=_SPINNER_HZ,
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
    ):
        yield live_view


@contextmanager
def make_image_log() -> Iterator[Callable[[str], None]]:
    """Show the last line of an image build's output on a terminal while the context lasts; elsewhere nothing.

    Elsewhere the steps are told by lines, and the output is in the error of a build that fails.
    """
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.status import Status as Spinner
    from rich.text import Text

    console = make_console(stderr=True)
    with Spinner("", console=console) as spinner:
        yield lambda line: spinner.update(Text(line[: console.width - 4]))


class _PlainProgress:
    """A line for each event, with the seconds since the start: for CI and files."""

    def __init__(self, started: float) -> None:
        self._started = started

    def on_event(self, event: Event) -> None:
        match event:
            case Said(text):
                self._line(text)
            case JobStarted(job):
                expected = f" (last time {format_seconds(job.estimate)})" if job.estimate is not None else ""
                self._line(f"{job.id}: started{expected}")
            case StageStarted(job, stage):
                self._line(f"{job.id}: {stage}")
            case JobEnded(outcome):
                self._line(_summary(outcome))

    def on_log(self, line: str) -> None:
        """Image builds are told by their steps; their output is in the error when they fail."""

    def _line(self, text: str) -> None:
        click.echo(f"[{time.monotonic() - self._started:7.1f}] {text}", err=True)


class _LiveProgress:
    """One row a job that runs, a count of those that wait; what has ended scrolls away above."""

    def __init__(self, jobs: Sequence[Job], console: Console) -> None:
        self._console = console
        self._waiting = [job.id for job in jobs]
        self._running: dict[str, tuple[Job, str, float]] = {}
        self._doing = ""
        self._log_line = ""
        self._since = time.monotonic()

    def on_event(self, event: Event) -> None:
        match event:
            case Said(text):
                self._doing, self._log_line, self._since = text, "", time.monotonic()
                self._console.print(text)
            case JobStarted(job):
                self._doing = self._log_line = ""
                self._waiting = [job_id for job_id in self._waiting if job_id != job.id]
                self._running[job.id] = (job, "start", time.monotonic())
            case StageStarted(job, stage):
                _, _, since = self._running[job.id]
                self._running[job.id] = (job, stage, since)
            case JobEnded(outcome):
                self._running.pop(outcome.job.id, None)
                self._waiting = [job_id for job_id in self._waiting if job_id != outcome.job.id]
                self._console.print(_summary(outcome), style="red" if not outcome.good else "")

    def on_log(self, line: str) -> None:
        self._log_line = line

    def render(self) -> RenderableType:
        from rich.spinner import Spinner
        from rich.table import Table
        from rich.text import Text

        now = time.monotonic()
        table = Table.grid(padding=(0, 2, 0, 0))
        for column in range(4):
            table.add_column(no_wrap=True, overflow="ellipsis", justify="right" if column == 3 else "left")  # noqa: PLR2004
        for job, stage, since in self._running.values():
            elapsed = format_seconds(now - since)
            of = f" of about {format_seconds(job.estimate)}" if job.estimate else ""
            table.add_row(Spinner("dots"), Text(job.id), Text(stage), Text(elapsed + of))
        if self._doing:
            table.add_row(Spinner("dots"), Text("image"), Text(self._log_line), Text(format_seconds(now - self._since)))
        if self._waiting:
            table.add_row("", Text(f"{len(self._waiting)} waiting", style="dim"), "", "")
        return table


def _summary(outcome: Outcome) -> str:
    job_id = outcome.job.id
    match outcome.status:
        case Status.BUILT:
            return f"{job_id}: built in {format_seconds(outcome.seconds)}, {format_cache(outcome.statistics)}"
        case Status.REUSED:
            return f"{job_id}: unchanged since it was built{', from the wheel store' if outcome.from_store else ''}"
        case Status.COVERED:
            return f"{job_id}: served by {outcome.covered_by}"
        case _:
            return f"{job_id}: {outcome.status} after {format_seconds(outcome.seconds)}: {outcome.message}"
