from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tests.values import make_job
from wheelkiln.build.journal import Journal, recording
from wheelkiln.build.outcome import JobEnded, Outcome, Status
from wheelkiln.cache.presence import run_lock
from wheelkiln.cli.history import command
from wheelkiln.errors import NothingSelectedError
from wheelkiln.system.locks import exclusive

_CP311, _CP312 = "cp311-manylinux_x86_64", "cp312-manylinux_x86_64"


def _record(root: Path, run: str, project: str = "kern", version: str = "1.2", **statuses: Status) -> None:
    jobs = [make_job(f"{python}-manylinux_x86_64", project=project, version=version) for python in statuses]
    with recording(
        Journal(root),
        run,
        command="wheelkiln build",
        output=Path("/out"),
        jobs=[(job, root.parent / project) for job in jobs],
    ) as record:
        emit = record.listening(lambda _: None)
        for job, status in zip(jobs, statuses.values(), strict=True):
            emit(JobEnded(Outcome(job, status, seconds=1.0)))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    cache = tmp_path / "cache"
    _record(cache, "r1", cp311=Status.BUILT, cp312=Status.FAILED)
    _record(cache, "r2", cp311=Status.REUSED, cp312=Status.BUILT)
    _record(cache, "r3", project="other", version="3", cp312=Status.FAILED)
    log = cache / "runs/r1" / _CP312 / "build.log"
    log.parent.mkdir(parents=True)
    log.touch()
    return cache


def _show(root: Path, *arguments: str) -> Result:
    given = [*arguments, "--cache-dir", str(root)]
    return CliRunner().invoke(command, given, catch_exceptions=False, standalone_mode=False)


def _runs(root: Path, *arguments: str) -> dict[str, list[str]]:
    told = json.loads(_show(root, *arguments, "--format", "json").stdout)
    return {run["id"]: [job["job"] for job in run["jobs"]] for run in told["runs"]}


@pytest.mark.parametrize(
    ("arguments", "runs"),
    [
        ((), {"r3": [_CP312], "r2": [_CP311, _CP312], "r1": [_CP311, _CP312]}),
        (("--limit", "1"), {"r3": [_CP312]}),
        (("Kern",), {"r2": [_CP311, _CP312], "r1": [_CP311, _CP312]}),
        (("other==3",), {"r3": [_CP312]}),
        (("--failed",), {"r3": [_CP312], "r1": [_CP312]}),
        (("kern", "--job", "cp311-*"), {"r2": [_CP311], "r1": [_CP311]}),
    ],
)
def test_what_is_asked_for_is_shown_newest_first(
    root: Path, arguments: tuple[str, ...], runs: dict[str, list[str]]
) -> None:
    assert _runs(root, *arguments) == runs
    assert list(_runs(root, *arguments)) == list(runs)


def test_a_directory_stands_for_what_was_built_of_it(root: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    assert list(_runs(root, str(tmp_path / "other"))) == ["r3"]
    with pytest.raises(NothingSelectedError):
        _show(root, str(tmp_path))


def test_the_log_of_a_job_is_named_while_it_is_there(root: Path) -> None:
    shown = json.loads(_show(root, "kern", "--failed", "--format", "json").stdout)
    assert shown["runs"][0]["jobs"][0]["log"] == str(root / "runs/r1" / _CP312 / "build.log")
    assert "build.log" in _show(root, "kern", "--failed").stdout
    assert "build.log" not in _show(root, "other", "--failed").stdout


def test_jobs_are_listed_when_they_are_asked_for(root: Path) -> None:
    assert _CP311 not in _show(root, "kern").stdout
    assert "1 built, 1 failed" in _show(root, "kern").stdout
    assert _show(root, "kern", "--job", _CP311).stdout.count(_CP311) >= 2


def test_nothing_is_known(root: Path, tmp_path: Path) -> None:
    with pytest.raises(NothingSelectedError, match="no run of unknown is known"):
        _show(root, "unknown")
    assert _show(tmp_path / "none").stdout.startswith("no runs are known in ")
    assert not (tmp_path / "none").exists()


def test_a_run_that_goes_on_has_not_failed(root: Path) -> None:
    Journal(root).begin("r4", "", Path("/out"), [(make_job(project="kern", version="1.2"), root)], 9e9)
    assert list(_runs(root, "--failed", "--limit", "1")) == ["r4"], "it died"
    (root / "runs/r4").mkdir(parents=True)
    with exclusive(root / "locks", run_lock("r4"), on_wait=lambda: None):
        assert list(_runs(root, "--failed", "--limit", "1")) == ["r3"]
