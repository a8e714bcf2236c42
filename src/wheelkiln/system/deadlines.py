"""Deadlines: children that end in time, and readings that are taken side by side and given up together."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Generic, TypeVar

from wheelkiln.system.process import Completed, Runner

__all__ = ["BoundedRunner", "Pending"]

_LEAST_SECONDS = 0.2

T = TypeVar("T")


class BoundedRunner:
    """A runner whose children all end by one moment (monotonic seconds), so that none outlives who asked."""

    def __init__(self, runner: Runner, end: float) -> None:
        self._runner = runner
        self._end = end

    def capture(
        self,
        argv: Sequence[str],
        *,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        timeout: float | None = None,
        stdin: Path | None = None,
    ) -> Completed:
        left = max(_LEAST_SECONDS, self._end - _LEAST_SECONDS - time.monotonic())
        bounded = left if timeout is None else min(timeout, left)
        return self._runner.capture(argv, cwd=cwd, env=env, timeout=bounded, stdin=stdin)

    def stream(
        self,
        argv: Sequence[str],
        *,
        on_line: Callable[[str], None],
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
    ) -> int:
        return self._runner.stream(argv, on_line=on_line, cwd=cwd, env=env)

    def interact(self, argv: Sequence[str], *, env: Mapping[str, str] | None = None) -> int:
        return self._runner.interact(argv, env=env)

    def stop(self) -> None:
        self._runner.stop()


class Pending(Generic[T]):
    """A reading that is being taken.

    Its thread is a daemon: name resolution knows no timeout, and must not hold the process at its end.
    """

    def __init__(self, take: Callable[[], T], lost: T) -> None:
        self._result = lost
        self._fault: Exception | None = None
        self._thread = threading.Thread(target=self._run, args=(take,), daemon=True)
        self._thread.start()

    def _run(self, take: Callable[[], T]) -> None:
        try:
            self._result = take()
        except Exception as fault:  # noqa: BLE001 - raised again where the result is asked for
            self._fault = fault

    def result_by(self, end: float) -> T:
        """Return the reading, or what stands for a lost one when it is not there by end (monotonic seconds)."""
        self._thread.join(max(0.0, end - time.monotonic()))
        if self._fault is not None:
            raise self._fault
        return self._result
