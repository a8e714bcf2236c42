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

_OTHER_LINES = 3
"""Lines that are no rows: the counts, what did not fit, and the cursor's."""
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
        from rich.text import Text

        width, height = self._console.size
        with self._lock:
            rows, doing, counts = list(self._running.values()), self._doing, self._counts()
        room = max(1, height - _OTHER_LINES - bool(doing))
        shown = rows if len(rows) <= room else rows[: room - 1]
        table = self._table(shown, doing, width)
        hidden = len(rows) - len(shown)
        lines = [Text(line, style="dim", no_wrap=True, overflow="ellipsis") for line in counts]
        more = [Text(f"  and {hidden} more", style="dim", no_wrap=True)] if hidden else []
        return Group(*([table] if shown or doing else []), *more, *lines)

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

    def _table(self, rows: Sequence[_Row], doing: str, width: int) -> Table:
        from rich.spinner import Spinner
        from rich.table import Table
        from rich.text import Text

        now = self._clock()
        table = Table.grid(padding=(0, 1, 0, 0), expand=False)
        for number in range(4):
            last = number == 3  # noqa: PLR2004 - the times
            table.add_column(no_wrap=True, overflow="ellipsis", justify="right" if last else "left")
        for row in rows:
            of = f" of about {format_seconds(row.job.estimate)}" if row.job.estimate and width >= _NARROW else ""
            table.add_row(
                Spinner("dots"), Text(row.job.id), Text(row.stage), Text(format_seconds(now - row.since) + of)
            )
        if doing:
            table.add_row(Spinner("dots"), Text("image"), Text(self._log_line), Text(format_seconds(now - self._since)))
        return table

    def _counts(self) -> list[str]:
        """Say how many jobs are in which state, and how long the rest may take."""
        numbers = {"running": len(self._running), "waiting": len(self._waiting)}
        numbers |= {status.value: self._ended[status] for status in Status}
        told = ", ".join(f"{count} {state}" for state, count in numbers.items() if count)
        if not told:
            return []
        now = self._clock()
        running = [(row.job.estimate, now - row.since) for row in self._running.values()]
        left = estimate_remaining(list(self._waiting.values()), running, self._took, self._most)
        rest = f", about {format_seconds(round(left))} left" if left and (self._running or self._took) else ""
        return [f"{told}; {format_seconds(now - self._started)}{rest}"]
