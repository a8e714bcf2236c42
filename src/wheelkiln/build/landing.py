"""Which wheel lands where several jobs make one of the same name: that of the earliest Python that it serves.

A stable ABI that nothing declares shows itself only in the wheel. Which job ends first is chance, and their bytes may
differ. So a wheel that serves an earlier Python as well is held back until the job of that one has ended.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from wheelkiln.build.elsewhere import order_of_python
from wheelkiln.plan.model import Job
from wheelkiln.verify.tags import serves

__all__ = ["Landing", "Ruling", "Verdict"]


class Verdict(StrEnum):
    """What is to be done with a wheel that was built: covered says that another job's wheel stands for it."""

    LANDS = "lands"
    WAITS = "waits"
    COVERED = "covered"


@dataclass(frozen=True, slots=True)
class Ruling:
    """A verdict, with the wheel that covers the job."""

    verdict: Verdict
    covered_by: str = ""


class Landing:
    """The wheels of a run on their way into the output directory.

    Nobody waits in a thread: a job whose wheel is held back has ended for the schedule, so that its cores are free.
    """

    def __init__(self, jobs: Iterable[Job]) -> None:
        self._open: dict[tuple[str, ...], dict[str, Job]] = defaultdict(dict)
        for job in jobs:
            self._open[_edition(job)][job.id] = job
        self._landed: dict[tuple[str, ...], set[str]] = defaultdict(set)
        self._held: dict[str, tuple[Job, str]] = {}
        self._lock = threading.Lock()

    def ask(self, job: Job, wheel: str) -> Ruling:
        """Say what is to be done with a job's wheel; one that lands counts as landed from now on. Threads may ask."""
        with self._lock:
            landed = self._landed[_edition(job)]
            if wheel in landed:
                return Ruling(Verdict.COVERED, wheel)
            covering = sorted(name for name in landed if serves(name, job.identifier))
            if covering:
                return Ruling(Verdict.COVERED, covering[0])
            if self._earlier(job, wheel):
                return Ruling(Verdict.WAITS)
            landed.add(wheel)
            return Ruling(Verdict.LANDS)

    def waits(self, job: Job, wheel: str) -> bool:
        """Tell whether an earlier job that has not ended may make a wheel that takes the place of this one."""
        with self._lock:
            return self._earlier(job, wheel)

    def hold(self, job: Job, wheel: str) -> None:
        """Note that a job's wheel is held back."""
        with self._lock:
            self._held[job.id] = (job, wheel)

    def end(self, job: Job, wheel: str = "") -> None:
        """Note the end of a job, and the wheel that lies in the output directory by it."""
        with self._lock:
            self._open[_edition(job)].pop(job.id, None)
            if wheel:
                self._landed[_edition(job)].add(wheel)

    def next_due(self) -> Job | None:
        """Return a job whose wheel is held back no longer, that of the earliest Python first."""
        with self._lock:
            due = [job for job, wheel in self._held.values() if not self._earlier(job, wheel)]
            first = min(due, key=lambda job: order_of_python(job.python), default=None)
            if first is not None:
                del self._held[first.id]
            return first

    def covering(self, job: Job) -> str:
        """Return the name of a held wheel that will serve a job whoever lands it; empty without one.

        The job that may still take its place, the earliest, is not spared its build.
        """
        with self._lock:
            for other, wheel in self._held.values():
                serving = _edition(other) == _edition(job) and serves(wheel, job.identifier)
                if serving and (_is_before(other, job) or self._earlier(job, wheel)):
                    return wheel
        return ""

    def _earlier(self, job: Job, wheel: str) -> bool:
        """Tell whether a job of an earlier Python that the wheel serves, too, has not ended."""
        open_ones = self._open[_edition(job)].values()
        return any(_is_before(other, job) and serves(wheel, other.identifier) for other in open_ones)


def _edition(job: Job) -> tuple[str, ...]:
    return job.project, job.version, job.variant, job.label, job.arch


def _is_before(one: Job, other: Job) -> bool:
    return order_of_python(one.python) < order_of_python(other.python)
