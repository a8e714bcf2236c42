"""Which job may start now: pure decisions over what runs and what has ended."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from wheelkiln.build.outcome import Outcome, Status
from wheelkiln.plan.model import Job

__all__ = ["Schedule"]

_WARM = 0.9
"""Share of hits from which on a job is taken for one that hardly compiles."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """Decides from the plan's order, how many may run, and who is known to find everything in the cache.

    limit is the most jobs at a time, None to decide by what they will find in the compile cache: jobs that compile
    keep every core busy by themselves and run one after another, jobs that only fetch run side by side, as many as
    there are cpus. covering maps a job to the one whose stable-ABI wheel may serve it. warm are the jobs that were
    built before from the same inputs. apart are the jobs whose code for CPython before 3.12 is compiled with other
    flags than that for later ones, so that neither finds what the other compiled.
    """

    jobs: Sequence[Job]
    cpus: int
    limit: int | None = None
    covering: Mapping[str, str] = field(default_factory=dict)
    warm: Collection[str] = ()
    apart: Collection[str] = ()

    @property
    def width(self) -> int:
        """The most jobs that will ever run at a time."""
        return min(self.limit or self.cpus, len(self.jobs)) or 1

    def may_start(self, job: Job, running: Collection[str], ended: Mapping[str, Outcome]) -> bool:
        """Tell whether a job that waits may start beside those that run."""
        if self._waits_for_another(job, ended):
            return False
        if not running:
            return True
        if self.limit is not None:
            return len(running) < self.limit
        others = [other for other in self.jobs if other.id in running]
        return len(running) < self.cpus and all(self._is_warm(entry, ended) for entry in (job, *others))

    def _waits_for_another(self, job: Job, ended: Mapping[str, Outcome]) -> bool:
        """A job waits for the wheel that may serve it, and for the first of its kind to fill the cache."""
        if self.covering.get(job.id, job.id) not in {*ended, job.id}:
            return True
        return not (self._is_warm(job, ended) or self._seed(job).id in {*ended, job.id})

    def _is_warm(self, job: Job, ended: Mapping[str, Outcome]) -> bool:
        """Built before from the same inputs, or the last of its kind hardly compiled."""
        if job.id in self.warm:
            return True
        rates = [
            outcome.statistics.hit_rate
            for outcome in ended.values()
            if outcome.status is Status.BUILT and self._kind(outcome.job) == self._kind(job) and outcome.statistics
        ]
        return bool(rates) and (rates[-1] is None or rates[-1] >= _WARM)

    def _seed(self, job: Job) -> Job:
        return next(other for other in self.jobs if self._kind(other) == self._kind(job))

    def _kind(self, job: Job) -> tuple[str, str, bool]:
        """Jobs of one kind have the same image, cache namespace and flags: what one compiles, the others may find."""
        return job.image, job.namespace, job.id in self.apart and _is_before_312(job)


def _is_before_312(job: Job) -> bool:
    version = re.match(r"cp3(\d+)", job.identifier)
    return version is not None and int(version[1]) < 12  # noqa: PLR2004 - its CFLAGS have -fwrapv
