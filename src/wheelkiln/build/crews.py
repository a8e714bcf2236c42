"""Jobs of several machines: each has a crew, and jobs go to the crew that is to build them."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, ThreadPoolExecutor, wait
from typing import Protocol, TypeVar

from wheelkiln.build.crew import Crew
from wheelkiln.build.outcome import Outcome
from wheelkiln.plan.model import Job

__all__ = ["Dispatcher", "run_crews"]

R = TypeVar("R")
_CORES_SECONDS = 0.1
"""How often cores are asked for that jobs have taken which run."""
_LOST_SECONDS = 1.0
"""How often it is looked whether a machine that was lost is back."""


class Dispatcher(Protocol):
    """Decides who builds what."""

    @property
    def is_whole(self) -> bool:
        """Whether all machines answer."""
        ...

    def share(self, waiting: Sequence[Job]) -> Mapping[str, list[Job]]:
        """Return by the crews' names the jobs that they are to build, in the order given; some may have none now."""
        ...

    def resign(self, waiting: Sequence[Job]) -> Mapping[str, Outcome]:
        """Return the outcomes of jobs that nobody can build any more, by their ids."""
        ...


def run_crews(
    jobs: Sequence[Job], crews: Mapping[str, Crew[R]], ended: dict[str, Outcome], dispatcher: Dispatcher
) -> None:
    """Run all jobs to their ends; ended is what all crews share. A job that comes back goes to another crew."""
    waiting = list(jobs)
    try:
        with ThreadPoolExecutor(max_workers=max(1, len(waiting))) as pool:
            try:
                while waiting or any(crew.running for crew in crews.values()):
                    blocked = _start(waiting, crews, ended, dispatcher, pool)
                    waiting[:0] = _wait(crews, _pause(dispatcher, blocked=blocked))
            except BaseException:
                for crew in crews.values():
                    crew.stop()
                raise
    except BaseException:
        for crew in crews.values():
            crew.salvage()
        raise


def _start(
    waiting: list[Job],
    crews: Mapping[str, Crew[R]],
    ended: dict[str, Outcome],
    dispatcher: Dispatcher,
    pool: Executor,
) -> bool:
    """Let each crew start what it may, and take that from those that wait; tell whether only cores were missing."""
    blocked = False
    ended |= dispatcher.resign(waiting)
    for name, share in dispatcher.share([job for job in waiting if job.id not in ended]).items():
        rest = list(share)
        blocked |= crews[name].start(rest, pool)
        left = {job.id for job in rest}
        taken = {job.id for job in share if job.id not in left}
        waiting[:] = [job for job in waiting if job.id not in taken]
    waiting[:] = [job for job in waiting if job.id not in ended]
    return blocked


def _pause(dispatcher: Dispatcher, *, blocked: bool) -> float | None:
    if blocked:
        return _CORES_SECONDS
    return None if dispatcher.is_whole else _LOST_SECONDS


def _wait(crews: Mapping[str, Crew[R]], timeout: float | None) -> list[Job]:
    """Wait for the end of jobs; return those that are to be built again. timeout is in seconds."""
    of = {future: crew for crew in crews.values() for future in crew.running}
    if not of:
        time.sleep(timeout or 0)
        return []
    done, _ = wait(of, timeout=timeout, return_when=FIRST_COMPLETED)
    returned = [of[future].end(future) for future in done]
    return [job for job in returned if job is not None]
