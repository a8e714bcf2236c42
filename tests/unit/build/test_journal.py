from __future__ import annotations

from pathlib import Path

import pytest

from tests.values import make_job
from wheelkiln.build.journal import Journal, RunState, recording
from wheelkiln.build.ledger import ledger_of
from wheelkiln.build.ledger_file import LedgerFile
from wheelkiln.build.outcome import Event, JobEnded, JobStarted, Outcome, Status
from wheelkiln.cache.presence import run_lock
from wheelkiln.errors import EnvironmentProblem
from wheelkiln.system.locks import exclusive

_JOBS = [make_job(f"cp31{number}-manylinux_x86_64", project="kern", version="1.2") for number in (1, 2, 3)]
_MEANT = [(job, Path("/k")) for job in _JOBS]


def _events(*events: Event, root: Path, run: str = "r1", output: str = "/out") -> None:
    """Record a run that ends by itself after these events."""
    with recording(Journal(root), run, command="wheelkiln build", output=Path(output), jobs=_MEANT) as record:
        emit = record.listening(lambda _: None)
        for event in events:
            emit(event)


def test_a_run_is_told_with_what_became_of_its_jobs(tmp_path: Path) -> None:
    _events(
        JobStarted(_JOBS[0]),
        JobEnded(Outcome(_JOBS[0], Status.BUILT, seconds=2.0)),
        JobEnded(Outcome(_JOBS[1], Status.REUSED)),
        JobEnded(Outcome(_JOBS[2], Status.FAILED, seconds=1.0, message="no header")),
        root=tmp_path,
    )
    (run,) = Journal(tmp_path).runs()
    assert (run.id, run.state, run.command, run.output) == ("r1", RunState.FAILED, "wheelkiln build", "/out")
    assert run.ended is not None
    assert [(it.job_id, it.state, it.seconds, it.message) for it in run.attempts] == [
        ("cp311-manylinux_x86_64", "built", 2.0, ""),
        ("cp312-manylinux_x86_64", "reused", 0.0, ""),
        ("cp313-manylinux_x86_64", "failed", 1.0, "no header"),
    ]


def test_events_are_passed_on(tmp_path: Path) -> None:
    seen: list[Event] = []
    with recording(None, "r", command="", output=tmp_path, jobs=_MEANT) as record:
        record.listening(seen.append)(JobStarted(_JOBS[0]))
    assert seen == [JobStarted(_JOBS[0])]
    assert list(tmp_path.iterdir()) == [], "without a journal nothing is written"


@pytest.mark.parametrize(
    ("error", "state", "message"),
    [
        (KeyboardInterrupt(), RunState.INTERRUPTED, "KeyboardInterrupt"),
        (EnvironmentProblem("docker stopped answering"), RunState.STOPPED, "docker stopped answering"),
    ],
)
def test_a_run_that_is_ended_says_by_what(tmp_path: Path, error: BaseException, state: RunState, message: str) -> None:
    def run() -> None:
        with recording(Journal(tmp_path), "r1", command="", output=Path("/out"), jobs=_MEANT) as record:
            record.listening(lambda _: None)(JobEnded(Outcome(_JOBS[0], Status.REUSED)))
            raise error

    with pytest.raises(type(error)):
        run()
    (past,) = Journal(tmp_path).runs()
    assert (past.state, past.message) == (state, message)
    assert [it.state for it in past.attempts] == ["reused", "planned", "planned"]


def test_a_run_that_is_not_alive_and_has_no_end_died(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.begin("r1", "", Path("/out"), _MEANT, 1.0)
    (tmp_path / "runs/r1").mkdir(parents=True)
    with exclusive(tmp_path / "locks", run_lock("r1"), on_wait=lambda: None):
        assert [run.state for run in journal.runs()] == [RunState.RUNNING]
    assert [run.state for run in journal.runs()] == [RunState.DIED]


def test_what_last_became_of_each_job(tmp_path: Path) -> None:
    assert Journal(tmp_path).last_states("kern", "1.2", Path("/out")) == {}
    _events(
        *(JobEnded(Outcome(job, Status.FAILED, seconds=1.0)) for job in _JOBS[:2]),
        JobEnded(Outcome(_JOBS[2], Status.BUILT, seconds=1.0)),
        root=tmp_path,
    )
    _events(*(JobEnded(Outcome(job, Status.BUILT, seconds=1.0)) for job in _JOBS), root=tmp_path, run="r2", output="/b")
    journal = Journal(tmp_path)
    with recording(journal, "r3", command="", output=Path("/out"), jobs=_MEANT[:1]) as record:
        record.listening(lambda _: None)(JobEnded(Outcome(_JOBS[0], Status.BUILT, seconds=1.0)))
    expected = zip([job.id for job in _JOBS], ["built", "failed", "built"], strict=True)
    assert journal.last_states("kern", "1.2", Path("/out")) == dict(expected)
    assert journal.last_states("kern", "1.3", Path("/out")) == {}


def test_runs_of_one_project_the_newest_first(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.begin("r1", "", Path("/out"), _MEANT[:1], 1.0)
    journal.begin("r2", "", Path("/out"), [(make_job(project="other", version="3"), Path("/o"))], 2.0)
    journal.begin(
        "r3", "", Path("/out"), [*_MEANT[:1], (make_job("cp312-musllinux_x86_64", project="other"), Path("/o"))], 3.0
    )
    assert [run.id for run in journal.runs()] == ["r3", "r2", "r1"]
    assert [(run.id, len(run.attempts)) for run in journal.runs("kern")] == [("r3", 1), ("r1", 1)]
    assert [run.id for run in journal.runs("other", "3")] == ["r2"]
    assert [(run.id, len(run.attempts)) for run in journal.runs(directory="/o")] == [("r3", 1), ("r2", 1)]


def test_the_history_forgets_runs_of_projects_that_are_forgotten(tmp_path: Path) -> None:
    _events(root=tmp_path)
    Journal(tmp_path).begin("r2", "", Path("/out"), [(make_job(project="other"), Path("/o"))], 2.0)
    ledger_of(tmp_path).forget("kern")
    assert [run.id for run in Journal(tmp_path).runs()] == ["r2"]
    ledger_of(tmp_path).forget()
    assert Journal(tmp_path).runs() == ()


def test_only_the_newest_thousand_runs_are_remembered(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    with LedgerFile(tmp_path / "ledger.sqlite").connection() as connection:
        connection.executemany(
            "INSERT INTO run (id, started, state, command, output) VALUES (?, ?, 'done', '', '')",
            [(f"r{number}", float(number)) for number in range(1000)],
        )
        connection.execute(
            "INSERT INTO attempt (run, project, version, job_id, state, changed, directory) "
            "VALUES ('r0', 'kern', '1.2', 'x', 'built', 0, '/k')"
        )
    journal.begin("new", "", Path("/out"), _MEANT[:1], 5000.0)
    assert len(journal.runs()) == 1000
    assert [run.id for run in journal.runs("kern")] == ["new"]
