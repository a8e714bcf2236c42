"""Jobs in threads, as the schedule lets them start: each takes its cores from the budget and gives them back."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from typing import Generic, Protocol, TypeVar

from wheelkiln.build.cores import Cores
from wheelkiln.build.outcome import Outcome
from wheelkiln.build.schedule import Need, Parallelism, Schedule, Start
from wheelkiln.plan.model import Job
from wheelkiln.system.jobserver import Jobserver

__all__ = ["Crew", "Work", "run_jobs"]

R = TypeVar("R")
_POLL_SECONDS = 0.1
"""How often cores are asked for that jobs have taken which run."""


class Work(Protocol[R]):
    """What is done with jobs; all but the work itself is called by one thread."""

    def skip(self, job: Job) -> Outcome | None:
        """End a job that needs no work."""
        ...

    def prepare(self, job: Job, cores: Cores) -> Callable[[], R]:
        """Return the work of a job, which runs in a thread of its own."""
        ...

    def finish(self, result: R) -> Outcome | None:
        """Take in what the work of a job returned; None where the job is to be built again, by another crew."""
        ...

    def stop(self) -> None:
        """End the work of all jobs that run."""
        ...


def run_jobs(jobs: Iterable[Job], schedule: Schedule, server: Jobserver, work: Work[R]) -> dict[str, Outcome]:
    """Run all jobs to their ends, and return what became of each. The server must have the schedule's budget."""
    crew = Crew(schedule, server, work)
    waiting = list(jobs)
    try:
        with ThreadPoolExecutor(max_workers=schedule.width) as pool:
            try:
                while waiting or crew.running:
                    blocked = crew.start(waiting, pool)
                    crew.wait(_POLL_SECONDS if blocked else None)
            except BaseException:
                work.stop()
                raise
    except BaseException:
        crew.salvage()
        raise
    return crew.ended


class Crew(Generic[R]):
    """The jobs of one machine. What ended is shared by several crews."""

    def __init__(
        self, schedule: Schedule, server: Jobserver, work: Work[R], ended: dict[str, Outcome] | None = None
    ) -> None:
        self._schedule, self._server, self._work = schedule, server, work
        self.running: dict[Future[R], Start] = {}
        self.ended: dict[str, Outcome] = {} if ended is None else ended

    def start(self, waiting: list[Job], pool: Executor) -> bool:
        """Start every job that may, and take it from those that wait; tell whether one could start but for cores."""
        if not self.running:
            self._server.settle()
        while True:
            cores = {start.job.id: start.cores for start in self.running.values()}
            start = self._schedule.next(waiting, cores, self.ended)
            if start is None:
                return False
            taken = self._server.take(start.cores)
            if not taken:
                return True
            waiting.remove(start.job)
            self._begin(start, taken, pool)

    def wait(self, timeout: float | None) -> None:
        """Wait for the end of jobs; timeout is in seconds."""
        if not self.running:
            return
        done, _ = wait(self.running, timeout=timeout, return_when=FIRST_COMPLETED)
        for future in done:
            self.end(future)

    def end(self, future: Future[R]) -> Job | None:
        """Take in a job that ended; return it where it is to be built again."""
        start = self.running.pop(future)
        self._server.give(start.cores)
        outcome = self._work.finish(future.result())
        if outcome is None:
            return start.job
        self.ended[start.job.id] = outcome
        return None

    def stop(self) -> None:
        """End the work of all jobs that run."""
        self._work.stop()

    def salvage(self) -> None:
        """Take in what jobs had finished, or still did, when the run was ended: their wheels have landed."""
        for future in tuple(self.running):
            del self.running[future]
            if future.exception() is None:
                with suppress(Exception):  # what it meets is what has ended the run
                    self._work.finish(future.result())

    def _begin(self, start: Start, taken: int, pool: Executor) -> None:
        outcome = self._work.skip(start.job)
        if outcome is not None:
            self._server.give(taken)
            self.ended[start.job.id] = outcome
            return
        work = self._work.prepare(start.job, self._cores(start, taken))
        self.running[pool.submit(work)] = Start(start.job, taken, start.told)

    def _cores(self, start: Start, taken: int) -> Cores:
        """Say nothing to a job that may use all cores: it will anyway."""
        need = self._schedule.needs.get(start.job.id, Need())
        if need.parallelism is Parallelism.SERVED and self._server.directory and self._schedule.limit != 1:
            return Cores(jobserver=self._server.directory, budget=self._server.budget)
        told = taken if need.parallelism is Parallelism.TOLD else start.told
        return Cores() if told >= self._server.budget else Cores(count=told)
