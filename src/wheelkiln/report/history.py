"""The history as tables and as JSON: runs, and what became of their jobs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wheelkiln.build.journal import Attempt, PastRun, RunState
from wheelkiln.report.tables import NARROW
from wheelkiln.report.text import format_seconds

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["history_as_json", "job_table", "run_table"]

_STYLES = {RunState.FAILED: "bold red", RunState.DIED: "bold red", RunState.STOPPED: "bold red"}
_BAD = frozenset({"failed", "rejected"})
_WIDE = 150
"""From this many columns on a job has the path of its log beside it."""


@dataclass(frozen=True, slots=True)
class _Row:
    run: PastRun
    attempt: Attempt


def run_table(runs: Sequence[PastRun], width: int) -> Table:
    """One row for each run: when, of what, how it ended, and what became of its jobs."""
    wide = width >= NARROW
    table = _table(("run", "of", "ended as", *(("took",) if wide else ()), "jobs"))
    for run in runs:
        took = (_took(run),) if wide else ()
        when = _local(run.started, wide=wide)
        table.add_row(when, _subject(run), run.state.value, *took, _counts(run), style=_STYLES.get(run.state))
    return table


def job_table(runs: Sequence[PastRun], logs: Mapping[tuple[str, str], Path], width: int) -> Table:
    """One row for each job of these runs; logs are those that still exist, by run and job."""
    wide = width >= NARROW
    table = _table(("at", *(("of",) if wide else ()), "job", "state", "took"))
    if width >= _WIDE:
        table.add_column("log", overflow="fold")
    elif wide:
        table.add_column("why", overflow="ellipsis", no_wrap=True)
    for row in (_Row(run, attempt) for run in runs for attempt in run.attempts):
        attempt = row.attempt
        cells = [_local(attempt.changed, wide=wide), *([f"{attempt.project} {attempt.version}"] if wide else [])]
        cells += [attempt.name, _state(row), format_seconds(attempt.seconds or None)]
        if width >= _WIDE:
            cells.append(str(logs.get((row.run.id, attempt.job_id), "")))
        elif wide:
            cells.append(attempt.message)
        table.add_row(*cells, style="bold red" if attempt.state in _BAD else None)
    return table


def history_as_json(runs: Sequence[PastRun], logs: Mapping[tuple[str, str], Path]) -> list[dict[str, Any]]:
    """Return the runs with their jobs, the newest first; times are ISO 8601."""
    return [
        {
            "id": run.id,
            "state": run.state.value,
            "started": _iso(run.started),
            "ended": None if run.ended is None else _iso(run.ended),
            "message": run.message,
            "command": run.command,
            "output": run.output,
            "jobs": [
                {
                    "project": attempt.project,
                    "version": attempt.version,
                    "job": attempt.name,
                    "state": attempt.state,
                    "at": _iso(attempt.changed),
                    "seconds": attempt.seconds,
                    "message": attempt.message,
                    "log": str(logs.get((run.id, attempt.job_id), "")) or None,
                }
                for attempt in run.attempts
            ],
        }
        for run in runs
    ]


def _state(row: _Row) -> str:
    """A job that had begun when its run died has no end."""
    ends = {} if row.run.state is RunState.RUNNING else {"planned": "not begun", "started": "not ended"}
    return ends.get(row.attempt.state, row.attempt.state)


def _subject(run: PastRun) -> str:
    subjects = list(dict.fromkeys(f"{attempt.project} {attempt.version}" for attempt in run.attempts))
    more = f" and {len(subjects) - 1} more" if len(subjects) > 1 else ""
    return f"{subjects[0]}{more}" if subjects else "-"


def _counts(run: PastRun) -> str:
    counts = Counter(_state(_Row(run, attempt)) for attempt in run.attempts)
    return ", ".join(f"{number} {state}" for state, number in counts.items()) or "-"


def _took(run: PastRun) -> str:
    return format_seconds(run.ended - run.started) if run.ended is not None else "-"


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _local(seconds: float, *, wide: bool) -> str:
    """The time by this machine's clock, as its user reads it."""
    moment = datetime.fromtimestamp(seconds, UTC).astimezone()
    return f"{moment:%Y-%m-%d %H:%M:%S}" if wide else f"{moment:%m-%d %H:%M}"


def _table(columns: Sequence[str]) -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in columns:
        table.add_column(name, justify="right" if name == "took" else "left", overflow="fold")
    return table
