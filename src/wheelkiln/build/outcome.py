"""What became of a job, and the events on the way there."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from wheelkiln.cache.sharing import Sharing
from wheelkiln.cache.statistics import CompileStatistics
from wheelkiln.image.provide import BuiltImage
from wheelkiln.plan.model import Job

__all__ = [
    "Event",
    "JobEnded",
    "JobStarted",
    "Outcome",
    "RunResult",
    "Said",
    "StageSeconds",
    "StageStarted",
    "Status",
    "WheelFile",
]


class Status(StrEnum):
    """rejected: built, but not what it claims to be, so that it did not land."""

    BUILT = "built"
    REUSED = "reused"
    COVERED = "covered"
    FAILED = "failed"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class StageSeconds:
    stage: str
    seconds: float


@dataclass(frozen=True, slots=True)
class WheelFile:
    """A landed wheel; size in bytes."""

    name: str
    sha256: str
    size: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """The end of a job.

    seconds is the wall time of this run's work. message and hint say why it failed; covered_by names the wheel
    that serves a covered job. statistics is None when the compile cache was not asked. requirements are those of
    the build environment, with their versions. from_store tells whether a reused wheel came from the wheel store
    rather than lying in the output directory.
    """

    job: Job
    status: Status
    seconds: float = 0.0
    wheel: WheelFile | None = None
    stages: tuple[StageSeconds, ...] = ()
    statistics: CompileStatistics | None = None
    log: Path | None = None
    message: str = ""
    hint: str = ""
    excerpt: tuple[str, ...] = ()
    covered_by: str = ""
    requirements: tuple[str, ...] = ()
    from_store: bool = False

    @property
    def good(self) -> bool:
        return self.status in (Status.BUILT, Status.REUSED, Status.COVERED)


@dataclass(frozen=True, slots=True)
class RunResult:
    """All outcomes of a run, the images that it used, and what its jobs shared in the compile cache."""

    outcomes: tuple[Outcome, ...]
    images: tuple[BuiltImage, ...]
    seconds: float
    sharing: Sharing = field(default_factory=Sharing)

    @property
    def failed(self) -> tuple[Outcome, ...]:
        return tuple(outcome for outcome in self.outcomes if not outcome.good)


@dataclass(frozen=True, slots=True)
class Said:
    """A line for the user."""

    text: str


@dataclass(frozen=True, slots=True)
class JobStarted:
    job: Job


@dataclass(frozen=True, slots=True)
class StageStarted:
    job: Job
    stage: str


@dataclass(frozen=True, slots=True)
class JobEnded:
    outcome: Outcome


Event = Said | JobStarted | StageStarted | JobEnded
