from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.values import make_job
from wheelkiln.build.journal import Journal
from wheelkiln.build.ledger import ledger_of
from wheelkiln.build.ledger_file import MIGRATIONS, LedgerFile, migrate
from wheelkiln.build.outcome import Outcome, Status, WheelFile
from wheelkiln.build.request import JobInputs

_FIRST = """
CREATE TABLE job (
    number INTEGER PRIMARY KEY, key TEXT NOT NULL, project TEXT NOT NULL, version TEXT NOT NULL, job_id TEXT NOT NULL,
    status TEXT NOT NULL, finished REAL NOT NULL, seconds REAL NOT NULL, wheel TEXT, sha256 TEXT, size INTEGER,
    stages TEXT NOT NULL, statistics TEXT
);
CREATE INDEX job_by_key ON job (key, status);
CREATE INDEX job_by_project ON job (project, job_id, status);
INSERT INTO job VALUES (1, 'key', 'kern', '1.2', 'cp312-x', 'built', 5.0, 4.0, 'k.whl', 'aa', 9, '[]', NULL);
PRAGMA user_version = 1;
"""
"""What the first format's files are, as they were written then."""
_SECOND = """
ALTER TABLE job ADD COLUMN run TEXT NOT NULL DEFAULT '';
UPDATE job SET run = 'r1';
PRAGMA user_version = 2;
"""
_THIRD = """
ALTER TABLE job ADD COLUMN memory INTEGER;
UPDATE job SET memory = 7;
PRAGMA user_version = 3;
"""
_WITH_INPUTS = """
CREATE TABLE last_inputs (
    project TEXT NOT NULL, job_id TEXT NOT NULL, setting TEXT NOT NULL, source TEXT NOT NULL,
    PRIMARY KEY (project, job_id)
);
INSERT INTO last_inputs VALUES ('kern', 'cp312-x', 's', '1');
"""


def _write(root: Path, *scripts: str) -> Path:
    root.mkdir(exist_ok=True)
    with closing(sqlite3.connect(root / "ledger.sqlite")) as connection, connection:
        for script in scripts:
            connection.executescript(script)
    return root


def _schema(path: Path) -> set[tuple[str, str]]:
    """The names of all tables and indexes, with their columns."""
    with closing(sqlite3.connect(path)) as connection:
        found = set()
        for name, kind in connection.execute("SELECT name, type FROM sqlite_master").fetchall():
            columns = sorted(row[1] for row in connection.execute(f"PRAGMA table_info('{name}')"))
            found.add((name, f"{kind} {columns}"))
        return found


@pytest.mark.parametrize(
    "scripts",
    [(_FIRST,), (_FIRST, _SECOND), (_FIRST, _SECOND, _WITH_INPUTS), (_FIRST, _SECOND, _THIRD, _WITH_INPUTS)],
    ids=["1", "2", "2-inputs", "3-inputs"],
)
def test_an_older_file_becomes_what_a_new_one_is_and_loses_nothing(tmp_path: Path, scripts: tuple[str, ...]) -> None:
    old, new = _write(tmp_path / "old", *scripts), tmp_path / "new"
    ledger = ledger_of(old)
    (job,) = ledger.history()
    assert (job.project, job.id, job.run) == ("kern", "cp312-x", "r1" if len(scripts) > 1 else "")
    found = ledger.find("key")
    assert found is not None
    assert found.wheel == WheelFile("k.whl", "aa", 9)
    assert dict(ledger.last_inputs("kern")) == ({"cp312-x": JobInputs("s", "1")} if _WITH_INPUTS in scripts else {})
    assert dict(ledger.peaks("kern")) == ({"cp312-x": 7} if _THIRD in scripts else {})
    ledger_of(new).record("k", "kern", "1", Outcome(make_job(), Status.FAILED), 1.0)
    assert _schema(old / "ledger.sqlite") == _schema(new / "ledger.sqlite")
    Journal(old).begin("r2", "build", tmp_path, [(make_job(project="kern", version="1.2"), tmp_path)], 6.0)
    assert [run.id for run in Journal(old).runs()] == ["r2"]


@pytest.mark.parametrize("version", range(len(MIGRATIONS)))
def test_every_format_leads_to_the_newest(tmp_path: Path, version: int) -> None:
    path = tmp_path / "ledger.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        assert migrate(connection, MIGRATIONS[:version]) == version
        assert migrate(connection) == len(MIGRATIONS)
        assert connection.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS),)
    with closing(sqlite3.connect(tmp_path / "new.sqlite")) as connection:
        migrate(connection)
    assert _schema(path) == _schema(tmp_path / "new.sqlite")


def test_a_step_that_fails_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        migrate(connection)
        before = _schema(path)
        with pytest.raises(sqlite3.OperationalError, match="syntax"):
            migrate(connection, (*MIGRATIONS, ("CREATE TABLE more (x)", "this is no statement")))
        assert connection.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS),)
    assert _schema(path) == before


def test_it_is_written_ahead(tmp_path: Path) -> None:
    with LedgerFile(tmp_path / "ledger.sqlite").connection() as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
