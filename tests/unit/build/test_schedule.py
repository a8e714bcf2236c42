from __future__ import annotations

from typing import Any

from tests.values import make_job
from wheelkiln.build.outcome import Outcome, Status
from wheelkiln.build.schedule import Schedule
from wheelkiln.cache.statistics import CompileStatistics
from wheelkiln.plan.model import Job

_JOBS = tuple(make_job(f"{tag}-manylinux_x86_64") for tag in ("cp310", "cp311", "cp312", "cp313"))
_ARM = make_job("cp310-manylinux_aarch64")
_HOT, _COLD = CompileStatistics(hits=31, misses=1), CompileStatistics(hits=0, misses=32)


def _schedule(**changes: Any) -> Schedule:
    return Schedule(**{"jobs": (*_JOBS, _ARM), "cpus": 2, **changes})


def _ended(*jobs: Job, statistics: CompileStatistics | None = _COLD) -> dict[str, Outcome]:
    return {job.id: Outcome(job, Status.BUILT, statistics=statistics) for job in jobs}


def _may_start(schedule: Schedule, *running: Job, ended: dict[str, Outcome] | None = None) -> list[str]:
    ids = {job.id for job in running}
    waiting = [job for job in schedule.jobs if job.id not in {*ids, *(ended or {})}]
    return [job.python for job in waiting if schedule.may_start(job, ids, ended or {})]


def test_at_the_beginning_the_first_of_each_kind_may_start() -> None:
    assert _may_start(_schedule()) == ["cp310", "cp310"]


def test_what_compiles_runs_alone() -> None:
    assert _may_start(_schedule(), _JOBS[0]) == []
    assert _may_start(_schedule(), ended=_ended(_JOBS[0])) == ["cp311", "cp312", "cp313", "cp310"]
    assert _may_start(_schedule(), _JOBS[1], ended=_ended(_JOBS[0])) == []


def test_what_was_built_before_runs_side_by_side_up_to_the_number_of_cores() -> None:
    schedule = _schedule(warm=[job.id for job in _JOBS])
    assert _may_start(schedule, _JOBS[0]) == ["cp311", "cp312", "cp313"]
    assert _may_start(schedule, _JOBS[0], _JOBS[1]) == []


def test_a_seed_that_found_everything_lets_the_others_run_side_by_side() -> None:
    ended = _ended(_JOBS[0], statistics=_HOT)
    assert _may_start(_schedule(), _JOBS[1], ended=ended) == ["cp312", "cp313"]


def test_where_flags_differ_there_are_two_seeds() -> None:
    schedule = _schedule(apart={job.id for job in _JOBS}, cpus=4)
    ended = _ended(_JOBS[0], statistics=_COLD) | _ended(_JOBS[1], statistics=_HOT)
    assert _may_start(schedule, ended=ended) == ["cp312", "cp310"]
    assert _may_start(schedule, _JOBS[2], ended=ended) == [], "cp313 waits for what cp312 compiles"
    ended |= _ended(_JOBS[2], statistics=_HOT)
    assert _may_start(schedule, ended=ended) == ["cp313", "cp310"]
    assert _may_start(_schedule(cpus=4), _JOBS[2], ended=_ended(_JOBS[1], statistics=_HOT)) == ["cp310", "cp313"]


def test_a_project_that_compiles_nothing_through_the_cache_has_nothing_to_wait_for() -> None:
    ended = _ended(_JOBS[0], statistics=CompileStatistics())
    assert _may_start(_schedule(), _JOBS[1], ended=ended) == ["cp312", "cp313"]


def test_a_limit_is_kept_and_seeds_go_first() -> None:
    schedule = _schedule(limit=3)
    assert _may_start(schedule, _JOBS[0]) == ["cp310"], "the seed of the other architecture"
    assert _may_start(schedule, _ARM, ended=_ended(_JOBS[0])) == ["cp311", "cp312", "cp313"]
    assert _may_start(schedule, _ARM, _JOBS[1], _JOBS[2], ended=_ended(_JOBS[0])) == []
    assert _may_start(_schedule(limit=1), _JOBS[1], ended=_ended(_JOBS[0])) == []


def test_a_job_waits_for_the_wheel_that_may_serve_it() -> None:
    schedule = _schedule(limit=4, covering={_JOBS[3].id: _JOBS[2].id})
    assert _may_start(schedule, _JOBS[2], ended=_ended(*_JOBS[:2])) == ["cp310"]
    assert _may_start(schedule, ended=_ended(*_JOBS[:3])) == ["cp313", "cp310"]


def test_no_more_threads_than_jobs() -> None:
    assert _schedule(cpus=64).width == 5
    assert _schedule(limit=2).width == 2
