from __future__ import annotations

import os
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.values import make_job
from wheelkiln.build.cores import Cores
from wheelkiln.build.crew import run_jobs
from wheelkiln.build.outcome import Outcome, Status
from wheelkiln.build.schedule import Need, Parallelism, Schedule
from wheelkiln.plan.model import Job
from wheelkiln.system.jobserver import FIFO_NAME, serving

_JOBS = tuple(make_job(f"cp31{number}-manylinux_x86_64") for number in range(6))


@dataclass
class FakeWork:
    """Work that counts how many jobs run at a time; skipped jobs need none, broken ones raise."""

    skipped: frozenset[str] = frozenset()
    broken: frozenset[str] = frozenset()
    during: Callable[[Job], None] = field(default=lambda _: None)
    cores: dict[str, Cores] = field(default_factory=dict)
    most: int = 0
    stopped: bool = False
    _running: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def skip(self, job: Job) -> Outcome | None:
        return Outcome(job, Status.REUSED) if job.id in self.skipped else None

    def prepare(self, job: Job, cores: Cores) -> Callable[[], Job]:
        self.cores[job.id] = cores
        return lambda: self._work(job)

    def finish(self, result: Job) -> Outcome:
        return Outcome(result, Status.BUILT)

    def stop(self) -> None:
        self.stopped = True

    def _work(self, job: Job) -> Job:
        with self._lock:
            self._running += 1
            self.most = max(self.most, self._running)
        self.during(job)
        with self._lock:
            self._running -= 1
        if job.id in self.broken:
            raise RuntimeError(job.id)
        return job


def _run(tmp_path: Path, work: FakeWork, schedule: Schedule) -> dict[str, Outcome]:
    with serving(tmp_path / "jobserver", schedule.budget) as server:
        ended = run_jobs(schedule.jobs, schedule, server, work)
        assert server.available == schedule.budget
    return ended


def test_every_job_ends_and_never_more_run_than_there_are_cores(tmp_path: Path) -> None:
    barrier = threading.Barrier(2, timeout=10)

    def meet(_: Job) -> None:
        barrier.wait()

    work = FakeWork(during=meet)
    ended = _run(tmp_path, work, Schedule(_JOBS, 2))
    assert sorted(ended) == [job.id for job in _JOBS]
    assert work.most == 2


def test_one_at_a_time(tmp_path: Path) -> None:
    work = FakeWork()
    assert list(_run(tmp_path, work, Schedule(_JOBS, 4, limit=1))) == [job.id for job in _JOBS]
    assert work.most == 1
    assert set(work.cores.values()) == {Cores()}, "a job that is alone is told nothing"


def test_what_needs_no_work_takes_no_cores(tmp_path: Path) -> None:
    work = FakeWork(skipped=frozenset(job.id for job in _JOBS[1:]))
    ended = _run(tmp_path, work, Schedule(_JOBS, 2))
    assert [outcome.status for outcome in ended.values()].count(Status.REUSED) == 5
    assert list(work.cores) == [_JOBS[0].id]


def test_who_asks_for_cores_is_told_of_the_jobserver_and_others_a_number(tmp_path: Path) -> None:
    needs = {job.id: Need(Parallelism.SERVED if job is _JOBS[0] else Parallelism.SERIAL, kind=job.id) for job in _JOBS}
    work = FakeWork()
    _run(tmp_path, work, Schedule(_JOBS, 12, needs=needs))
    assert work.cores[_JOBS[0].id] == Cores(jobserver=tmp_path / "jobserver", budget=12)
    assert work.cores[_JOBS[1].id].count == 2


def test_a_job_waits_for_cores_that_running_jobs_have_taken(tmp_path: Path) -> None:
    """The first job takes the last core, as ninja does, and gives it back when there has been time for the third."""
    order: list[str] = []
    ready, given = threading.Event(), threading.Event()

    def during(job: Job) -> None:
        if job is _JOBS[0]:
            client = os.open(tmp_path / "jobserver" / FIFO_NAME, os.O_RDWR | os.O_NONBLOCK)
            taken = os.read(client, 9)
            ready.set()
            given.wait(0.3)
            order.append("given back")
            os.write(client, taken)
            os.close(client)
        if job is _JOBS[1]:
            given.wait(2)
        if job is _JOBS[2]:
            given.set()
        order.append(job.python)

    class Slow(FakeWork):
        def prepare(self, job: Job, cores: Cores) -> Callable[[], Job]:
            assert job is not _JOBS[1] or ready.wait(10)
            return super().prepare(job, cores)

    assert len(_run(tmp_path, Slow(during=during), Schedule(_JOBS[:3], 3))) == 3
    assert order[0] == "given back", "the third did not start before"
    assert sorted(order[1:]) == ["cp310", "cp311", "cp312"]


def test_an_error_stops_what_runs(tmp_path: Path) -> None:
    work = FakeWork(broken=frozenset({_JOBS[0].id}))
    with pytest.raises(RuntimeError, match="cp310"), serving(tmp_path / "jobserver", 2) as server:
        run_jobs(_JOBS, Schedule(_JOBS, 2), server, work)
    assert work.stopped


def test_tokens_that_were_lost_come_back(tmp_path: Path) -> None:
    def during(job: Job) -> None:
        if job is _JOBS[0]:
            client = os.open(tmp_path / "jobserver" / FIFO_NAME, os.O_RDWR | os.O_NONBLOCK)
            os.read(client, 3)
            os.close(client)

    schedule = Schedule(_JOBS, 4, covering={job.id: _JOBS[0].id for job in _JOBS[1:]})
    assert len(_run(tmp_path, FakeWork(during=during), schedule)) == 6
