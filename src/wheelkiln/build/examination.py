"""Building one job twice with a cache of its own, to see everything that ccache hashes."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from wheelkiln.build.environment_maker import EnvironmentMaker
from wheelkiln.build.host_leftovers import remove_run
from wheelkiln.build.images import at_home, provide_images
from wheelkiln.build.job import run_job
from wheelkiln.build.outcome import Event, JobEnded, JobStarted, Said
from wheelkiln.build.request import BuildRequest, Examination
from wheelkiln.build.runs import run_directory
from wheelkiln.cache.evidence import Comparison, compare_debug_runs
from wheelkiln.cache.records import read_latest_record
from wheelkiln.errors import BuildError
from wheelkiln.plan.model import Job

__all__ = ["examine_job"]


def examine_job(
    request: BuildRequest, job: Job, emit: Callable[[Event], None], log: Callable[[str], None]
) -> Comparison:
    """Build a job twice and compare the two.

    The user's compile cache, wheels, ledger and records are left alone: the first build starts with an empty compile
    cache, the second should find everything in it. Raise BuildError when one of them ends without compiling anything.
    """
    with run_directory(request) as (run_id, run_dir), EnvironmentMaker(run_id, run_dir) as maker:
        provide_images(request, emit, log)
        request = at_home(request, job.arch)
        scratch = run_dir / "examination"
        try:
            one, two = (_build(request, job, run_dir, scratch, name, maker, emit) for name in ("first", "second"))
            differences = compare_debug_runs(one.inputs, two.inputs)
            found = [read_latest_record(place.records, request.source.facts.name, job.name) for place in (one, two)]
        finally:
            remove_run(request.engine, run_id)
            shutil.rmtree(scratch, ignore_errors=True)
    previous, latest = found
    if latest is None:
        raise BuildError(f"{job.id} ended before it compiled anything", hint="'wheelkiln build' says why.")
    return Comparison(latest, previous, differences)


def _build(
    request: BuildRequest,
    job: Job,
    run_dir: Path,
    scratch: Path,
    name: str,
    maker: EnvironmentMaker,
    emit: Callable[[Event], None],
) -> Examination:
    place = Examination(scratch / "ccache", scratch / name / "inputs", scratch / name / "records")
    output = scratch / name / "wheels"
    output.mkdir(parents=True)
    job_dir = run_dir / f"{job.directory}-{name}"
    job_dir.mkdir()
    emit(Said(f"{job.id}: the {name} of two builds, with a compile cache of their own"))
    emit(JobStarted(job))
    result = run_job(replace(request, examination=place, output_dir=output), job, job_dir, maker, emit)
    emit(JobEnded(result.outcome))
    return place
