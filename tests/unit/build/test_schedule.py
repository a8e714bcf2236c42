from __future__ import annotations

from dataclasses import replace
from typing import Any

from tests.values import make_job
from wheelkiln.build.outcome import Outcome, Status
from wheelkiln.build.schedule import Need, Parallelism, Schedule, Start
from wheelkiln.cache.statistics import CompileStatistics
from wheelkiln.plan.model import Job

_JOBS = tuple(make_job(f"{tag}-manylinux_x86_64") for tag in ("cp310", "cp311", "cp312", "cp313"))
_ARM = make_job("cp310-manylinux_aarch64", emulated=True)
_HOT, _COLD = CompileStatistics(hits=31, misses=1), CompileStatistics(hits=0, misses=32)
SERIAL, SERVED, TOLD, WHOLE = Parallelism.SERIAL, Parallelism.SERVED, Parallelism.TOLD, Parallelism.WHOLE


def _schedule(way: Parallelism = SERIAL, jobs: tuple[Job, ...] = _JOBS, **changes: Any) -> Schedule:
    need = changes.pop("need", Need(way, kind="all", shares=way is not SERIAL))
    return Schedule(**{"jobs": jobs, "cores": 2, "needs": {job.id: need for job in jobs}, **changes})


def _ended(*jobs: Job, statistics: CompileStatistics | None = _COLD) -> dict[str, Outcome]:
    return {job.id: Outcome(job, Status.BUILT, statistics=statistics) for job in jobs}


def _starts(
    schedule: Schedule, running: dict[str, int] | None = None, ended: dict[str, Outcome] | None = None
) -> list[tuple[str, int, int]]:
    """What starts until nothing more may: Python, cores taken, cores told."""
    running, ended = dict(running or {}), ended or {}
    found: list[tuple[str, int, int]] = []
    while True:
        waiting = [job for job in schedule.jobs if job.id not in {*running, *ended}]
        start = schedule.next(waiting, running, ended)
        if start is None:
            return found
        running[start.job.id] = start.cores
        found.append((start.job.python, start.cores, start.told))


def test_what_compiles_serially_runs_side_by_side_up_to_the_number_of_cores() -> None:
    assert _starts(_schedule()) == [("cp310", 1, 1), ("cp311", 1, 1)]
    assert _starts(_schedule(cores=3), {_JOBS[0].id: 1}, _ended(_JOBS[1])) == [("cp312", 1, 1), ("cp313", 1, 1)]


def test_few_jobs_are_told_that_they_have_more_cores() -> None:
    assert _starts(_schedule(cores=8))[0] == ("cp310", 1, 2)
    assert _starts(_schedule(jobs=_JOBS[:1], cores=8)) == [("cp310", 1, 8)]


def test_what_is_told_a_number_takes_its_share() -> None:
    need = Need(TOLD, kind="all")
    assert _starts(_schedule(need=need, cores=8)) == [(job.python, 2, 2) for job in _JOBS]
    assert _starts(_schedule(need=need, cores=2)) == [("cp310", 1, 1), ("cp311", 1, 1)]
    assert _starts(_schedule(need=need, cores=8, jobs=_JOBS[:1])) == [("cp310", 8, 8)]


def test_what_compiles_in_parallel_waits_for_the_first_of_its_kind() -> None:
    assert _starts(_schedule(SERVED)) == [("cp310", 1, 2)]
    assert _starts(_schedule(TOLD)) == [("cp310", 2, 2)], "it has all cores meanwhile"
    assert [start[0] for start in _starts(_schedule(SERVED), ended=_ended(_JOBS[0]))] == ["cp311", "cp312"]


def test_nobody_waits_where_little_is_shared() -> None:
    assert [start[0] for start in _starts(_schedule(need=Need(SERVED, kind="all")))] == ["cp310", "cp311"]


def test_what_was_built_before_waits_for_nobody() -> None:
    assert [start[0] for start in _starts(_schedule(need=Need(SERVED, kind="all", warm=True, shares=True)))] == [
        "cp310",
        "cp311",
    ]


def test_a_kind_that_was_found_warm_waits_no_more() -> None:
    schedule = _schedule(SERVED, jobs=(*_JOBS, _ARM), cores=4)
    ended = _ended(_JOBS[1], statistics=_HOT)
    assert [start[0] for start in _starts(schedule, ended=ended)][:3] == ["cp310", "cp312", "cp313"]


def test_where_flags_differ_there_are_two_seeds() -> None:
    needs = {job.id: Need(SERVED, kind=number < 2, shares=True) for number, job in enumerate(_JOBS)}
    assert [start[0] for start in _starts(_schedule(needs=needs, cores=4))] == ["cp310", "cp312"]
    started = _starts(_schedule(needs=needs, cores=4), {_JOBS[2].id: 1}, _ended(_JOBS[0]))
    assert [start[0] for start in started] == ["cp311"], "cp313 waits for what cp312 compiles"


def test_serial_jobs_wait_for_nobody_but_let_those_go_first_that_fill_the_cache() -> None:
    needs = {job.id: Need(SERIAL, kind=number < 2, shares=True) for number, job in enumerate(_JOBS)}
    schedule = _schedule(needs=needs)
    assert [start[0] for start in _starts(schedule)] == ["cp310", "cp312"]
    assert [start[0] for start in _starts(schedule, {_JOBS[0].id: 1}, _ended(_JOBS[2]))] == ["cp313"], "it finds more"
    assert [start[0] for start in _starts(schedule, {_JOBS[0].id: 1}, _ended(*_JOBS[2:]))] == ["cp311"]


def test_a_job_that_nothing_restrains_runs_alone() -> None:
    assert _starts(_schedule(need=Need(WHOLE, kind="all"))) == [("cp310", 2, 2)]
    needs = {job.id: Need(WHOLE if job is _JOBS[0] else SERIAL, kind=job.id) for job in _JOBS}
    assert [start[0] for start in _starts(_schedule(needs=needs), {_JOBS[1].id: 1})] == ["cp312"]


def test_the_longest_go_first_and_those_of_unknown_length_before_them() -> None:
    jobs = tuple(replace(job, estimate=seconds) for job, seconds in zip(_JOBS, (5.0, 50.0, None, 20.0), strict=True))
    schedule = _schedule(jobs=jobs)
    assert [job.python for job in schedule.ordered(jobs)] == ["cp312", "cp311", "cp313", "cp310"]
    assert [start[0] for start in _starts(schedule)] == ["cp312", "cp311"]


def test_what_others_wait_for_goes_before_the_longest() -> None:
    jobs = (*(replace(job, estimate=90.0) for job in _JOBS[:3]), replace(_JOBS[3], estimate=1.0))
    schedule = _schedule(jobs=jobs, covering={_JOBS[0].id: _JOBS[3].id}, cores=4)
    assert [start[0] for start in _starts(schedule)] == ["cp313", "cp311", "cp312"]


def test_what_only_fetches_goes_last() -> None:
    needs = {job.id: Need(SERVED, warm=job is _JOBS[0], kind=job.id) for job in _JOBS}
    assert [start[0] for start in _starts(_schedule(needs=needs, cores=4))] == ["cp311", "cp312", "cp313", "cp310"]


def test_one_job_at_a_time_keeps_the_plans_order() -> None:
    jobs = tuple(replace(job, estimate=float(number)) for number, job in enumerate(_JOBS))
    schedule = _schedule(SERVED, jobs=jobs, limit=1)
    assert _starts(schedule) == [("cp310", 2, 2)]
    assert schedule.ordered(jobs) == list(jobs)
    assert _starts(schedule, ended=_ended(*jobs[:2])) == [("cp312", 2, 2)]


def test_a_limit_above_the_cores_is_the_users_word() -> None:
    schedule = _schedule(limit=3)
    assert schedule.budget == 3
    assert len(_starts(schedule)) == 3
    assert _schedule(limit=2, cores=8).width == 2


def test_no_more_at_a_time_than_jobs() -> None:
    assert _schedule(cores=64).width == 4


def test_known_peaks_must_fit_together() -> None:
    needs = {job.id: Need(memory=gib, kind=job.id) for job, gib in zip(_JOBS, (6, 3, 2, None), strict=True)}
    schedule = _schedule(needs=needs, cores=4, memory=8)
    assert [start[0] for start in _starts(schedule)] == ["cp310", "cp312", "cp313"], "what is not known may start"
    assert [start[0] for start in _starts(schedule, {_JOBS[1].id: 1}, _ended(_JOBS[2], _JOBS[3]))] == []
    assert [start[0] for start in _starts(_schedule(needs=needs, cores=4, memory=1))] == ["cp310", "cp313"]
    assert len(_starts(_schedule(needs=needs, cores=4))) == 4, "nothing is known of the machine"


def test_an_unknown_peak_is_taken_for_the_highest_of_its_kind() -> None:
    needs = {job.id: Need(memory=5 if job is _JOBS[0] else None, kind="all") for job in _JOBS}
    assert [start[0] for start in _starts(_schedule(needs=needs, cores=4, memory=8))] == ["cp310"]


def test_emulated_jobs_get_what_native_ones_leave() -> None:
    jobs = (_ARM, *_JOBS[:3])
    assert [start[0] for start in _starts(_schedule(jobs=jobs))] == ["cp310", "cp311"]
    serial = _schedule(jobs=jobs)
    native_runs = {_JOBS[2].id: 1}
    assert serial.next([_ARM], native_runs, _ended(*_JOBS[:2])) == Start(_ARM, 1, 1)
    assert _schedule(SERVED, jobs=jobs).next([_ARM], native_runs, _ended(*_JOBS[:2])) is None, "it can use all cores"
    assert serial.next([_ARM, _JOBS[2]], {}, _ended(*_JOBS[:2])) == Start(_JOBS[2], 1, 2)
    assert serial.next([_ARM], {}, _ended(*_JOBS[:3])) == Start(_ARM, 1, 2)


def test_a_job_waits_for_the_wheel_that_may_serve_it() -> None:
    schedule = _schedule(covering={_JOBS[3].id: _JOBS[2].id}, cores=4)
    assert [start[0] for start in _starts(schedule, {_JOBS[2].id: 1}, _ended(*_JOBS[:2]))] == []
    assert [start[0] for start in _starts(schedule, ended=_ended(*_JOBS[:3]))] == ["cp313"]
