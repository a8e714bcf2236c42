"""Progress of a run: a live view on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Protocol

import click

from wheelkiln.build.outcome import Event, JobEnded, JobStarted, Said, StageStarted
from wheelkiln.cli.ci_log import folded_log
from wheelkiln.cli.console import make_console
from wheelkiln.plan.model import Job
from wheelkiln.report.text import format_outcome, format_seconds

__all__ = ["Progress", "make_image_log", "make_progress"]

_SPINNER_HZ = 8


class Progress(Protocol):
    """Receives the events of a run and the output of image builds."""

    def on_event(self, event: Event) -> None: ...

    def on_log(self, line: str) -> None: ...


@contextmanager
def make_progress(jobs: Sequence[Job], environ: Mapping[str, str]) -> Iterator[Progress]:
    """Show a run's progress on stderr while the context lasts; environ tells the CI system, if there is one."""
    console = make_console(stderr=True)
    if not console.is_terminal:
        yield _PlainProgress(time.monotonic(), environ)
        return
    from rich.live import Live

    from wheelkiln.cli.live import LiveView

    live_view = LiveView(jobs, console)
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
    """A line for each event, with its job and the seconds since the start: for CI and files.

    Where the lines of a CI system's log can be folded, the whole log of a job that failed follows: its machine, and
    the file on it, are soon gone.
    """

    def __init__(self, started: float, environ: Mapping[str, str]) -> None:
        self._started, self._environ = started, environ
        self._lock = threading.Lock()

    def on_event(self, event: Event) -> None:
        match event:
            case Said(text):
                self._print(text)
            case JobStarted(job):
                expected = f" (last time {format_seconds(job.estimate)})" if job.estimate is not None else ""
                self._print(f"{job.id}: started{expected}")
            case StageStarted(job, stage):
                self._print(f"{job.id}: {stage}")
            case JobEnded(outcome):
                self._print(format_outcome(outcome), *folded_log(outcome, self._environ))

    def on_log(self, line: str) -> None:
        """Image builds are told by their steps; their output is in the error when they fail."""

    def _print(self, text: str, *rest: str) -> None:
        with self._lock:  # jobs that run side by side do not print between each other's lines
            click.echo(f"[{time.monotonic() - self._started:7.1f}] {text}", err=True)
            for line in rest:
                click.echo(line, err=True, color=True)  # sections of GitLab's log are escape sequences
