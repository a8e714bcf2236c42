"""The ledger's file: SQLite with a log for writing ahead, and the steps that bring an old one up to date."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from wheelkiln.errors import EnvironmentProblem
from wheelkiln.system.files import make_directory

if TYPE_CHECKING:
    import sqlite3

__all__ = ["MIGRATIONS", "LedgerFile", "migrate"]

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        """CREATE TABLE job (
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
        )""",
        "CREATE INDEX job_by_key ON job (key, status)",
        "CREATE INDEX job_by_project ON job (project, job_id, status)",
    ),
    ("ALTER TABLE job ADD COLUMN run TEXT NOT NULL DEFAULT ''",),
    ("ALTER TABLE job ADD COLUMN memory INTEGER",),
    (
        # Older files may have this table already: it was made when it was first needed.
        """CREATE TABLE IF NOT EXISTS last_inputs (
            project TEXT NOT NULL,
            job_id TEXT NOT NULL,
            setting TEXT NOT NULL,
            source TEXT NOT NULL,
            PRIMARY KEY (project, job_id)
        )""",
        """CREATE TABLE run (
            id TEXT PRIMARY KEY,
            started REAL NOT NULL,
            ended REAL,
            state TEXT NOT NULL,
            message TEXT NOT NULL DEFAULT '',
            command TEXT NOT NULL,
            output TEXT NOT NULL
        )""",
        """CREATE TABLE attempt (
            run TEXT NOT NULL,
            project TEXT NOT NULL,
            version TEXT NOT NULL,
            job_id TEXT NOT NULL,
            state TEXT NOT NULL,
            changed REAL NOT NULL,
            seconds REAL NOT NULL DEFAULT 0,
            message TEXT NOT NULL DEFAULT '',
            directory TEXT NOT NULL,
            PRIMARY KEY (run, job_id)
        )""",
        "CREATE INDEX attempt_by_project ON attempt (project, version)",
    ),
)
"""Statements that lead from each format to the next: the first make an empty file's first format. A new format is one
more entry at the end; entries that were once released are never changed."""


@dataclass(frozen=True, slots=True)
class LedgerFile:
    """An SQLite file in the cache directory; several runs may use it at the same time."""

    path: Path

    def exists(self) -> bool:
        return self.path.exists()

    @contextlib.contextmanager
    def connection(self) -> Iterator[sqlite3.Connection]:
        """Open, bring up to date, and close: a run holds no lock between its few statements.

        What is executed inside is one transaction. Raise EnvironmentProblem for a damaged file, a full disk, or a
        file that a newer wheelkiln wrote.
        """
        import sqlite3

        make_directory(self.path.parent, setting="[tool.wheelkiln.cache] dir")
        try:
            with contextlib.closing(sqlite3.connect(self.path, timeout=30)) as connection, connection:
                connection.execute("PRAGMA journal_mode = WAL")
                if migrate(connection) > len(MIGRATIONS):
                    raise EnvironmentProblem(
                        f"the ledger {self.path} was written by a newer wheelkiln",
                        hint="Upgrade wheelkiln, or choose another place with [tool.wheelkiln.cache] dir.",
                    )
                yield connection
        except sqlite3.DatabaseError as error:
            raise EnvironmentProblem(
                f"the ledger {self.path} cannot be used: {error}",
                hint="Is its disk full? When the file is damaged, move it away: only the memory of past builds is "
                "lost, no wheel.",
            ) from error


def migrate(connection: sqlite3.Connection, migrations: Sequence[Sequence[str]] = MIGRATIONS) -> int:
    """Bring a file to the newest format, all steps or none, and return the format that it has then."""
    version = _format_of(connection)
    if version >= len(migrations):
        return version
    connection.execute("BEGIN IMMEDIATE")  # of several runs that find an old file one brings it up to date
    try:
        for step in migrations[_format_of(connection) :]:
            for statement in step:
                connection.execute(statement)
        version = max(_format_of(connection), len(migrations))
        connection.execute(f"PRAGMA user_version = {version}")
    except BaseException:
        connection.rollback()
        raise
    connection.commit()
    return version


def _format_of(connection: sqlite3.Connection) -> int:
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    return version
