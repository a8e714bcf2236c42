"""The live view of a run: rows for the jobs that run, as many as the terminal has room for, and a line of counts."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wheelkiln.build.outcome import Event, JobEnded, JobStarted, Outcome, Said, StageStarted, Status
from wheelkiln.plan.model import Job
from wheelkiln.report.remaining import estimate_remaining
from wheelkiln.report.text import format_outcome, format_seconds

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table

__all__ = ["LiveView"]

_OTHER_LINES = 2
"""Lines that are no rows, besides the counts: what did not fit, and the cursor's."""
_BETWEEN = 5
"""Columns that are taken by the spinner and by what is between."""
_SHORTEST_ID = 8
_NARROW = 60
"""Columns below which a row tells the elapsed time alone."""


@dataclass(slots=True)
class _Row:
    job: Job
    stage: str
    since: float


class LiveView:
    """Receives the events of a run from any thread; what has ended scrolls away above the rows."""

    def __init__(self, jobs: Sequence[Job], console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        self._console, self._clock = console, clock
        self._lock = threading.Lock()
        self._waiting = {job.id: job.estimate for job in jobs}
        self._running: dict[str, _Row] = {}
        self._ended: Counter[Status] = Counter()
        self._took: list[float] = []
        self._most = 1
        self._doing, self._log_line = "", ""
        self._started = self._since = clock()

    def on_event(self, event: Event) -> None:
        with self._lock:
            self._take_in(event)
        match event:  # the console has a lock of its own, and renders while it prints
            case Said(text):
                self._console.print(text)
            case JobEnded(outcome):
                self._console.print(format_outcome(outcome), style="" if outcome.good else "red")

    def on_log(self, line: str) -> None:
        self._log_line = line

    def render(self) -> RenderableType:
        """Draw what fits the terminal as it is now."""
        from rich.console import Group
        from rich.spinner import Spinner
        from rich.text import Text

        width, height = self._console.size
        now = self._clock()
        with self._lock:
            rows = [(row.job, row.stage, now - row.since) for row in self._running.values()]
            doing, counts = self._doing, self._counts(now, width)
        room = max(1, height - _OTHER_LINES - len(counts) - bool(doing))
        shown = rows if len(rows) <= room else rows[: room - 1]
        parts: list[RenderableType] = [_table(shown, width)] if shown else []
        if doing:
            told = f"image {format_seconds(now - self._since)} {self._log_line}"
            parts.append(Spinner("dots", Text(told[: width - 3])))
        if len(shown) < len(rows):
            counts = [f"  and {len(rows) - len(shown)} more", *counts]
        return Group(*parts, *(Text(line[:width], style="dim", no_wrap=True) for line in counts))

    def _take_in(self, event: Event) -> None:
        now = self._clock()
        match event:
            case Said(text):
                self._doing, self._log_line, self._since = text, "", now
            case JobStarted(job):
                self._doing = self._log_line = ""
                self._waiting.pop(job.id, None)
                self._running[job.id] = _Row(job, "start", now)
                self._most = max(self._most, len(self._running))
            case StageStarted(job, stage):
                if job.id in self._running:
                    self._running[job.id].stage = stage
            case JobEnded(outcome):
                self._end(outcome)

    def _end(self, outcome: Outcome) -> None:
        self._running.pop(outcome.job.id, None)
        self._waiting.pop(outcome.job.id, None)
        self._ended[outcome.status] += 1
        if outcome.status is Status.BUILT:
            self._took.append(outcome.seconds)

    def _counts(self, now: float, width: int) -> list[str]:
        """Say how many jobs are in which state, and how long the rest may take: in two lines where one is too long."""
        numbers = {"running": len(self._running)}
        numbers |= {status.value: self._ended[status] for status in (Status.FAILED, Status.REJECTED)}
        numbers |= {"waiting": len(self._waiting), **{status.value: self._ended[status] for status in Status}}
        told = ", ".join(f"{count} {state}" for state, count in numbers.items() if count)
        if not told:
            return []
        running = [(row.job.estimate, now - row.since) for row in self._running.values()]
        left = estimate_remaining(list(self._waiting.values()), running, self._took, self._most)
        rest = f", about {_whole_seconds(left)} left" if left and (self._running or self._took) else ""
        parts = [told, f"{_whole_seconds(now - self._started)}{rest}"]
        line = "; ".join(parts)
        return [line] if len(line) <= width else parts


def _table(rows: Sequence[tuple[Job, str, float]], width: int) -> Table:
    """Lay out a row for each job: where there is little room, the beginnings of ids give way."""
    from rich.spinner import Spinner
    from rich.table import Table
    from rich.text import Text

    times = [_time(job.estimate if width >= _NARROW else None, elapsed) for job, _, elapsed in rows]
    taken = max(len(stage) for _, stage, _ in rows) + max(map(len, times)) + _BETWEEN
    room = max(_SHORTEST_ID, width - taken)
    table = Table.grid(padding=(0, 1, 0, 0))
    for _ in range(3):
        table.add_column(no_wrap=True, overflow="ellipsis")
    table.add_column(no_wrap=True, overflow="ellipsis", justify="right")
    for (job, stage, _), told in zip(rows, times, strict=True):
        name = job.id if len(job.id) <= room else f"…{job.id[1 - room :]}"
        table.add_row(Spinner("dots"), Text(name), Text(stage), Text(told))
    return table


def _time(expected: float | None, elapsed: float) -> str:
    return format_seconds(elapsed) + (f" of about {_whole_seconds(expected)}" if expected else "")


def _whole_seconds(seconds: float) -> str:
    return f"{seconds:.0f} s" if round(seconds) < 60 else format_seconds(seconds)  # noqa: PLR2004 - a minute
