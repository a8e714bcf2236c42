"""What became of a job, and the events on the way there."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from wheelkiln.cache.remote_use import RemoteUse
from wheelkiln.cache.sharing import Sharing
from wheelkiln.cache.statistics import CompileStatistics
from wheelkiln.image.provide import BuiltImage
from wheelkiln.plan.model import Job
from wheelkiln.verify.findings import Finding

__all__ = [
    "Event",
    "Gate",
    "GateVerdict",
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
    """rejected: built, but not what it claims to be, so that it did not land. cancelled: another job failed first."""

    BUILT = "built"
    REUSED = "reused"
    COVERED = "covered"
    FAILED = "failed"
    REJECTED = "rejected"
    CANCELLED = "cancelled"


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
    that serves a covered job. statistics is None when the compile cache was not asked, remote when there was no
    remote one. requirements are those of the build environment, with their versions. from_store tells whether a
    reused wheel came from the wheel store rather than lying in the output directory. memory is the container's peak in
    bytes, None where it could not be read. kept_bytes is the size of a failed job's container that is kept for a shell,
    None where none is. host is the configured machine that it ran on, empty for this one; emulated tells whether that
    one ran the job's architecture under an emulator. attempts is more than one where the engine failed for a moment.
    findings are the warnings about a wheel that was checked in this run.
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
    remote: RemoteUse | None = None
    memory: int | None = None
    kept_bytes: int | None = None
    host: str = ""
    emulated: bool = False
    attempts: int = 1
    findings: tuple[Finding, ...] = ()

    @property
    def good(self) -> bool:
        return self.status in (Status.BUILT, Status.REUSED, Status.COVERED)

    @property
    def cancelled(self) -> bool:
        return self.status is Status.CANCELLED


class GateVerdict(StrEnum):
    """off: nothing that the gate looks at was compiled."""

    PASSED = "passed"
    FAILED = "failed"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class Gate:
    """What the gate found: jobs are the ids of those that it looked at, reasons say why it did not look at others."""

    verdict: GateVerdict
    min_hit_rate: float
    hits: int = 0
    calls: int = 0
    jobs: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()

    @property
    def hit_rate(self) -> float | None:
        return self.hits / self.calls if self.calls else None


@dataclass(frozen=True, slots=True)
class RunResult:
    """All outcomes of a run, the images that it used, and what its jobs shared in the compile cache.

    gate is None where none is asked for. remote is the place of the remote cache that was used, empty without one.
    emulators are the programs, with their versions, under which this machine ran other architectures.
    """

    outcomes: tuple[Outcome, ...]
    images: tuple[BuiltImage, ...]
    seconds: float
    sharing: Sharing = field(default_factory=Sharing)
    gate: Gate | None = None
    remote: str = ""
    emulators: tuple[tuple[str, str], ...] = ()

    @property
    def failed(self) -> tuple[Outcome, ...]:
        return tuple(outcome for outcome in self.outcomes if not outcome.good and not outcome.cancelled)

    @property
    def cancelled(self) -> tuple[Outcome, ...]:
        return tuple(outcome for outcome in self.outcomes if outcome.cancelled)


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
