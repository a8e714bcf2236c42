"""Making a lock: every job's build requirements resolved, its backend asked, its environment made once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from wheelkiln.build.editions import RunRequest
from wheelkiln.build.environment_container import EnvironmentFailedError
from wheelkiln.build.environment_maker import EnvironmentMaker
from wheelkiln.build.explain import explain_failure, relevant_lines
from wheelkiln.build.hiccups import HiccupError, check_hiccup
from wheelkiln.build.host_leftovers import remove_run
from wheelkiln.build.images import at_home, engines_of, provide_images
from wheelkiln.build.outcome import Event, Said
from wheelkiln.build.request import BuildRequest, JobEnvironment
from wheelkiln.build.runs import run_directory
from wheelkiln.cache.lock import Lock, LockedEnvironment, Pin
from wheelkiln.errors import BuildError
from wheelkiln.plan.model import Job

__all__ = ["make_lock"]


def make_lock(
    run: RunRequest, previous: Lock | None, emit: Callable[[Event], None], log: Callable[[str], None]
) -> tuple[LockedEnvironment, ...]:
    """Resolve the build requirements of every job of every edition, those that a stable-ABI wheel may serve among them.

    Versions of the previous lock are kept where they still fit. What is installed on the way fills the package cache,
    so that builds from the lock need no network. log receives the output of image builds. Raise BuildError where
    requirements have no solution or cannot be installed.
    """
    run = RunRequest(tuple(replace(edition, lock=None) for edition in run.editions))
    environments = []
    with run_directory(run.first) as (run_id, run_dir), EnvironmentMaker(run_id, run_dir) as maker:
        for edition in run.editions:
            provide_images(edition, emit, log)
        try:
            for request, job in run.in_order():
                emit(Said(f"{job.id}: resolving the build requirements"))
                known = previous.find(job.python, job.platform, job.variant) if previous else None
                with _explaining(request, job):
                    made = _make(maker, at_home(request, job.arch), job, known.pins if known else (), emit)
                environments.append(made.locked)
        finally:
            for engine in engines_of(run.first):
                remove_run(engine, run_id)
    return tuple(environments)


def _make(
    maker: EnvironmentMaker, request: BuildRequest, job: Job, preferred: tuple[Pin, ...], emit: Callable[[Event], None]
) -> JobEnvironment:
    """Make an environment; once more where the engine failed for a moment."""
    try:
        return maker.make(request, job, preferred=preferred, fresh=True)
    except EnvironmentFailedError as error:
        try:
            check_hiccup(request.engine, error.lines)
        except HiccupError as hiccup:
            emit(Said(f"{job.id}: {hiccup.message}. The environment is made once more."))
            return maker.make(request, job, preferred=preferred, fresh=True)
        raise


@contextmanager
def _explaining(request: BuildRequest, job: Job) -> Iterator[None]:
    """Turn what a failed environment printed into its reason."""
    try:
        yield
    except EnvironmentFailedError as error:
        message, hint = explain_failure(error.lines, "environment", request.config)
        told = "\n".join(f"  | {line}" for line in relevant_lines(error.lines))
        raise BuildError(f"{job.id}: {message}\n{told}", hint=hint) from error
