"""The ledger: what was built from exactly what, so that a second run builds only what is missing."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

from wheelkiln.build.outcome import Outcome, Status, WheelFile
from wheelkiln.build.request import JobInputs
from wheelkiln.cache.statistics import CompileStatistics
from wheelkiln.errors import EnvironmentProblem
from wheelkiln.system.files import make_directory

if TYPE_CHECKING:
    import sqlite3

__all__ = ["Ledger", "LedgerEntry", "PastJob", "ledger_of"]

_SCHEMA_VERSION = 3
_PEAKS = 5
"""Builds of a job of which the highest peak counts: one that found everything in the cache says little."""
_SCHEMA = """
CREATE TABLE IF NOT EXISTS job (
    number INTEGER PRIMARY KEY,
    key TEXT NOT NULL,
    project TEXT NOT NULL,
    version TEXT NOT NULL,
    job_id TEXT NOT NULL,
    status TEXT NOT NULL,
    finished REAL NOT NULL,
    seconds REAL NOT NULL,
    wheel TEXT,
    sha256 TEXT,
    size INTEGER,
    stages TEXT NOT NULL,
    statistics TEXT,
    run TEXT NOT NULL DEFAULT '',
    memory INTEGER
);
CREATE INDEX IF NOT EXISTS job_by_key ON job (key, status);
CREATE INDEX IF NOT EXISTS job_by_project ON job (project, job_id, status);
"""
_LATER_COLUMNS = ((2, "run TEXT NOT NULL DEFAULT ''"), (3, "memory INTEGER"))
"""What an older file lacks, with the version that brought it."""
_INPUTS_SCHEMA = """
CREATE TABLE IF NOT EXISTS last_inputs (
    project TEXT NOT NULL,
    job_id TEXT NOT NULL,
    setting TEXT NOT NULL,
    source TEXT NOT NULL,
    PRIMARY KEY (project, job_id)
)
"""
"""A table that came later: older versions do without it, so the schema's version stays."""


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """A finished build; finished is in seconds since 1970."""

    wheel: WheelFile
    seconds: float
    finished: float


@dataclass(frozen=True, slots=True)
class PastJob:
    """A job that ended; finished is in seconds since 1970, run is empty for what an older wheelkiln wrote."""

    run: str
    project: str
    version: str
    id: str
    status: str
    finished: float
    seconds: float
    sha256: str = ""
    statistics: CompileStatistics | None = None

    @property
    def variant(self) -> str:
        return self.id.partition("@")[2] or "default"


class Ledger:
    """An SQLite file in the cache directory; several runs may use it at the same time (WAL)."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def find(self, key: str) -> LedgerEntry | None:
        """Return the last good build of a key."""
        with self._connection() as connection:
            row = connection.execute(
                "SELECT wheel, sha256, size, seconds, finished FROM job WHERE key = ? AND status = ? "
                "ORDER BY number DESC LIMIT 1",
                (key, Status.BUILT),
            ).fetchone()
        return LedgerEntry(WheelFile(row[0], row[1], row[2]), row[3], row[4]) if row else None

    def record(self, key: str, project: str, version: str, outcome: Outcome, finished: float, *, run: str = "") -> None:
        """Keep the end of a job; finished is in seconds since 1970, run is the run's id."""
        wheel = outcome.wheel
        statistics = json.dumps(asdict(outcome.statistics)) if outcome.statistics else None
        stages = json.dumps([[stage.stage, stage.seconds] for stage in outcome.stages])
        with self._connection() as connection:
            connection.execute(
                "INSERT INTO job (key, project, version, job_id, status, finished, seconds, wheel, sha256, size, "
                "stages, statistics, run, memory) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    key,
                    project,
                    version,
                    outcome.job.name,
                    outcome.status,
                    finished,
                    outcome.seconds,
                    wheel.name if wheel else None,
                    wheel.sha256 if wheel else None,
                    wheel.size if wheel else None,
                    stages,
                    statistics,
                    run,
                    outcome.memory,
                ),
            )

    def history(self, project: str = "") -> tuple[PastJob, ...]:
        """Return every job that ended, or those of one project, the oldest first."""
        if not self._path.exists():
            return ()
        with self._connection() as connection:
            rows = connection.execute(
                "SELECT run, project, version, job_id, status, finished, seconds, sha256, statistics FROM job "
                "WHERE ? IN (project, '') ORDER BY finished, number",
                (project,),
            ).fetchall()
        return tuple(
            PastJob(run, name, version, job, status, finished, seconds, sha256 or "", _read_statistics(statistics))
            for run, name, version, job, status, finished, seconds, sha256, statistics in rows
        )

    def forget(self, project: str = "", *, before: float | None = None) -> int:
        """Remove the jobs of a project or of all, or those that ended before a time; return how many there were."""
        if not self._path.exists():
            return 0
        with self._connection() as connection:
            return connection.execute(
                "DELETE FROM job WHERE ? IN (project, '') AND (? IS NULL OR finished < ?)", (project, before, before)
            ).rowcount

    def estimates(self, project: str) -> Mapping[str, float]:
        """Return the seconds of each job's last good build."""
        if not self._path.exists():
            return {}
        with self._connection() as connection:
            rows = connection.execute(
                "SELECT job_id, seconds FROM job WHERE project = ? AND status = ? ORDER BY number",
                (project, Status.BUILT),
            ).fetchall()
        return dict(rows)

    def peaks(self, project: str) -> Mapping[str, int]:
        """Return the highest memory, in bytes, of each job's last good builds; what compiled nothing needed little."""
        if not self._path.exists():
            return {}
        with self._connection() as connection:
            rows = connection.execute(
                "SELECT job_id, MAX(memory) FROM (SELECT job_id, memory, ROW_NUMBER() OVER "
                "(PARTITION BY job_id ORDER BY number DESC) AS age FROM job "
                "WHERE project = ? AND status = ? AND memory IS NOT NULL) WHERE age <= ? GROUP BY job_id",
                (project, Status.BUILT, _PEAKS),
            ).fetchall()
        return dict(rows)

    def remember_inputs(self, project: str, job_id: str, inputs: JobInputs) -> None:
        """Keep what a job was last built from by a run that fills the compile cache."""
        with self._connection() as connection:
            connection.execute(_INPUTS_SCHEMA)
            connection.execute(
                "INSERT OR REPLACE INTO last_inputs VALUES (?, ?, ?, ?)",
                (project, job_id, inputs.setting, inputs.source),
            )

    def last_inputs(self, project: str) -> Mapping[str, JobInputs]:
        """Return what each job was last built from."""
        with self._connection() as connection:
            connection.execute(_INPUTS_SCHEMA)
            rows = connection.execute(
                "SELECT job_id, setting, source FROM last_inputs WHERE project = ?", (project,)
            ).fetchall()
        return {job_id: JobInputs(setting, source) for job_id, setting, source in rows}

    @contextlib.contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        """Open, prepare and close: a run holds no lock between its few statements."""
        import sqlite3

        make_directory(self._path.parent, setting="[tool.wheelkiln.cache] dir")
        try:
            with contextlib.closing(sqlite3.connect(self._path, timeout=30)) as connection, connection:
                connection.execute("PRAGMA journal_mode = WAL")
                self._prepare(connection)
                yield connection
        except sqlite3.DatabaseError as error:
            raise EnvironmentProblem(
                f"the ledger {self._path} cannot be used: {error}",
                hint="Is its disk full? When the file is damaged, move it away: only the memory of past builds is "
                "lost, no wheel.",
            ) from error

    def _prepare(self, connection: sqlite3.Connection) -> None:
        version = _version_of(connection)
        if version < _SCHEMA_VERSION:
            connection.execute("BEGIN IMMEDIATE")  # of several runs that find an old ledger one renews it
            found = _version_of(connection)
            for since, column in _LATER_COLUMNS:
                if 0 < found < since:
                    connection.execute(f"ALTER TABLE job ADD COLUMN {column}")
            for statement in _SCHEMA.split(";"):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {_SCHEMA_VERSION}")
            connection.commit()
        elif version > _SCHEMA_VERSION:
            raise EnvironmentProblem(
                f"the ledger {self._path} was written by a newer wheelkiln",
                hint="Upgrade wheelkiln, or choose another place with [tool.wheelkiln.cache] dir.",
            )


def _version_of(connection: sqlite3.Connection) -> int:
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    return version


def _read_statistics(text: str | None) -> CompileStatistics | None:
    """Read what a job's statistics were; fields of a newer wheelkiln are left out."""
    if not text:
        return None
    known = {field.name for field in fields(CompileStatistics)}
    values = {name: value for name, value in json.loads(text).items() if name in known}
    reasons = tuple((str(reason), int(count)) for reason, count in values.pop("uncacheable", ()))
    return CompileStatistics(**values, uncacheable=reasons)


def ledger_of(cache_root: Path) -> Ledger:
    """Return the ledger of a cache directory."""
    return Ledger(cache_root / "ledger.sqlite")
