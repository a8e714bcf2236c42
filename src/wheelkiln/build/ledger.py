"""The ledger: what was built from exactly what, so that a second run builds only what is missing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from wheelkiln.build.ledger_file import LedgerFile
from wheelkiln.build.outcome import Outcome, Status, WheelFile
from wheelkiln.build.request import JobInputs
from wheelkiln.cache.statistics import CompileStatistics
from wheelkiln.plan.emulation import TimedBuild

__all__ = ["Ledger", "LedgerEntry", "PastJob", "ledger_of"]

_TIMED = 1000
"""Builds that are looked at for what emulation costs."""
_PEAKS = 5
"""Builds of a job of which the highest peak counts: one that found everything in the cache says little."""


_PLACES_SCHEMA = """
CREATE TABLE IF NOT EXISTS place (
    run TEXT NOT NULL,
    project TEXT NOT NULL,
    job_id TEXT NOT NULL,
    host TEXT NOT NULL,
    emulated INTEGER NOT NULL,
    PRIMARY KEY (run, project, job_id)
)
"""
"""Another one: where jobs ran that did not run here, natively."""


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
        self._file = LedgerFile(path)

    def find(self, key: str) -> LedgerEntry | None:
        """Return the last good build of a key."""
        with self._file.connection() as connection:
            row = connection.execute(
                "SELECT wheel, sha256, size, seconds, finished FROM job WHERE key = ? AND status = ? "
                "ORDER BY number DESC LIMIT 1",
                (key, Status.BUILT),
            ).fetchone()
        return LedgerEntry(WheelFile(row[0], row[1], row[2]), row[3], row[4]) if row else None

    def record(self, key: str, project: str, version: str, outcome: Outcome, finished: float, *, run: str = "") -> None:
        """Keep the end of a job; finished is in seconds since 1970, run is the run's id.

        What a run records again replaces what it had recorded of that key.
        """
        wheel = outcome.wheel
        statistics = json.dumps(asdict(outcome.statistics)) if outcome.statistics else None
        stages = json.dumps([[stage.stage, stage.seconds] for stage in outcome.stages])
        with self._file.connection() as connection:
            connection.execute(
                "DELETE FROM job WHERE key = ? AND run = ? AND project = ? AND run != ''", (key, run, project)
            )
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
            if outcome.host or outcome.emulated:
                connection.execute(_PLACES_SCHEMA)
                connection.execute(
                    "INSERT OR REPLACE INTO place VALUES (?, ?, ?, ?, ?)",
                    (run, project, outcome.job.name, outcome.host, outcome.emulated),
                )

    def timed_builds(self) -> tuple[TimedBuild, ...]:
        """Return the builds on this machine that found nothing in the compile cache."""
        if not self._file.exists():
            return ()
        with self._file.connection() as connection:
            connection.execute(_PLACES_SCHEMA)
            rows = connection.execute(
                "SELECT job.project, version, job.job_id, seconds, statistics, COALESCE(emulated, 0) FROM job "
                "LEFT JOIN place USING (run, project, job_id) "
                "WHERE status = ? AND statistics IS NOT NULL AND COALESCE(host, '') = '' ORDER BY number DESC LIMIT ?",
                (Status.BUILT, _TIMED),
            ).fetchall()
        found = []
        for project, version, name, seconds, text, emulated in rows:
            statistics, (platform, arch) = _read_statistics(text), _split_name(name)
            if statistics and statistics.misses and not statistics.hits:
                found.append(TimedBuild(f"{project} {version} {platform}", arch, seconds, bool(emulated)))
        return tuple(found)

    def history(self, project: str = "") -> tuple[PastJob, ...]:
        """Return every job that ended, or those of one project, the oldest first."""
        if not self._file.exists():
            return ()
        with self._file.connection() as connection:
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
        if not self._file.exists():
            return 0
        with self._file.connection() as connection:
            if before is None:
                connection.execute("DELETE FROM attempt WHERE ? IN (project, '')", (project,))
                connection.execute("DELETE FROM run WHERE id NOT IN (SELECT run FROM attempt)")
            return connection.execute(
                "DELETE FROM job WHERE ? IN (project, '') AND (? IS NULL OR finished < ?)", (project, before, before)
            ).rowcount

    def estimates(self, project: str) -> Mapping[str, float]:
        """Return the seconds of each job's last good build."""
        if not self._file.exists():
            return {}
        with self._file.connection() as connection:
            rows = connection.execute(
                "SELECT job_id, seconds FROM job WHERE project = ? AND status = ? AND seconds > 0 ORDER BY number",
                (project, Status.BUILT),
            ).fetchall()
        return dict(rows)

    def peaks(self, project: str) -> Mapping[str, int]:
        """Return the highest memory, in bytes, of each job's last good builds; what compiled nothing needed little."""
        if not self._file.exists():
            return {}
        with self._file.connection() as connection:
            rows = connection.execute(
                "SELECT job_id, MAX(memory) FROM (SELECT job_id, memory, ROW_NUMBER() OVER "
                "(PARTITION BY job_id ORDER BY number DESC) AS age FROM job "
                "WHERE project = ? AND status = ? AND memory IS NOT NULL) WHERE age <= ? GROUP BY job_id",
                (project, Status.BUILT, _PEAKS),
            ).fetchall()
        return dict(rows)

    def remember_inputs(self, project: str, job_id: str, inputs: JobInputs) -> None:
        """Keep what a job was last built from by a run that fills the compile cache."""
        with self._file.connection() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO last_inputs VALUES (?, ?, ?, ?)",
                (project, job_id, inputs.setting, inputs.source),
            )

    def last_inputs(self, project: str) -> Mapping[str, JobInputs]:
        """Return what each job was last built from."""
        with self._file.connection() as connection:
            rows = connection.execute(
                "SELECT job_id, setting, source FROM last_inputs WHERE project = ?", (project,)
            ).fetchall()
        return {job_id: JobInputs(setting, source) for job_id, setting, source in rows}


def _split_name(name: str) -> tuple[str, str]:
    """Split a job's name into what is the same for all architectures, and the architecture."""
    identifier, _, variant = name.partition("@")
    platform, _, arch = identifier.partition("_")
    return f"{platform}@{variant}", arch


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
