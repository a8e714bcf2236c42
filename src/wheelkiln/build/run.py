"""A whole run: images first, then job by job, each wheel landing at once; nothing that is done is lost."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from wheelkiln.build.cores import Cores
from wheelkiln.build.course import Course
from wheelkiln.build.crew import run_jobs
from wheelkiln.build.dispatch import run_fleet
from wheelkiln.build.editions import RunRequest
from wheelkiln.build.elsewhere import is_made_elsewhere
from wheelkiln.build.environments import prune_environments
from wheelkiln.build.fleet import Fleet, Station
from wheelkiln.build.gate import Restored, cache_is_empty, judge_hits
from wheelkiln.build.host_leftovers import clean_engine
from wheelkiln.build.images import make_supply, provide_all, remember_use
from wheelkiln.build.job import JobResult, run_job
from wheelkiln.build.leftovers import remove_leftovers_of_dead_runs
from wheelkiln.build.needs import budget_of, make_schedule
from wheelkiln.build.outcome import Event, JobEnded, JobStarted, Outcome, RunResult, Said, Status
from wheelkiln.build.request import BuildRequest, JobInputs
from wheelkiln.build.reuse import Shelf, find_covering, know_environments, known_images, make_shelf
from wheelkiln.build.run_record import recording_run
from wheelkiln.build.runs import JOBSERVER, run_directory
from wheelkiln.cache.records import JobRecord, read_latest_record
from wheelkiln.cache.remote import choose_remote
from wheelkiln.cache.settings import compile_cache, ignored_options
from wheelkiln.cache.sharing import Sharing, add_sharing, count_sharing
from wheelkiln.config.remote import RemoteAddress
from wheelkiln.errors import EnvironmentProblem
from wheelkiln.image.provide import BuiltImage
from wheelkiln.plan.model import Job
from wheelkiln.plan.placement import keeps_pythons_apart
from wheelkiln.system.emulation import emulator_of
from wheelkiln.system.files import make_directory, naming_storage_errors, remove_leftovers
from wheelkiln.system.jobserver import serving
from wheelkiln.system.locks import exclusive

__all__ = ["run_build"]


def run_build(run: RunRequest, emit: Callable[[Event], None], log: Callable[[str], None]) -> RunResult:
    """Build what is missing. A failed job does not stop the others.

    log receives the output of image builds. Raise EnvironmentProblem when the engine, an image or the disk fails:
    wheels that have landed until then stay, and the next run goes on from there.
    """
    started = time.monotonic()
    output = make_directory(run.output_dir, setting="--output-dir").resolve()
    run = run.with_output(output)
    locks = run.cache_root / "locks"

    def queue() -> None:
        emit(Said(f"another run is building into {output}; waiting for it to end"))

    with exclusive(locks, f"output {output}", on_wait=queue), run_directory(run.first) as (run_id, run_dir):
        with naming_storage_errors(output, setting="--output-dir"):
            remove_leftovers(output)
        clean_engine(run.engine, run.cache_root)
        remove_leftovers_of_dead_runs(run.cache_root, run_id)
        with recording_run(run, run_id) as record:
            emit = record.listening(emit)
            known = know_environments(run)
            served = _serve_without_building(run, known, emit)
            result = served or _build_missing(run, known, run_id, run_dir, emit, log)
    shared = _count_sharing(run, result.outcomes)
    return replace(result, seconds=round(time.monotonic() - started, 3), sharing=shared)


def _count_sharing(run: RunRequest, outcomes: Iterable[Outcome]) -> Sharing:
    """Count what the jobs that were built shared, for each image and cache namespace."""
    built: dict[tuple[str, str], list[JobRecord]] = defaultdict(list)
    for outcome in outcomes:
        job = outcome.job
        if outcome.status is Status.BUILT:
            record = read_latest_record(run.cache_root, job.project, job.name)
            built[job.image, job.namespace] += [record] if record else []
    ignored = ignored_options(run.config)
    return add_sharing(count_sharing(records, ignored) for records in built.values())


def _serve_without_building(
    run: RunRequest, known: Mapping[str, BuildRequest], emit: Callable[[Event], None]
) -> RunResult | None:
    """Serve every job with a wheel that is at hand, without any image; None when one is missing."""
    images = known_images(run)
    outcomes = make_shelf(run, known, images).reuse_all() if images else None
    if images is None or outcomes is None:
        return None
    for edition in run.editions:
        remember_use(edition)
    for outcome in outcomes:
        emit(JobEnded(outcome))
    gate = judge_hits(run.config.cache, outcomes, Restored(empty=False, last_inputs={}), {})
    return RunResult(outcomes, images, 0.0, gate=gate)


def _build_missing(
    run: RunRequest,
    known: Mapping[str, BuildRequest],
    run_id: str,
    run_dir: Path,
    emit: Callable[[Event], None],
    log: Callable[[str], None],
) -> RunResult:
    images = provide_all(run, emit, log)
    shelf = make_shelf(run, known, images)
    restored = _look_at_cache(shelf)
    remote = None if run.first.cold_cache else _choose_remote(run.first, emit)
    fleet = Fleet(run, run_id, run_dir, make_supply(run, images, emit, log), emit)
    jobs = _Jobs(shelf, run_id, run_dir, emit, remote, images, fleet)
    try:
        outcomes = jobs.run()
    finally:
        run.engine.remove_containers(run_id)
        prune_environments(run.cache_root)
        shelf.evict()
    gate = None if run.first.cold_cache else judge_hits(run.config.cache, outcomes, restored, jobs.inputs)
    _remember_inputs(shelf, jobs.inputs)
    remote_place = remote.place if remote else ""
    return RunResult(
        tuple(outcomes), images, 0.0, gate=gate, remote=remote_place, emulators=_emulators_of(run, outcomes)
    )


def _emulators_of(run: RunRequest, outcomes: Iterable[Outcome]) -> tuple[tuple[str, str], ...]:
    here = {outcome.job.arch for outcome in outcomes if outcome.emulated and not outcome.host}
    return tuple((arch, emulator_of(arch, run.engine.runner)) for arch in sorted(here) if not run.engine.elsewhere)


def _choose_remote(request: BuildRequest, emit: Callable[[Event], None]) -> RemoteAddress | None:
    """Ask the remote cache once whether it is there: one that is not costs a notice, not a wait in every call."""
    chosen = choose_remote(request.config, request.host, request.ask_remote, offline=request.offline)
    for notice in chosen.notices:
        emit(Said(f"{notice.message}. {notice.hint}"))
    return chosen.address


def _look_at_cache(shelf: Shelf) -> Restored:
    """Take down what the gate needs to know, before the first job fills the cache."""
    run = shelf.run
    empty = cache_is_empty(compile_cache(run.config, run.cache_root))
    last = {name: shelf.ledger.last_inputs(name) for name in {job.project for job in run.jobs}}
    inputs = {job.id: last[job.project].get(job.name) for _, job in run.in_order()}
    return Restored(empty, {job_id: found for job_id, found in inputs.items() if found})


def _remember_inputs(shelf: Shelf, inputs: Mapping[str, JobInputs]) -> None:
    """A read-only run leaves nothing in the cache that a later one could be asked to find."""
    if shelf.run.config.cache.read_only:
        return
    for _, job in shelf.run.in_order():
        if job.id in inputs:
            shelf.ledger.remember_inputs(job.project, job.name, inputs[job.id])


class _Jobs:
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
        self._landed: set[str] = set()
        self._landing = threading.Lock()

    def run(self) -> list[Outcome]:
        """Run all jobs to their ends, and return the outcomes in the plan's order.

        One that an earlier abi3 or py3-none wheel serves is not built again.
        """
        jobs = tuple(job for _, job in self._run.in_order())
        with self._fleet, serving(self._run_dir / JOBSERVER, budget_of(self._run)) as server:
            served = server.directory is not None and not self._run.engine.elsewhere
            schedule = make_schedule(self._shelf, self._tools, served=served)
            if self._run.first.hosts:
                elsewhere = make_schedule(self._shelf, self._tools, served=False)
                ended = run_fleet(jobs, self._fleet, (schedule, elsewhere), server, self._apart(), self)
            else:
                for job in schedule.ordered(self._run.jobs):  # environments are made ahead, where it can be told now
                    if self._shelf.locate(job) is None:
                        self._fleet.own.maker.expect(self._shelf.known[job.id], job)
                ended = run_jobs(jobs, schedule, server, self)
        return [ended[job.id] for job in jobs]

    def _apart(self) -> frozenset[str]:
        run = self._run.in_order()
        return frozenset(job.id for edition, job in run if keeps_pythons_apart(edition.config, edition.source.facts))

    def skip(self, job: Job) -> Outcome | None:
        """End a job that an earlier wheel serves, or that was built before."""
        outcome = find_covering(job, self._ended.values()) or self._shelf.reuse(job) or self._course.cancelled(job)
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
        """Record how a job ended; one that was interrupted has no end."""
        self._begun.pop(result.outcome.job.id)
        if self._course.is_interrupted and not result.outcome.good:
            return result.outcome
        _stop_when_engine_died(result.request, result.outcome, self._emit)
        outcome = self._course.judge(result.outcome, self._begun.values())
        if self._run.first.cold_cache is None:
            self._shelf.record(replace(result, outcome=outcome), self._run_id, lambda text: self._emit(Said(text)))
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
        """Tell of the end of a job."""
        self._ended[outcome.job.id] = outcome
        self._emit(JobEnded(outcome))
        return outcome

    def _may_land(self, request: BuildRequest, outcome: Outcome) -> bool:
        """Tell whether a wheel is the first of its name in all shards: two jobs may make the same stable-ABI wheel."""
        assert outcome.wheel is not None
        if is_made_elsewhere(request.plan, outcome.job, outcome.wheel.name):
            return False
        with self._landing:
            first = outcome.wheel.name not in self._landed
            self._landed.add(outcome.wheel.name)
        if first and request.cold_cache is None:
            self._shelf.announce(request, outcome, self._run_id)
        return first


def _stop_when_engine_died(request: BuildRequest, outcome: Outcome, emit: Callable[[Event], None]) -> None:
    if outcome.status is Status.FAILED and not request.engine.host and not request.engine.answers():
        emit(JobEnded(outcome))
        raise EnvironmentProblem(
            f"{request.engine.name} stopped answering while {outcome.job.id} was being built",
            hint=f"Start it again and run the same command: what has been built is kept. The log: {outcome.log}",
        )
