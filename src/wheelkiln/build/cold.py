"""Building a job again with an empty compile cache, to see whether the cache was poisoned."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from wheelkiln.build.editions import RunRequest
from wheelkiln.build.images import provide_images
from wheelkiln.build.outcome import Event, Outcome, Said, WheelFile
from wheelkiln.build.request import BuildRequest
from wheelkiln.build.reuse import know_environments, make_shelf
from wheelkiln.build.run import run_build
from wheelkiln.errors import BuildError, EnvironmentProblem
from wheelkiln.plan.model import Job
from wheelkiln.system.files import make_directory
from wheelkiln.system.locks import scratch_directory
from wheelkiln.verify.comparison import Comparison, compare_wheels

__all__ = ["ColdComparison", "Verdict", "compare_cold"]

_SETTING = "[tool.wheelkiln.cache] dir"


class Verdict(StrEnum):
    """unrepeatable: two cold builds differ from each other, so nothing can be said of the cache."""

    EQUAL = "equal"
    DIFFERENT = "different"
    UNREPEATABLE = "unrepeatable"


@dataclass(frozen=True, slots=True)
class ColdComparison:
    """A cached wheel beside the one that was built cold; seconds are the cold build's.

    comparison is of the cached one and the cold one, or of two cold ones where the build does not repeat itself.
    """

    job: Job
    cached: WheelFile
    cold: WheelFile
    verdict: Verdict
    comparison: Comparison | None = None
    seconds: float = 0.0

    @property
    def members(self) -> tuple[str, ...]:
        """The members that differ."""
        return self.comparison.names if self.comparison else ()


def compare_cold(request: BuildRequest, emit: Callable[[Event], None], log: Callable[[str], None]) -> ColdComparison:
    """Compare the wheel of the plan's first job with a build that has an empty compile cache and no wheel store.

    The cached wheel is the one that was built from the same inputs, in the output directory or the wheel store; where
    there is none it is built first, with the caches, and kept. A difference is tried a second time.
    """
    job = request.plan.jobs[0]
    request = replace(request, plan=replace(request.plan, jobs=(job,), skipped=()))
    scratch = make_directory(request.cache_root / "tmp", setting=_SETTING)
    with scratch_directory(scratch, "verify-") as place:
        run = RunRequest((request,))
        images = provide_images(request, emit, log)
        found = make_shelf(run, know_environments(run), images).locate(job)
        if found is None:
            emit(Said(f"{job.id} has no wheel of these inputs yet; building it with the caches"))
            found = _wheel_of(_build(replace(request, output_dir=place / "cached"), emit, log), place / "cached")
        cached, path = found
        emit(Said(f"{job.id}: building it with an empty compile cache"))
        outcome = _build_cold(request, place / "cold", emit, log)
        cold, cold_path = _wheel_of(outcome, place / "cold")
        if cold.sha256 == cached.sha256:
            return ColdComparison(job, cached, cold, Verdict.EQUAL, seconds=outcome.seconds)
        emit(Said(f"{job.id}: the wheels differ; building it cold a second time, to see whether it always does"))
        again, again_path = _wheel_of(_build_cold(request, place / "again", emit, log), place / "again")
        repeats = again.sha256 == cold.sha256
        comparison = compare_wheels(*((path, cold_path) if repeats else (cold_path, again_path)))
        verdict = Verdict.DIFFERENT if repeats else Verdict.UNREPEATABLE
        return ColdComparison(job, cached, cold, verdict, comparison, outcome.seconds)


def _build_cold(
    request: BuildRequest, place: Path, emit: Callable[[Event], None], log: Callable[[str], None]
) -> Outcome:
    cold = replace(
        request, fresh=True, store=False, output_dir=place, cold_cache=place.with_name(f"{place.name}-cache")
    )
    return _build(cold, emit, log)


def _build(request: BuildRequest, emit: Callable[[Event], None], log: Callable[[str], None]) -> Outcome:
    (outcome,) = run_build(RunRequest((request,)), emit, log).outcomes
    if outcome.wheel is None:
        told = "\n".join(f"  | {line}" for line in outcome.excerpt)
        raise BuildError(f"{outcome.job.id}: {outcome.message}\n{told}", hint=f"{outcome.hint} The log: {outcome.log}")
    return outcome


def _wheel_of(outcome: Outcome, place: Path) -> tuple[WheelFile, Path]:
    if outcome.wheel is None:
        raise EnvironmentProblem(f"{outcome.job.id} left no wheel")
    return outcome.wheel, place / outcome.wheel.name
