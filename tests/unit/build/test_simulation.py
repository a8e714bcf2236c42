from __future__ import annotations

from collections import Counter

from wheelkiln.build.outcome import Event, JobEnded, JobStarted
from wheelkiln.build.simulation import Scenario, invent_jobs, simulate


def test_two_hundred_invented_jobs_run_through_the_real_schedule() -> None:
    scenario = Scenario(jobs=200, cores=8, seconds=0.005)
    jobs = invent_jobs(scenario)
    events: list[Event] = []
    ended = simulate(scenario, jobs, events.append)
    assert sorted(ended) == sorted(job.id for job in jobs)
    assert len({job.id for job in jobs}) == 200
    started = Counter(event.job.id for event in events if isinstance(event, JobStarted))
    assert set(started.values()) == {1}
    assert len(started) == 200
    assert any(not outcome.good for outcome in ended.values())
    running = most = 0
    for event in events:
        running += isinstance(event, JobStarted) - isinstance(event, JobEnded)
        most = max(most, running)
    assert 2 <= most <= 8


def test_emulated_jobs_begin_when_no_native_one_waits() -> None:
    scenario = Scenario(jobs=40, cores=4, seconds=0.002)
    events: list[Event] = []
    simulate(scenario, invent_jobs(scenario), events.append)
    order = [event.job.emulated for event in events if isinstance(event, JobStarted)]
    assert order == sorted(order)


def test_invented_jobs_are_the_same_each_time() -> None:
    assert invent_jobs(Scenario(30, 2, 1.0)) == invent_jobs(Scenario(30, 2, 1.0))
