"""Which job may start now, and with how many cores: pure decisions over what waits, runs and has ended."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property

from wheelkiln.build.outcome import Outcome, Status
from wheelkiln.plan.model import Job

__all__ = ["Need", "Parallelism", "Schedule", "Start"]

_WARM = 0.9
"""Share of hits from which on a job is taken for one that hardly compiles."""


class Parallelism(StrEnum):
    """How a job's compilers keep to a number of cores.

    serial: one compiler at a time. served: a client of the jobserver, which takes cores when it can use them. told: by
    variables that say how many to use. whole: nothing keeps it from using all.
    """

    SERIAL = "serial"
    SERVED = "served"
    TOLD = "told"
    WHOLE = "whole"


@dataclass(frozen=True, slots=True)
class Need:
    """What is known of a job before it starts.

    memory is its known peak in bytes, None when it is not known. warm tells that it was built before from the same
    inputs, so that it will find what it compiles. Jobs of one kind may find what another of them compiled; shares
    tells whether that is much.
    """

    parallelism: Parallelism = Parallelism.SERIAL
    memory: int | None = None
    warm: bool = False
    kind: Hashable = None
    shares: bool = False

    @property
    def waits(self) -> bool:
        """Whether it may have to wait for the first of its kind.

        While that one runs serially, a core that has nothing else to do may as well compile the same.
        """
        return self.shares and not self.warm and self.parallelism is not Parallelism.SERIAL


@dataclass(frozen=True, slots=True)
class Start:
    """A job that may start, the cores that are taken for it, and how many it is told to use."""

    job: Job
    cores: int
    told: int


@dataclass(frozen=True)
class Schedule:
    """Decides for the jobs of one machine within a budget of cores and memory.

    limit is the most jobs at a time, None for as many as there are cores; with one the plan's order is kept. memory is
    in bytes, None where it is not known. covering maps a job to the one whose stable-ABI wheel may serve it.
    """

    jobs: Sequence[Job]
    cores: int
    limit: int | None = None
    memory: int | None = None
    covering: Mapping[str, str] = field(default_factory=dict)
    needs: Mapping[str, Need] = field(default_factory=dict)

    @property
    def budget(self) -> int:
        """The cores that all jobs together may use; a limit above their number is the user's word."""
        return max(self.cores, self.limit or 1)

    @property
    def width(self) -> int:
        """The most jobs that will ever run at a time."""
        return max(1, min(self.limit or self.budget, len(self.jobs)))

    def next(self, waiting: Sequence[Job], running: Mapping[str, int], ended: Mapping[str, Outcome]) -> Start | None:
        """Return the job that may start now beside those that run, None when all have to wait.

        waiting is in the plan's order, running maps ids to the cores taken. Where nothing runs, one may always start.
        """
        free = self.budget - sum(running.values())
        if not waiting or len(running) >= self.width or (running and free < 1):
            return None
        warm = self._warm_kinds(ended)
        ready = [job for job in waiting if not self._waits(job, ended, warm)]
        if self.limit == 1:
            return Start((ready or waiting)[0], self.budget, self.budget)
        ready = [job for job in ready if not self._steps_back(job, waiting, running)]
        fitting = [job for job in self._in_order(ready, ended, warm) if self._fits(job, running)]
        if fitting:
            return self._start(fitting, free, len(running))
        return None if running else self._start(ready or waiting, free, 0)

    def ordered(self, jobs: Sequence[Job]) -> list[Job]:
        """Return jobs in the order in which they would start if all could."""
        return list(jobs) if self.limit == 1 else self._in_order(jobs, {}, frozenset())

    def _start(self, candidates: Sequence[Job], free: int, running: int) -> Start:
        """Start the first, with its share of what is free; who asks for cores later begins with one.

        A serial job is told its share all the same: it may call something that is not.
        """
        job = candidates[0]
        share = max(1, free // max(1, min(len(candidates), self.width - running)))
        match self._need(job).parallelism:
            case Parallelism.WHOLE:
                return Start(job, self.budget, self.budget)
            case Parallelism.TOLD:
                return Start(job, share, share)
            case _:
                return Start(job, 1, max(1, self.budget // min(self.width, running + len(candidates))))

    def _waits(self, job: Job, ended: Mapping[str, Outcome], warm: frozenset[Hashable]) -> bool:
        """A job waits for the wheel that may serve it, and for the first of its kind where that fills the cache."""
        covering, need = self.covering.get(job.id, job.id), self._need(job)
        if covering != job.id and covering not in ended:
            return True
        seed = self._seeds[need.kind]
        return need.waits and need.kind not in warm and seed != job.id and seed not in ended

    def _steps_back(self, job: Job, waiting: Sequence[Job], running: Mapping[str, int]) -> bool:
        """An emulated job gets what native ones leave: none waits, and none that runs could use more cores."""
        if not job.emulated:
            return False
        native = [other for other in map(self._by_id.get, running) if other is not None and not other.emulated]
        greedy = any(self._need(other).parallelism is Parallelism.SERVED for other in native)
        return greedy or any(not other.emulated for other in waiting)

    def _in_order(self, jobs: Sequence[Job], ended: Mapping[str, Outcome], warm: frozenset[Hashable]) -> list[Job]:
        """Those from which others profit; not yet those that would profit from one that has not ended; the longest.

        One of unknown length may be the longest. Those that hardly compile come last.
        """

        def rank(job: Job) -> tuple[bool, bool, bool, bool, float]:
            need, seconds = self._need(job), math.inf if job.estimate is None else job.estimate
            early = need.shares and self._seeds[need.kind] not in {*ended, job.id}
            last = need.warm or need.kind in warm
            return job.emulated, job.id not in self._leaders, early and not last, last, -seconds

        return sorted(jobs, key=rank)

    def _fits(self, job: Job, running: Mapping[str, int]) -> bool:
        """Known peaks must fit together; a job that may use all cores runs alone."""
        if not running:
            return True
        if self._need(job).parallelism is Parallelism.WHOLE:
            return False
        peak = self._peak(job.id)
        return self.memory is None or not peak or sum(map(self._peak, running)) + peak <= self.memory

    def _peak(self, job_id: str) -> int:
        """The job's known peak, else the highest of its kind; what is not known counts as nothing."""
        need = self.needs.get(job_id, _UNKNOWN)
        return self._peaks.get(need.kind, 0) if need.memory is None else need.memory

    def _warm_kinds(self, ended: Mapping[str, Outcome]) -> frozenset[Hashable]:
        """Return the kinds of which the last job that was built hardly compiled."""
        rates = {
            self._need(outcome.job).kind: outcome.statistics.hit_rate
            for outcome in ended.values()
            if outcome.status is Status.BUILT and outcome.statistics
        }
        return frozenset(kind for kind, rate in rates.items() if rate is None or rate >= _WARM)

    def _need(self, job: Job) -> Need:
        return self.needs.get(job.id, _UNKNOWN)

    @cached_property
    def _by_id(self) -> Mapping[str, Job]:
        return {job.id: job for job in self.jobs}

    @cached_property
    def _seeds(self) -> Mapping[Hashable, str]:
        """The id of the first job of each kind."""
        return {self._need(job).kind: job.id for job in reversed(self.jobs)}

    @cached_property
    def _leaders(self) -> frozenset[str]:
        """The ids of those from which another job profits: by their wheel, or by what they put into the cache."""
        found = {covering for job, covering in self.covering.items() if job in self._by_id}
        for job in self.jobs:
            need = self._need(job)
            if need.shares and not need.warm and self._seeds[need.kind] != job.id:
                found.add(self._seeds[need.kind])
        return frozenset(found)

    @cached_property
    def _peaks(self) -> Mapping[Hashable, int]:
        peaks: dict[Hashable, int] = {}
        for need in self.needs.values():
            peaks[need.kind] = max(peaks.get(need.kind, 0), need.memory or 0)
        return peaks


_UNKNOWN = Need()
