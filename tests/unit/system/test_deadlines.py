"""Readings that hang are given up, and children are told to end in time."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from wheelkiln.system.deadlines import BoundedRunner, Pending
from wheelkiln.system.process import Completed


class NotingRunner:
    def __init__(self) -> None:
        self.timeouts: list[float | None] = []

    def capture(
        self,
        argv: Sequence[str],
        *,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        timeout: float | None = None,
        stdin: Path | None = None,
    ) -> Completed:
        self.timeouts.append(timeout)
        return Completed(tuple(argv), 0, "", "")

    def stream(
        self,
        argv: Sequence[str],
        *,
        on_line: Callable[[str], None],
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
    ) -> int:
        return 0

    def interact(self, argv: Sequence[str], *, env: Mapping[str, str] | None = None) -> int:
        raise NotImplementedError

    def stop(self) -> None:
        pass


def test_a_reading_in_time_is_returned() -> None:
    assert Pending(lambda: 1, 0).result_by(time.monotonic() + 5) == 1


def test_a_hanging_reading_is_given_up() -> None:
    release = threading.Event()
    pending = Pending(lambda: str(release.wait()), "lost")
    assert pending.result_by(time.monotonic() + 0.05) == "lost"
    release.set()


def test_a_fault_is_raised_where_the_reading_is_asked_for() -> None:
    def take() -> int:
        raise KeyError("bug")

    with pytest.raises(KeyError):
        Pending(take, 0).result_by(time.monotonic() + 5)


def test_children_end_before_the_deadline() -> None:
    runner = NotingRunner()
    bounded = BoundedRunner(runner, time.monotonic() + 3)
    for timeout in (None, 20.0, 1.0):
        bounded.capture(["x"], timeout=timeout)
    late = BoundedRunner(runner, time.monotonic() - 5)
    late.capture(["x"])
    assert all(timeout is not None and 0 < timeout < 3 for timeout in runner.timeouts)
    assert runner.timeouts[2] == 1.0
