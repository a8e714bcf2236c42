"""A whole run: images first, then job by job, each wheel landing at once; nothing that is done is lost."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from wheelkiln.build.editions import RunRequest
from wheelkiln.build.environments import prune_environments
from wheelkiln.build.fleet import Fleet
from wheelkiln.build.gate import Restored, cache_is_empty, judge_hits
from wheelkiln.build.host_leftovers import clean_engine
from wheelkiln.build.images import make_supply, provide_all, remember_use
from wheelkiln.build.leftovers import remove_leftovers_of_dead_runs
from wheelkiln.build.outcome import Event, JobEnded, Outcome, RunResult, Said, Status
from wheelkiln.build.request import BuildRequest, JobInputs
from wheelkiln.build.reuse import Shelf, know_environments, known_images, make_shelf
from wheelkiln.build.run_record import recording_run
from wheelkiln.build.run_work import RunJobs
from wheelkiln.build.runs import run_directory
from wheelkiln.cache.records import JobRecord, read_latest_record
from wheelkiln.cache.remote import choose_remote
from wheelkiln.cache.settings import compile_cache, ignored_options
from wheelkiln.cache.sharing import Sharing, add_sharing, count_sharing
from wheelkiln.config.remote import RemoteAddress
from wheelkiln.system.emulation import emulator_of
from wheelkiln.system.files import make_directory, naming_storage_errors, remove_leftovers
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
    jobs = RunJobs(shelf, run_id, run_dir, emit, remote, images, fleet)
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
