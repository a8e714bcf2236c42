"""A run of invented jobs by the real schedule: for looking at the views, and for measuring what they cost."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from wheelkiln.build.cores import Cores
from wheelkiln.build.crew import run_jobs
from wheelkiln.build.outcome import Event, JobEnded, JobStarted, Outcome, StageStarted, Status
from wheelkiln.build.schedule import Need, Parallelism, Schedule
from wheelkiln.cache.statistics import CompileStatistics
from wheelkiln.plan.model import Job
from wheelkiln.system.jobserver import serving

__all__ = ["Scenario", "invent_jobs", "simulate"]

_STAGES = (("environment", 0.1), ("start", 0.05), ("compile", 0.6), ("repair", 0.1), ("verify", 0.15))
_PYTHONS = ("cp310", "cp311", "cp312", "cp313")
_WAYS = (Parallelism.SERIAL, Parallelism.SERVED, Parallelism.TOLD)


@dataclass(frozen=True, slots=True)
class Scenario:
    """How many jobs there are, for how many cores, how long they take in the mean, and what share of them fails."""

    jobs: int
    cores: int
    seconds: float
    failing: float = 0.02


def invent_jobs(scenario: Scenario) -> tuple[Job, ...]:
    """Make up jobs of several versions, Pythons and architectures, the same each time; one in five is not known yet."""
    chance = random.Random(scenario.jobs)  # noqa: S311 - no secret
    jobs = []
    for number in range(scenario.jobs):
        arch = "aarch64" if number % 10 > 7 else "x86_64"  # noqa: PLR2004 - the last fifth
        identifier = f"{_PYTHONS[number % 4]}-manylinux_{arch}"
        estimate = scenario.seconds * chance.uniform(0.3, 2) if chance.random() > 1 / 5 else None
        jobs.append(
            Job(
                id=f"kernels-1.{number // 20}/{identifier}@v{number % 20}",
                identifier=identifier,
                arch=arch,
                image=f"image_{arch}",
                namespace=f"kernels-{number // 20}-{arch}",
                emulated=arch == "aarch64",
                estimate=estimate,
            )
        )
    return tuple(jobs)


def simulate(scenario: Scenario, jobs: Sequence[Job], emit: Callable[[Event], None]) -> dict[str, Outcome]:
    """Run the jobs; each sleeps through its stages."""
    needs = {job.id: Need(_WAYS[number % 3], kind=(job.namespace, number % 3)) for number, job in enumerate(jobs)}
    schedule = Schedule(jobs, scenario.cores, needs=needs)
    with (
        TemporaryDirectory(prefix="wheelkiln-") as scratch,
        serving(Path(scratch) / "jobserver", schedule.budget) as server,
    ):
        return run_jobs(jobs, schedule, server, _Sleeping(scenario, emit))


class _Sleeping:
    """Work that takes its time and does nothing."""

    def __init__(self, scenario: Scenario, emit: Callable[[Event], None]) -> None:
        self._scenario, self._emit = scenario, emit
        self._stopped = threading.Event()

    def skip(self, job: Job) -> Outcome | None:
        return None

    def prepare(self, job: Job, cores: Cores) -> Callable[[], Outcome]:
        self._emit(JobStarted(job))
        return partial(self._sleep, job)

    def finish(self, result: Outcome) -> Outcome:
        self._emit(JobEnded(result))
        return result

    def stop(self) -> None:
        self._stopped.set()

    def _sleep(self, job: Job) -> Outcome:
        chance = random.Random(job.id)  # noqa: S311 - no secret
        started, seconds = time.monotonic(), job.estimate or self._scenario.seconds
        for stage, share in _STAGES:
            self._emit(StageStarted(job, stage))
            self._stopped.wait(seconds * share)
        failed = chance.random() < self._scenario.failing
        return Outcome(
            job,
            Status.FAILED if failed else Status.BUILT,
            seconds=time.monotonic() - started,
            statistics=CompileStatistics(hits=chance.randint(0, 20), misses=chance.randint(0, 20)),
            message="invented" if failed else "",
        )
