"""The journal: which run meant to do what, and what became of it, whatever ended the run."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from wheelkiln.build.ledger_file import LedgerFile
from wheelkiln.build.outcome import Event, JobEnded, JobStarted, Outcome, Status
from wheelkiln.cache.presence import living_runs
from wheelkiln.errors import WheelkilnError
from wheelkiln.plan.model import Job

__all__ = ["Attempt", "Journal", "PastRun", "RunRecord", "RunState", "is_unfinished", "own_id", "recording"]

PLANNED = "planned"
STARTED = "started"
_FINISHED = frozenset({Status.BUILT.value, Status.REUSED.value, Status.COVERED.value})
_KEPT = 1000
"""Runs that are remembered; of older ones the builds stay."""


class RunState(StrEnum):
    """died: ended without a word, by a signal that cannot be caught or with the machine; it is told, not recorded."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    STOPPED = "stopped"
    DIED = "died"


@dataclass(frozen=True, slots=True)
class Attempt:
    """What became of a job in one run: planned, started, or the status of its outcome; changed is when it did so."""

    run: str
    project: str
    version: str
    job_id: str
    state: str
    changed: float
    seconds: float = 0.0
    message: str = ""

    @property
    def name(self) -> str:
        return own_id(self.job_id)


@dataclass(frozen=True, slots=True)
class PastRun:
    """A run; times are in seconds since 1970, ended is None while it runs and when it died."""

    id: str
    started: float
    ended: float | None
    state: RunState
    message: str
    command: str
    output: str
    attempts: tuple[Attempt, ...] = ()


class Journal:
    """The runs in a cache directory's ledger."""

    def __init__(self, cache_root: Path) -> None:
        self._root = cache_root
        self._file = LedgerFile(cache_root / "ledger.sqlite")

    def begin(self, run: str, command: str, output: Path, jobs: Iterable[tuple[Job, Path]], now: float) -> None:
        """Note a run with all that it means to do: jobs, each with the directory that it belongs to."""
        with self._file.connection() as connection:
            connection.execute(
                "INSERT INTO run (id, started, state, command, output) VALUES (?, ?, ?, ?, ?)",
                (run, now, RunState.RUNNING, command, str(output)),
            )
            connection.executemany(
                "INSERT OR IGNORE INTO attempt (run, project, version, job_id, state, changed, directory) "
                "VALUES (?, ?, ?, ?, ?, ?, ?)",
                [(run, job.project, job.version, job.id, PLANNED, now, str(place)) for job, place in jobs],
            )
            old = connection.execute("SELECT id FROM run ORDER BY started DESC LIMIT -1 OFFSET ?", (_KEPT,)).fetchall()
            connection.executemany("DELETE FROM run WHERE id = ?", old)
            connection.executemany("DELETE FROM attempt WHERE run = ?", old)

    def note(self, run: str, changes: Iterable[tuple[str, str, float, str]], now: float) -> None:
        """Note what became of jobs: their ids, states, seconds and messages."""
        with self._file.connection() as connection:
            connection.executemany(
                "UPDATE attempt SET state = ?, changed = ?, seconds = ?, message = ? WHERE run = ? AND job_id = ?",
                [(state, now, seconds, message, run, job_id) for job_id, state, seconds, message in changes],
            )

    def end(self, run: str, state: RunState, message: str, now: float) -> None:
        with self._file.connection() as connection:
            connection.execute(
                "UPDATE run SET state = ?, ended = ?, message = ? WHERE id = ?", (state, now, message, run)
            )

    def runs(self, project: str = "", version: str = "", *, directory: str = "") -> tuple[PastRun, ...]:
        """Return the runs with their attempts, the newest first, or those with jobs of a project or a directory."""
        if not self._file.exists():
            return ()
        with self._file.connection() as connection:
            rows = connection.execute(
                "SELECT id, started, ended, state, message, command, output FROM run ORDER BY started DESC, rowid DESC"
            ).fetchall()
            attempts = connection.execute(
                "SELECT run, project, version, job_id, state, changed, seconds, message FROM attempt "
                "WHERE ? IN (project, '') AND ? IN (version, '') AND ? IN (directory, '') ORDER BY rowid",
                (project, version, directory),
            ).fetchall()
        by_run: dict[str, list[Attempt]] = {}
        for row in attempts:
            by_run.setdefault(row[0], []).append(Attempt(*row))
        living = living_runs(self._root)
        return tuple(
            PastRun(
                row[0],
                row[1],
                row[2],
                _state(row[0], row[3], living),
                row[4],
                row[5],
                row[6],
                tuple(by_run.get(row[0], ())),
            )
            for row in rows
            if row[0] in by_run or not (project or directory)
        )

    def last_states(self, project: str, version: str, output: Path) -> Mapping[str, str]:
        """Return what last became of each job of a version in runs into one output directory, by the job's own id."""
        if not self._file.exists():
            return {}
        with self._file.connection() as connection:
            rows = connection.execute(
                "SELECT attempt.job_id, attempt.state FROM attempt JOIN run ON run.id = attempt.run "
                "WHERE project = ? AND version = ? AND output = ? ORDER BY run.started, run.rowid",
                (project, version, str(output)),
            ).fetchall()
        return {own_id(job_id): state for job_id, state in rows}


class RunRecord:
    """What one run tells the journal of its jobs.

    Jobs that needed no work are told together at the end: until then they count as planned, and a run that goes on
    from there finds them served again.
    """

    def __init__(self, journal: Journal | None, run: str) -> None:
        self._journal, self._run = journal, run
        self._later: list[tuple[str, str, float, str]] = []
        self.failed = False

    def listening(self, emit: Callable[[Event], None]) -> Callable[[Event], None]:
        """Return a receiver of events that takes down what they say of jobs, and passes them on."""

        def note(event: Event) -> None:
            if isinstance(event, JobStarted):
                self._started(event.job)
            elif isinstance(event, JobEnded):
                self._ended(event.outcome)
            emit(event)

        return note

    def _started(self, job: Job) -> None:
        if self._journal is not None:
            self._journal.note(self._run, [(job.id, STARTED, 0.0, "")], time.time())

    def _ended(self, outcome: Outcome) -> None:
        """Take down the end of a job, at once where it took work."""
        self.failed = self.failed or not outcome.good
        self._later.append((outcome.job.id, outcome.status.value, outcome.seconds, outcome.message))
        if outcome.seconds:
            self.flush()

    def flush(self) -> None:
        later, self._later = self._later, []
        if self._journal is not None and later:
            self._journal.note(self._run, later, time.time())


@contextmanager
def recording(
    journal: Journal | None, run: str, *, command: str, output: Path, jobs: Iterable[tuple[Job, Path]]
) -> Iterator[RunRecord]:
    """Keep a run's record while the context lasts, and how it ended; without a journal none is kept.

    The context ends with the state of its jobs: failed where one failed.
    """
    record = RunRecord(journal, run)
    if journal is None:
        yield record
        return
    journal.begin(run, command, output, jobs, time.time())
    try:
        yield record
    except BaseException as error:
        with suppress(WheelkilnError):  # the run's own trouble is the one to tell
            record.flush()
            journal.end(run, _state_of(error), _message_of(error), time.time())
        raise
    record.flush()
    journal.end(run, RunState.FAILED if record.failed else RunState.DONE, "", time.time())


def is_unfinished(state: str) -> bool:
    """Tell whether an attempt with this state left something to do: it failed, or never came to an end."""
    return state not in _FINISHED


def _state(run: str, state: str, living: frozenset[str]) -> RunState:
    return RunState.DIED if state == RunState.RUNNING and run not in living else RunState(state)


def _state_of(error: BaseException) -> RunState:
    return RunState.INTERRUPTED if isinstance(error, KeyboardInterrupt) else RunState.STOPPED


def _message_of(error: BaseException) -> str:
    return error.message if isinstance(error, WheelkilnError) else type(error).__name__


def own_id(job_id: str) -> str:
    """Return a job's id without what tells several sources of one run apart."""
    return job_id.rpartition("/")[2]
