"""Parting a plan's jobs among machines: the same on each of them, and never one file in two shards."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from wheelkiln.plan.model import Job, Shard

__all__ = ["Cut", "cut_jobs"]

_SLACK = 1.05
"""How much longer than its share a shard may take, so that jobs that share a compile cache stay together."""


@dataclass(frozen=True, slots=True)
class Cut:
    """All shards of a plan. The id is a digest of which job is where: machines with equal ids parted alike."""

    shards: tuple[Shard, ...]

    @property
    def id(self) -> str:
        return hashlib.sha256(json.dumps([sorted(shard.jobs) for shard in self.shards]).encode()).hexdigest()

    @property
    def numbers(self) -> Mapping[str, int]:
        """The shard's number by job id."""
        return {job_id: shard.number for shard in self.shards for job_id in shard.jobs}


def cut_jobs(jobs: Sequence[Job], count: int, *, by_history: bool) -> Cut:
    """Part jobs among count shards, so that the longest takes as short as may be.

    Jobs whose wheels could have the same file name stay together. Those of one image and cache namespace do where that
    costs hardly any time: what one compiles, the others find. by_history weighs jobs by their estimates, which a
    machine knows from its own past; without it all weigh the same, on every machine.
    """
    weights = _expect(jobs) if by_history else dict.fromkeys((job.id for job in jobs), 1000)
    units = sorted((_Unit(group, weights) for group in _inseparable(jobs)), key=lambda unit: unit.order)
    spread, gathered = _spread(units, count), _gather(units, count)
    chosen = gathered if _longest(gathered) <= _SLACK * _longest(spread) else spread
    numbers = {job.id: number for number, shard in enumerate(chosen) for unit in shard for job in unit.jobs}
    return _describe(jobs, numbers, count)


class _Unit:
    """Jobs that must be in one shard; weight in milliseconds, integers that add up alike in any order."""

    __slots__ = ("jobs", "kind", "order", "weight")

    def __init__(self, jobs: Sequence[Job], weights: Mapping[str, int]) -> None:
        self.jobs = jobs
        self.weight = sum(weights[job.id] for job in jobs)
        self.kind = min((job.image, job.namespace) for job in jobs)
        self.order = (-self.weight, jobs[0].id)


_Shards = list[list[_Unit]]
_Scope = tuple[str, ...]


def _inseparable(jobs: Iterable[Job]) -> Iterable[list[Job]]:
    """Put jobs together whose wheels could have the same name: those of one identifier, project, version and label.

    Jobs that another one's stable-ABI wheel serves are no jobs of the plan: they go where that one goes.
    """
    groups: dict[tuple[str, str, str, str], list[Job]] = defaultdict(list)
    for job in sorted(jobs, key=lambda job: job.id):
        groups[job.project, job.version, job.label, job.identifier].append(job)
    return groups.values()


def _expect(jobs: Sequence[Job]) -> dict[str, int]:
    """Return milliseconds by job id; one that is not known takes as long as its like, or a second."""
    known: dict[_Scope, list[float]] = defaultdict(list)
    for job in jobs:
        for scope in _scopes(job) if job.estimate is not None else ():
            known[scope].append(job.estimate or 0.0)
    means = {scope: fmean(sorted(seconds)) for scope, seconds in known.items()}

    def seconds(job: Job) -> float:
        if job.estimate is not None:
            return job.estimate
        return next((means[scope] for scope in _scopes(job) if scope in means), 1.0)

    return {job.id: max(1, round(seconds(job) * 1000)) for job in jobs}


def _scopes(job: Job) -> tuple[_Scope, ...]:
    """What a job is like: those of its image and namespace, else of its architecture, else all."""
    return (job.image, job.namespace), (job.arch,), ()


def _spread(units: Sequence[_Unit], count: int) -> _Shards:
    """Give the heaviest that is left to the shard with the least."""
    shards: _Shards = [[] for _ in range(count)]
    loads = [0] * count
    for unit in units:
        _put(unit, loads.index(min(loads)), shards, loads)
    return shards


def _gather(units: Sequence[_Unit], count: int) -> _Shards:
    """Give each kind to few shards, as far as none of them gets more than its share and a little."""
    shards: _Shards = [[] for _ in range(count)]
    loads = [0] * count
    limit = _SLACK * sum(unit.weight for unit in units) / count
    kinds: dict[tuple[str, str], list[_Unit]] = defaultdict(list)
    for unit in units:
        kinds[unit.kind].append(unit)
    for _, kind in sorted(kinds.items(), key=lambda item: (-sum(unit.weight for unit in item[1]), item[0])):
        homes: list[int] = []
        rest = sum(unit.weight for unit in kind)
        for unit in kind:
            fitting = [home for home in homes if loads[home] + unit.weight <= limit]
            home = fitting[0] if fitting else _new_home(loads, rest, limit)
            homes += [] if fitting else [home]
            rest -= unit.weight
            _put(unit, home, shards, loads)
    return shards


def _new_home(loads: Sequence[int], rest: int, limit: float) -> int:
    """Choose the fullest shard that all the rest of a kind fits into, else the emptiest."""
    fitting = [(-load, number) for number, load in enumerate(loads) if load + rest <= limit]
    return min(fitting)[1] if fitting else loads.index(min(loads))


def _put(unit: _Unit, number: int, shards: _Shards, loads: list[int]) -> None:
    shards[number].append(unit)
    loads[number] += unit.weight


def _longest(shards: _Shards) -> int:
    return max(sum(unit.weight for unit in shard) for shard in shards)


def _describe(jobs: Sequence[Job], numbers: Mapping[str, int], count: int) -> Cut:
    """Name each shard's jobs in the plan's order; seconds are known when those of any job are."""
    expected = _expect(jobs)
    parted: list[list[str]] = [[] for _ in range(count)]
    for job in jobs:
        parted[numbers[job.id]].append(job.id)
    known = any(job.estimate is not None for job in jobs)
    return Cut(
        tuple(
            Shard(number + 1, tuple(inside), sum(expected[job_id] for job_id in inside) / 1000 if known else None)
            for number, inside in enumerate(parted)
        )
    )
