"""The jobs of a run: which need no work, what is done for the others, and what becomes of each."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from wheelkiln.build.cores import Cores
from wheelkiln.build.course import Course
from wheelkiln.build.crew import run_jobs
from wheelkiln.build.dispatch import run_fleet
from wheelkiln.build.elsewhere import is_made_elsewhere
from wheelkiln.build.fleet import Fleet, Station
from wheelkiln.build.job import JobResult, land_wheel, run_job
from wheelkiln.build.landing import Landing, Ruling, Verdict
from wheelkiln.build.needs import budget_of, make_schedule
from wheelkiln.build.outcome import Event, JobEnded, JobStarted, Outcome, Said, Status
from wheelkiln.build.request import BuildRequest, JobInputs
from wheelkiln.build.reuse import Shelf, find_covering
from wheelkiln.build.runs import JOBSERVER
from wheelkiln.config.remote import RemoteAddress
from wheelkiln.errors import EnvironmentProblem
from wheelkiln.image.provide import BuiltImage
from wheelkiln.plan.model import Job
from wheelkiln.plan.placement import keeps_pythons_apart
from wheelkiln.system.jobserver import serving

__all__ = ["RunJobs"]

_GONE = "the wheel of its last build was removed during the run"


class RunJobs:
    """The jobs of a run as work, and what became of them.

    inputs are what went into those that were built, by their ids.
    """

    def __init__(
        self,
        shelf: Shelf,
        run_id: str,
        run_dir: Path,
        emit: Callable[[Event], None],
        remote: RemoteAddress | None,
        images: Sequence[BuiltImage],
        fleet: Fleet,
    ) -> None:
        self._fleet = fleet
        self._shelf, self._run_id, self._run_dir, self._emit = shelf, run_id, run_dir, emit
        self._tools = {image.reference: dict(image.tools) for image in images}
        self._run = shelf.run
        self._ended: dict[str, Outcome] = {}
        self._begun: dict[str, Job] = {}
        self.inputs: dict[str, JobInputs] = {}
        self._remote = remote
        self._course = Course(self._halt, fail_fast=shelf.run.first.fail_fast)
        self._landing = Landing(job for _, job in self._run.in_order())
        self._held: dict[str, JobResult | None] = {}

    def run(self) -> list[Outcome]:
        """Run all jobs to their ends, and return the outcomes in the plan's order.

        One that an earlier abi3 or py3-none wheel serves is not built again.
        """
        jobs = tuple(job for _, job in self._run.in_order())
        with self._fleet, serving(self._run_dir / JOBSERVER, budget_of(self._run)) as server:
            served = server.directory is not None and not self._run.engine.elsewhere
            schedule = make_schedule(self._shelf, self._tools, served=served)
            try:
                if self._run.first.hosts:
                    elsewhere = make_schedule(self._shelf, self._tools, served=False)
                    run_fleet(jobs, self._fleet, (schedule, elsewhere), server, self._apart(), self)
                else:
                    for job in schedule.ordered(self._run.jobs):  # made ahead, where it can be told now
                        if self._shelf.locate(job) is None:
                            self._fleet.own.maker.expect(self._shelf.known[job.id], job)
                    run_jobs(jobs, schedule, server, self)
            finally:
                _drop_wheels(self._held.values())
        return [self._ended[job.id] for job in jobs]

    def _apart(self) -> frozenset[str]:
        run = self._run.in_order()
        return frozenset(job.id for edition, job in run if keeps_pythons_apart(edition.config, edition.source.facts))

    def skip(self, job: Job) -> Outcome | None:
        """End a job that an earlier wheel serves, or that was built before."""
        outcome = find_covering(job, self._ended.values())
        if outcome is None and (covering := self._landing.covering(job)):
            outcome = Outcome(job, Status.COVERED, covered_by=covering)
        noted = None if outcome else self._shelf.noted(job)
        if noted is not None and self._landing.waits(job, noted.name) and self._shelf.locate(job) is not None:
            return self._hold(Outcome(job, Status.REUSED, wheel=noted), None)
        outcome = outcome or self._shelf.reuse(job) or self._course.cancelled(job)
        return self.note(outcome) if outcome else None

    def prepare(self, job: Job, cores: Cores) -> Callable[[], JobResult]:
        """Begin a job on this machine."""
        return self.prepare_at(self._fleet.own, job, cores)

    def prepare_at(self, station: Station, job: Job, cores: Cores) -> Callable[[], JobResult]:
        """Begin a job on a station."""
        self._emit(JobStarted(job))
        self._begun[job.id] = job
        job_dir = self._fleet.begin(job, station, self._run_dir)
        request = replace(self._shelf.known[job.id], remote=self._remote, cores=cores)

        def work() -> JobResult:
            ready = self._fleet.prepare(request, job, station)
            return run_job(ready, job, job_dir, station.maker, self._emit, self._may_land)

        return work

    def finish(self, result: JobResult) -> Outcome:
        """Record how a job ended; one that was interrupted has no end, and one whose wheel is held back not yet."""
        self._begun.pop(result.outcome.job.id)
        if self._course.is_interrupted and not result.outcome.good:
            return result.outcome
        _stop_when_engine_died(result.request, result.outcome, self._emit)
        result = replace(result, outcome=self._course.judge(result.outcome, self._begun.values()))
        return self._hold(result.outcome, result) if result.held else self._complete(result)

    def _complete(self, result: JobResult) -> Outcome:
        outcome = result.outcome
        if self._run.first.cold_cache is None:
            self._shelf.record(result, self._run_id, lambda text: self._emit(Said(text)))
            if outcome.status is Status.BUILT:
                self.inputs[outcome.job.id] = self._shelf.inputs(result.request, outcome.job)
        if outcome.remote is not None and outcome.remote.given_up:
            self._remote = None
        return self.note(outcome)

    def stop(self) -> None:
        self._course.interrupt()

    def _halt(self) -> None:
        """End what runs. A container does not end with the client that started it, and its job waits for that."""
        self._fleet.stop()

    def note(self, outcome: Outcome) -> Outcome:
        """Tell of the end of a job, and bring to their ends those that have waited for it."""
        self._ended[outcome.job.id] = outcome
        self._emit(JobEnded(outcome))
        self._landing.end(outcome.job, outcome.wheel.name if outcome.wheel else "")
        self._settle()
        return outcome

    def _may_land(self, request: BuildRequest, outcome: Outcome) -> Ruling:
        """Say what is to be done with a wheel; the shard of the earliest Python that it serves has it."""
        assert outcome.wheel is not None
        if is_made_elsewhere(request.plan, outcome.job, outcome.wheel.name):
            return Ruling(Verdict.COVERED, outcome.wheel.name)
        ruling = self._landing.ask(outcome.job, outcome.wheel.name)
        if ruling.verdict is Verdict.LANDS and request.cold_cache is None:
            self._shelf.announce(request, outcome, self._run_id)
        return ruling

    def _hold(self, outcome: Outcome, result: JobResult | None) -> Outcome:
        """Hold a job's wheel back; without a result it is one that was built before."""
        assert outcome.wheel is not None
        self._held[outcome.job.id] = result
        self._landing.hold(outcome.job, outcome.wheel.name)
        self._emit(Said(f"{outcome.job.id}: {outcome.wheel.name} serves an earlier Python, too, and waits for its job"))
        self._settle()
        return outcome

    def _settle(self) -> None:
        while (job := self._landing.next_due()) is not None:
            result = self._held.pop(job.id)
            if result is None:
                found = find_covering(job, self._ended.values()) or self._shelf.reuse(job)
                self.note(found or Outcome(job, Status.FAILED, message=_GONE, hint="The same command builds it again."))
            else:
                self._land(result)

    def _land(self, result: JobResult) -> None:
        """Land a wheel that was held back, unless another has taken its place."""
        ruling = self._may_land(result.request, result.outcome)
        if ruling.verdict is Verdict.COVERED:
            by = ruling.covered_by
            result = replace(result, outcome=replace(result.outcome, status=Status.COVERED, wheel=None, covered_by=by))
        elif result.held is not None:
            land_wheel(result.request, result.held)
        _drop_wheels([result])
        self._complete(result)


def _drop_wheels(results: Iterable[JobResult | None]) -> None:
    """Remove wheels that were held back: what landed is a copy."""
    for held in (result.held for result in results if result is not None and result.held is not None):
        shutil.rmtree(held.parent, ignore_errors=True)


def _stop_when_engine_died(request: BuildRequest, outcome: Outcome, emit: Callable[[Event], None]) -> None:
    if outcome.status is Status.FAILED and not request.engine.host and not request.engine.answers():
        emit(JobEnded(outcome))
        raise EnvironmentProblem(
            f"{request.engine.name} stopped answering while {outcome.job.id} was being built",
            hint=f"Start it again and run the same command: what has been built is kept. The log: {outcome.log}",
        )
