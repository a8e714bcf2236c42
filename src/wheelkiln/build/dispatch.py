"""A run's jobs on the engines of a fleet: a crew for each, and what comes back from one that was lost."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from wheelkiln.build.cores import Cores
from wheelkiln.build.crew import Crew
from wheelkiln.build.crews import run_crews
from wheelkiln.build.fleet import Fleet, Station
from wheelkiln.build.job import JobResult
from wheelkiln.build.outcome import Outcome
from wheelkiln.build.schedule import Schedule
from wheelkiln.errors import EnvironmentProblem
from wheelkiln.plan.model import Job
from wheelkiln.plan.placement import Placement
from wheelkiln.system.jobserver import Jobserver

__all__ = ["RunWork", "run_fleet"]


class RunWork(Protocol):
    """What a run does with jobs, wherever they are built."""

    def skip(self, job: Job) -> Outcome | None:
        """End a job that needs no work."""
        ...

    def prepare_at(self, station: Station, job: Job, cores: Cores) -> Callable[[], JobResult]:
        """Return the work of a job on a station."""
        ...

    def finish(self, result: JobResult) -> Outcome:
        """Record how a job ended."""
        ...

    def note(self, outcome: Outcome) -> Outcome:
        """Tell of a job that ended without being begun."""
        ...


@dataclass(frozen=True, slots=True)
class _Broken:
    """A job whose station could not be used."""

    job: Job
    problem: EnvironmentProblem


class _StationWork:
    """The work of one station; a job that it loses is one to be built again."""

    def __init__(self, fleet: Fleet, station: Station, work: RunWork) -> None:
        self._fleet, self._station, self._work = fleet, station, work

    def skip(self, job: Job) -> Outcome | None:
        return self._work.skip(job)

    def prepare(self, job: Job, cores: Cores) -> Callable[[], JobResult | _Broken]:
        inner = self._work.prepare_at(self._station, job, cores)

        def run() -> JobResult | _Broken:
            try:
                return inner()
            except EnvironmentProblem as problem:
                if self._station.is_own:
                    raise
                return _Broken(job, problem)

        return run

    def finish(self, result: JobResult | _Broken) -> Outcome | None:
        if isinstance(result, _Broken):
            self._fleet.end(result.job)
            self._fleet.leave_out(self._station, result.problem)
            return None
        job = result.outcome.job
        self._fleet.end(job)
        if self._fleet.is_lost(self._station, result.outcome) and (self._fleet.living or self._fleet.has_hope(job)):
            return None
        return self._work.finish(result)

    def stop(self) -> None:
        self._station.engine.runner.stop()


class _Sharing:
    """Gives each job to the station that the placement chooses."""

    def __init__(self, fleet: Fleet, placement: Placement, work: RunWork) -> None:
        self._fleet, self._placement, self._work = fleet, placement, work

    @property
    def is_whole(self) -> bool:
        return self._fleet.is_whole

    def share(self, waiting: Sequence[Job]) -> Mapping[str, list[Job]]:
        if not self._fleet.is_whole:
            self._fleet.ask_lost()
        shares: dict[str, list[Job]] = {station.name: [] for station in self._fleet.living}
        for job in waiting:
            station = self._fleet.choose(job, self._placement)
            if station is not None:
                shares[station.name].append(job)
        return shares

    def resign(self, waiting: Sequence[Job]) -> Mapping[str, Outcome]:
        if self._fleet.is_whole:
            return {}
        hopeless = [job for job in waiting if not self._fleet.has_hope(job)]
        return {job.id: self._work.skip(job) or self._work.note(self._fleet.missing(job)) for job in hopeless}


def run_fleet(
    jobs: Sequence[Job],
    fleet: Fleet,
    schedules: tuple[Schedule, Schedule],
    server: Jobserver,
    apart: Collection[str],
    work: RunWork,
) -> dict[str, Outcome]:
    """Run all jobs to their ends on all stations, and return what became of each.

    schedules are this machine's, with its jobserver, and one for a machine whose containers reach no jobserver. apart
    is as a placement takes it.
    """
    here, elsewhere = schedules
    ended: dict[str, Outcome] = {}
    crews: dict[str, Crew[JobResult | _Broken]] = {}
    for station in fleet.stations:
        schedule, own_server = here, server
        if not station.is_own:
            schedule = replace(elsewhere, cores=station.worker.cores, limit=station.worker.slots, memory=None)
            own_server = Jobserver(schedule.budget)
        crews[station.name] = Crew(schedule, own_server, _StationWork(fleet, station, work), ended)
    placement = Placement((), apart=apart)
    needs = elsewhere.needs
    scattered = {placement.group(job) for job in jobs if job.id in needs and not needs[job.id].waits}
    run_crews(jobs, crews, ended, _Sharing(fleet, replace(placement, scattered=scattered), work))
    return ended
