"""Run one command and measure it: wall time, cibuildwheel's stages, and the memory of the containers it starts."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from load import Load, LoadCount
from wheelkiln.build.stages import StageClock, plain_text, stage_of
from wheelkiln.system.cgroups import anonymous_bytes, memory_cgroup
from wheelkiln.system.process import ProcessRunner, mask_secrets

_SAMPLE_SECONDS = 0.1
_KEPT_LINES = 60


@dataclass(frozen=True, slots=True)
class Measured:
    """A finished command; tail holds the last lines that it printed, load is of the compilers in its containers."""

    status: int
    seconds: float
    stages: dict[str, float]
    tail: tuple[str, ...]
    memory: int | None = None
    load: Load | None = None


def run_measured(
    argv: Sequence[str], *, cwd: Path, env: Mapping[str, str], containers: ContainerLabel | None = None
) -> Measured:
    """Run argv to its end; its output is read for stages as it comes."""
    tail: deque[str] = deque(maxlen=_KEPT_LINES)
    clock = StageReader(time.monotonic)

    def on_line(raw: str) -> None:
        line = mask_secrets(plain_text(raw))
        clock.read(line)
        if line.strip():
            tail.append(line)

    with ContainerWatch(containers) as watch:
        started = time.monotonic()
        clock.begin("cibuildwheel")
        status = ProcessRunner().stream(argv, on_line=on_line, cwd=cwd, env=env)
        seconds = time.monotonic() - started
    return Measured(status, round(seconds, 3), clock.finish(), tuple(tail), watch.peak, watch.load.result())


class StageReader:
    """Turns cibuildwheel's lines, read when they come, into the seconds of each stage."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = StageClock(clock)
        self._stage = ""

    def read(self, line: str) -> None:
        begun = stage_of(line)
        if begun is not None and begun != self._stage:
            self.begin(begun)

    def begin(self, stage: str) -> None:
        self._stage = stage
        self._clock.begin(stage)

    def finish(self) -> dict[str, float]:
        return {entry.stage: entry.seconds for entry in self._clock.finish()}


def reason_of(tail: Iterable[str]) -> str:
    """Return the line that says best why a command failed."""
    lines = [line.strip() for line in tail]
    marks = ("error:", "fatal error", "cibuildwheel: ", "failed:")
    return next((line for line in lines if any(mark in line.lower() for mark in marks)), lines[-1] if lines else "")


@dataclass(frozen=True, slots=True)
class ContainerLabel:
    """Which containers belong to a command: those with this label, whose value begins with prefix."""

    name: str
    prefix: str


class ContainerWatch:
    """A command's containers, sampled ten times a second: the peak of their anonymous memory, and their compilers.

    The kernel's own peak of a container has the page cache in it, which grows with every file that is read until the
    machine is full: it says nothing about what the build needs. Needs docker on this machine and its cgroups;
    otherwise nothing is found.
    """

    def __init__(self, label: ContainerLabel | None) -> None:
        self.peak: int | None = None
        self.load = LoadCount()
        self._label = label
        self._cgroups: list[Path] = []
        self._done = threading.Event()
        self._events: subprocess.Popen[str] | None = None
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Self:
        if self._label is None:
            return self
        filters = ["--filter=type=container", "--filter=event=start", f"--filter=label={self._label.name}"]
        shown = f'{{{{.ID}}}} {{{{index .Actor.Attributes "{self._label.name}"}}}}'
        with suppress(OSError):
            self._events = subprocess.Popen(
                ["docker", "events", *filters, "--format", shown],
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
            self._threads = [threading.Thread(target=work, daemon=True) for work in (self._listen, self._sample)]
            for thread in self._threads:
                thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        if self._events is not None:
            self._events.terminate()
            self._events.wait()
            for thread in self._threads:
                thread.join()
            if self._events.stdout is not None:
                self._events.stdout.close()

    def _listen(self) -> None:
        assert self._events is not None
        assert self._events.stdout is not None
        assert self._label is not None
        for line in self._events.stdout:
            container, _, value = line.strip().partition(" ")
            if not value.startswith(self._label.prefix):
                continue
            done = subprocess.run(
                ["docker", "inspect", "--format", "{{.State.Pid}}", container],
                capture_output=True,
                text=True,
                check=False,
            )
            with suppress(OSError):
                cgroup = memory_cgroup(Path(f"/proc/{done.stdout.strip()}/cgroup").read_text(encoding="utf-8"))
                self._cgroups += [cgroup] if cgroup else []

    def _sample(self) -> None:
        while not self._done.wait(_SAMPLE_SECONDS):
            now = 0
            for cgroup in list(self._cgroups):
                with suppress(OSError):  # a container that has ended
                    now += anonymous_bytes((cgroup / "memory.stat").read_text(encoding="utf-8")) or 0
            if now:
                self.peak = max(self.peak or 0, now)
            self.load.sample(list(self._cgroups))


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
