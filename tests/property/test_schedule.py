"""Whatever is asked of the schedule: every job runs once, nothing waits for ever, no budget is exceeded."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.values import make_job
from wheelkiln.build.outcome import Outcome, Status
from wheelkiln.build.schedule import Need, Parallelism, Schedule
from wheelkiln.cache.statistics import CompileStatistics
from wheelkiln.plan.model import Job

_GIB = 1 << 30


@st.composite
def schedules(draw: st.DrawFn) -> Schedule:
    count = draw(st.integers(1, 12))
    seconds = st.none() | st.floats(0.1, 1000)
    jobs = tuple(
        make_job(f"cp3{number}-manylinux_x86_64", emulated=draw(st.booleans()), estimate=draw(seconds))
        for number in range(count)
    )
    needs = st.builds(
        Need,
        parallelism=st.sampled_from(Parallelism),
        memory=st.none() | st.integers(0, 20 * _GIB),
        warm=st.booleans(),
        kind=st.integers(0, 3),
        shares=st.booleans(),
    )
    covering = {
        jobs[number].id: jobs[draw(st.integers(0, number - 1))].id
        for number in draw(st.sets(st.integers(1, count - 1)) if count > 1 else st.just(set()))
    }
    return Schedule(
        jobs=jobs,
        cores=draw(st.integers(1, 9)),
        limit=draw(st.none() | st.integers(1, 12)),
        memory=draw(st.none() | st.integers(_GIB, 30 * _GIB)),
        covering=covering,
        needs={job.id: draw(needs) for job in jobs if draw(st.booleans())},
    )


def _peak(schedule: Schedule, job: Job) -> int:
    need = schedule.needs.get(job.id)
    return need.memory or 0 if need else 0


@given(schedules(), st.data())
def test_every_job_runs_once_within_the_budgets(schedule: Schedule, data: st.DataObject) -> None:
    waiting = list(schedule.jobs)
    running: dict[str, int] = {}
    started: list[str] = []
    ended: dict[str, Outcome] = {}
    by_id = {job.id: job for job in schedule.jobs}
    while waiting or running:
        start = schedule.next(waiting, running, ended)
        if start is None:
            assert running, "something waits for ever"
            over = data.draw(st.sampled_from(sorted(running)))
            del running[over]
            statistics = CompileStatistics(hits=data.draw(st.integers(0, 9)), misses=1)
            status = data.draw(st.sampled_from([Status.BUILT, Status.FAILED, Status.COVERED]))
            ended[over] = Outcome(by_id[over], status, statistics=statistics)
            continue
        assert start.job in waiting
        assert not (start.job.emulated and any(not job.emulated for job in waiting) and running)
        waiting.remove(start.job)
        running[start.job.id] = start.cores
        started.append(start.job.id)
        assert start.cores >= 1
        assert start.told >= 1
        assert sum(running.values()) <= schedule.budget
        assert len(running) <= schedule.width
        peaks = [_peak(schedule, by_id[job_id]) for job_id in running]
        assert schedule.memory is None or len([peak for peak in peaks if peak]) <= 1 or sum(peaks) <= schedule.memory
    assert sorted(started) == sorted(by_id)
    assert sorted(ended) == sorted(by_id)


@given(schedules())
def test_one_at_a_time_is_sequential(schedule: Schedule) -> None:
    one = Schedule(schedule.jobs, schedule.cores, limit=1, needs=schedule.needs)
    start = one.next(schedule.jobs, {}, {})
    assert start is not None
    assert start.job.id == schedule.jobs[0].id
    assert one.next(schedule.jobs[1:], {start.job.id: start.cores}, {}) is None
