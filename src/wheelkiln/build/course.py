"""What a run does after a job has failed: go on with the others, or stop at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from wheelkiln.build.outcome import Outcome, Status
from wheelkiln.plan.model import Job

__all__ = ["Course"]

_HINT = "The same command without --fail-fast builds it; what it had compiled is in the compile cache."


class Course:
    """The course of one run.

    With fail_fast the first failure stops what runs, and nothing new begins: stop ends the children of all jobs. What
    they had compiled is in the compile cache, so little is lost.
    """

    def __init__(self, stop: Callable[[], None], *, fail_fast: bool) -> None:
        self._stop, self._fail_fast = stop, fail_fast
        self._culprit = ""
        self.is_interrupted = False
        self._stopped: frozenset[str] = frozenset()

    @property
    def is_over(self) -> bool:
        """Whether nothing new may begin."""
        return bool(self._culprit)

    def interrupt(self) -> None:
        """Stop what runs, because the run itself ends."""
        self.is_interrupted = True
        self._stop()

    def judge(self, outcome: Outcome, running: Iterable[Job]) -> Outcome:
        """Return the end of a job as it is to be told; running are those whose end is not known yet.

        One that was stopped has not failed by itself. One that landed its wheel before it could be stopped is good.
        """
        if outcome.job.id in self._stopped and not outcome.good:
            return replace(self._cancel(outcome.job, "stopped"), seconds=outcome.seconds, log=outcome.log)
        if self._fail_fast and not outcome.good and not self._culprit:
            self._culprit = outcome.job.id
            self._stopped = frozenset(job.id for job in running)
            self._stop()
        return outcome

    def cancelled(self, job: Job) -> Outcome | None:
        """Return the end of a job that will not begin any more, None while it may."""
        return self._cancel(job, "not started") if self.is_over else None

    def _cancel(self, job: Job, what: str) -> Outcome:
        return Outcome(job, Status.CANCELLED, message=f"{what}, because {self._culprit} failed", hint=_HINT)
