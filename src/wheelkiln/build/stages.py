"""Reading cibuildwheel's output as stages, line by line."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from wheelkiln.build.outcome import StageSeconds

__all__ = ["StageClock", "plain_text", "stage_of"]

_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_STARTS = (
    ("Starting container image ", "start"),
    ("Copying project into container...", "copy"),
    ("Running before_all...", "before-all"),
    ("Setting up build environment...", "setup"),
    ("Running before_build...", "before-build"),
    ("* Creating isolated environment", "environment"),
    ("* Installing packages in isolated environment", "environment"),
    ("* Getting build dependencies", "environment"),
    ("* Building wheel...", "compile"),
    ("Building wheel...", "frontend"),
    ("Repairing wheel...", "repair"),
    ("Testing wheel...", "test"),
    ("Copying wheels back to host...", "collect"),
)
"""Prefixes of cibuildwheel's steps (cibuildwheel/platforms/linux.py) and of build's messages (build/__main__.py)."""


def plain_text(line: str) -> str:
    """Return a line without colour codes and control characters."""
    return "".join(char for char in _ANSI.sub("", line) if char.isprintable() or char == "\t")


def stage_of(line: str) -> str | None:
    """Return the stage that a plain line begins, None for all other lines."""
    return next((stage for prefix, stage in _STARTS if line.startswith(prefix)), None)


@dataclass(slots=True)
class StageClock:
    """Adds up the seconds of each stage, in the order in which they began; clock returns seconds."""

    clock: Callable[[], float]
    _order: dict[str, float] = field(default_factory=dict)
    _current: str = ""
    _since: float = 0.0

    def begin(self, stage: str) -> None:
        """End the current stage and begin another; a stage that comes back goes on adding."""
        now = self.clock()
        if self._current:
            self._order[self._current] += now - self._since
        self._current, self._since = stage, now
        if stage:
            self._order.setdefault(stage, 0.0)

    def finish(self) -> tuple[StageSeconds, ...]:
        self.begin("")
        return tuple(StageSeconds(stage, round(seconds, 3)) for stage, seconds in self._order.items())
