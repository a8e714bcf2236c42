"""Which worker builds which job: pure decisions over what workers can do and where jobs have run."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from wheelkiln.config.model import Config
from wheelkiln.plan.backends import known_backend
from wheelkiln.plan.model import Job
from wheelkiln.source.facts import SourceFacts
from wheelkiln.system.host import HostFacts

__all__ = [
    "THIS_MACHINE",
    "Group",
    "Placement",
    "Worker",
    "group_of",
    "keeps_pythons_apart",
    "local_worker",
    "make_workers",
    "preview",
]

THIS_MACHINE = ""
"""The name of the worker that is this machine's own engine."""

Group = tuple[str, str, bool]
"""Jobs of one group have the same image, cache namespace and flags: what one compiles, the others may find."""
_RENAMED_FLAGS = 12
"""CPython 3.12 is compiled with -fno-strict-overflow, the ones before it with -fwrapv."""


def group_of(job: Job, *, pythons_apart: bool) -> Group:
    """Return a job's group; pythons_apart says that its compilers get the flags of its interpreter."""
    return job.image, job.namespace, pythons_apart and int(job.python_version.partition(".")[2]) < _RENAMED_FLAGS


def keeps_pythons_apart(config: Config, facts: SourceFacts) -> bool:
    """Whether flags come from the interpreter: those of CMake and Meson do not, and one setting makes them alike."""
    return known_backend(facts).interpreter_flags and config.cache.share_between_pythons != "flags"


@dataclass(frozen=True, slots=True)
class Worker:
    """An engine that builds: what it runs natively and what under an emulator, and how much it does side by side.

    slots is the most jobs at a time, None where it is decided as on one machine, by its cores.
    """

    name: str
    native: frozenset[str]
    emulated: frozenset[str] = frozenset()
    cores: int = 1
    slots: int | None = None

    def builds(self, arch: str) -> bool:
        return arch in self.native | self.emulated


@dataclass(frozen=True, slots=True)
class Placement:
    """Chooses among the workers that live.

    homes is where a group's jobs have been put, load the jobs that each worker has been given and not ended. scattered
    are the groups that gain little from a common compile cache. apart are the ids of jobs whose compilers get the flags
    of their interpreter.
    """

    workers: Sequence[Worker]
    homes: Mapping[Group, str] = field(default_factory=dict)
    load: Mapping[str, int] = field(default_factory=dict)
    scattered: Collection[Group] = ()
    apart: Collection[str] = ()

    def group(self, job: Job) -> Group:
        return group_of(job, pythons_apart=job.id in self.apart)

    def candidates(self, job: Job) -> tuple[Worker, ...]:
        """Return who may build a job: those that run its architecture natively, without any those that emulate it.

        A native worker that is busy is waited for: an emulator takes several times as long. Of emulators, those that
        were configured for the architecture come first.
        """
        native = tuple(worker for worker in self.workers if job.arch in worker.native)
        able = native or tuple(worker for worker in self.workers if worker.builds(job.arch))
        return able if native else tuple(sorted(able, key=lambda worker: worker.name == THIS_MACHINE))

    def choose(self, job: Job) -> Worker | None:
        """Return the worker that is to build a job, None where nobody can.

        A group stays with the worker whose compile cache it fills, unless it gains little from that.
        """
        able = self.candidates(job)
        if self.group(job) not in self.scattered:
            able = tuple(worker for worker in able if worker.name == self.homes.get(self.group(job))) or able
        return min(able, key=self._share, default=None)

    def _share(self, worker: Worker) -> float:
        """How busy a worker is; among equals the first one is taken, which is this machine."""
        return self.load.get(worker.name, 0) / (worker.slots or worker.cores)


def local_worker(host: HostFacts) -> Worker:
    """This machine's own engine, whose jobs are limited as they always are."""
    return Worker(THIS_MACHINE, frozenset({host.machine}), host.emulated, host.cpus)


def make_workers(config: Config, host: HostFacts) -> tuple[Worker, ...]:
    """Return this machine and the configured ones, which are taken at their word until they have answered."""
    hosts = (
        Worker(name, frozenset(entry.arch), cores=host.cpus, slots=None if entry.slots == "auto" else entry.slots)
        for name, entry in sorted(config.hosts.items())
    )
    return (local_worker(host), *hosts)


def preview(jobs: Iterable[Job], workers: Sequence[Worker], apart: Collection[str] = ()) -> dict[str, str]:
    """Say by job id on which worker each would run if all began at once; jobs that nobody can build are left out."""
    homes: dict[Group, str] = {}
    load: dict[str, int] = defaultdict(int)
    placed: dict[str, str] = {}
    for job in jobs:
        placement = Placement(workers, homes, load, apart=apart)
        chosen = placement.choose(job)
        if chosen is not None:
            homes.setdefault(placement.group(job), chosen.name)
            load[chosen.name] += 1
            placed[job.id] = chosen.name
    return placed
