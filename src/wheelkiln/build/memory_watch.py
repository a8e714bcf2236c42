"""The peak memory of a job's container, read on this machine from its control group while it runs."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from wheelkiln.errors import EnvironmentProblem
from wheelkiln.system.cgroups import CGROUPS, anonymous_bytes, memory_cgroup
from wheelkiln.system.engine import ContainerEngine

__all__ = ["MemoryWatch", "watching_memory"]

_POLL_SECONDS = 0.25
_PROC = Path("/proc")


class MemoryWatch:
    """Samples what the container whose id appears in a file has of anonymous memory.

    The kernel keeps a peak of its own, but the page cache is in that. peak stays None where the container is on
    another machine, such as docker's virtual one, or its control group cannot be read.
    """

    def __init__(self, engine: ContainerEngine, id_file: Path, proc: Path = _PROC, cgroups: Path = CGROUPS) -> None:
        self.peak: int | None = None
        self._engine, self._id_file, self._proc, self._cgroups = engine, id_file, proc, cgroups
        self._statistics: Path | None = None
        self._lost = False
        self._ended = threading.Event()

    def look(self) -> None:
        """Take one sample; find the container first."""
        if self._statistics is None and not self._lost:
            self._find()
        if self._statistics is not None:
            try:
                now = anonymous_bytes(self._statistics.read_text(encoding="utf-8"))
            except OSError:  # it has ended
                return
            self.peak = self.peak if now is None else max(self.peak or 0, now)

    def watch(self) -> None:
        while not self._ended.wait(_POLL_SECONDS):
            self.look()

    def end(self) -> None:
        self._ended.set()

    def _find(self) -> None:
        """Ask the engine once for the container's process; a container that is not started yet has the number 0."""
        try:
            container = self._id_file.read_text(encoding="ascii").strip()
        except (OSError, ValueError):
            return
        if not container:
            return
        try:
            done = self._engine.run("inspect", "--format", "{{.State.Pid}}", container, timeout=20.0)
        except EnvironmentProblem:
            self._lost = True
            return
        pid = done.stdout.strip()
        if done.ok and pid == "0":
            return
        self._statistics = self._locate(pid, container) if done.ok and pid.isdigit() else None
        self._lost = self._statistics is None

    def _locate(self, pid: str, container: str) -> Path | None:
        """The group's name has the container's id, unless the number is that of a process of another machine."""
        try:
            cgroup = memory_cgroup((self._proc / pid / "cgroup").read_text(encoding="utf-8"), self._cgroups)
        except OSError:
            return None
        return cgroup / "memory.stat" if cgroup is not None and container in str(cgroup) else None


@contextmanager
def watching_memory(engine: ContainerEngine, id_file: Path) -> Iterator[MemoryWatch]:
    """Watch a container's memory while the context lasts."""
    watch = MemoryWatch(engine, id_file)
    thread = threading.Thread(target=watch.watch, daemon=True)
    thread.start()
    try:
        yield watch
    finally:
        watch.end()
        thread.join()
