"""The ledger: what was built from exactly what, so that a second run builds only what is missing."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from wheelkiln.build.outcome import Outcome, Status, WheelFile
from wheelkiln.errors import EnvironmentProblem
from wheelkiln.system.files import make_directory

if TYPE_CHECKING:
    import sqlite3

__all__ = ["Ledger", "LedgerEntry", "ledger_of"]

_SCHEMA_VERSION = 1
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
    statistics TEXT
);
CREATE INDEX IF NOT EXISTS job_by_key ON job (key, status);
CREATE INDEX IF NOT EXISTS job_by_project ON job (project, job_id, status);
"""


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """A finished build; finished is in seconds since 1970."""

    wheel: WheelFile
    seconds: float
    finished: float


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

    def record(self, key: str, project: str, version: str, outcome: Outcome, finished: float) -> None:
        """Keep the end of a job; finished is in seconds since 1970."""
        wheel = outcome.wheel
        statistics = json.dumps(asdict(outcome.statistics)) if outcome.statistics else None
        stages = json.dumps([[stage.stage, stage.seconds] for stage in outcome.stages])
        with self._connection() as connection:
            connection.execute(
                "INSERT INTO job (key, project, version, job_id, status, finished, seconds, wheel, sha256, size, "
                "stages, statistics) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    key,
                    project,
                    version,
                    outcome.job.id,
                    outcome.status,
                    finished,
                    outcome.seconds,
                    wheel.name if wheel else None,
                    wheel.sha256 if wheel else None,
                    wheel.size if wheel else None,
                    stages,
                    statistics,
                ),
            )

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
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version == 0:
            connection.executescript(_SCHEMA)
            connection.execute(f"PRAGMA user_version = {_SCHEMA_VERSION}")
        elif version > _SCHEMA_VERSION:
            raise EnvironmentProblem(
                f"the ledger {self._path} was written by a newer wheelkiln",
                hint="Upgrade wheelkiln, or choose another place with [tool.wheelkiln.cache] dir.",
            )


def ledger_of(cache_root: Path) -> Ledger:
    """Return the ledger of a cache directory."""
    return Ledger(cache_root / "ledger.sqlite")
