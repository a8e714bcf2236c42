"""A job's output: kept as lines and in a file, and read as stages."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TextIO

from wheelkiln.build.outcome import Event, Said, StageStarted
from wheelkiln.build.stages import StageClock, plain_text, stage_of
from wheelkiln.plan.model import Job
from wheelkiln.system.process import mask_secrets

__all__ = ["JobLog"]


class JobLog:
    """The log of one attempt at a job; attempts share the file and the clock."""

    def __init__(self, job: Job, file: TextIO, clock: StageClock, emit: Callable[[Event], None]) -> None:
        self.lines: list[str] = []
        self.stage = ""
        self.emit = emit
        self._job, self._file, self._clock = job, file, clock

    def begin(self, stage: str) -> None:
        """Begin a stage, unless it is the present one."""
        if stage != self.stage:
            self.stage = stage
            self._clock.begin(stage)
            self.emit(StageStarted(self._job, stage))

    def keep(self, lines: Iterable[str]) -> None:
        """Keep lines that were printed elsewhere."""
        for line in lines:
            self.lines.append(line)
            self._file.write(line + "\n")

    def say(self, line: str) -> None:
        """Keep a line, and tell the user."""
        self.keep([line])
        self.emit(Said(f"{self._job.id}: {line}"))

    def note(self, raw: str) -> None:
        """Keep a line; one that begins a stage begins it."""
        line = mask_secrets(plain_text(raw))
        self.lines.append(line)
        self._file.write(line + "\n")
        begun = stage_of(line)
        if begun is not None:
            self.begin(begun)
