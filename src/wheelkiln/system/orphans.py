"""Processes that outlived the run that started them: a run that is killed cannot end its children."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

__all__ = ["RUN_VARIABLE", "kill_orphans"]

RUN_VARIABLE = "IO_WHEELKILN_RUN"
"""A variable in the environment of a run's children, and of theirs: the run's id."""


def kill_orphans(
    is_dead: Callable[[str], bool], proc: Path = Path("/proc"), kill: Callable[[int, int], None] = os.kill
) -> int:
    """Kill this user's processes whose run is dead, and return how many there were.

    is_dead is asked with a run's id. Who a process belongs to is read from its environment (proc(5)), so a number that
    the kernel has given to another process does no harm.
    """
    killed = 0
    for pid, run in _processes(proc):
        if pid != os.getpid() and is_dead(run):
            with suppress(ProcessLookupError, PermissionError):
                kill(pid, signal.SIGKILL)
                killed += 1
    return killed


def _processes(proc: Path) -> Iterator[tuple[int, str]]:
    mark = f"{RUN_VARIABLE}=".encode()
    for place in proc.glob("[0-9]*"):
        with suppress(OSError):  # another user's, or it has just ended
            for entry in (place / "environ").read_bytes().split(b"\0"):
                if entry.startswith(mark):
                    yield int(place.name), entry.removeprefix(mark).decode("utf-8", errors="replace")
