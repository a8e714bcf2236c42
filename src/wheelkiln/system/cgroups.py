"""Control groups: what the processes of one container use (kernel: admin-guide/cgroup-v2 and cgroup-v1/memory)."""

from __future__ import annotations

from pathlib import Path

__all__ = ["CGROUPS", "anonymous_bytes", "available_memory", "memory_cgroup"]

CGROUPS = Path("/sys/fs/cgroup")


def memory_cgroup(text: str, root: Path = CGROUPS) -> Path | None:
    """Return the directory of a process's memory cgroup, from its /proc/PID/cgroup (cgroups(7)): v1, else v2."""
    entries = [line.partition(":")[2].partition(":") for line in text.splitlines()]
    for controllers, _, path in entries:
        if "memory" in controllers.split(","):
            return root / "memory" / path.lstrip("/")
    controllers, colon, path = entries[0] if len(entries) == 1 else ("", "", "")
    return root / path.lstrip("/") if colon and not controllers else None


def anonymous_bytes(text: str) -> int | None:
    """Return a cgroup's anonymous memory, children included, from its memory.stat: total_rss in v1, anon in v2.

    The kernel's own peak has the page cache in it, which grows with every file that is read until the machine is full.
    """
    for line in text.splitlines():
        name, _, value = line.partition(" ")
        if name in ("total_rss", "anon") and value.isdigit():
            return int(value)
    return None


def available_memory(proc: Path = Path("/proc"), root: Path = CGROUPS) -> int | None:
    """Return the bytes that this process and its children may use now; None where the kernel does not tell.

    That is what the machine has available (proc_meminfo(5)), or what the own cgroup leaves, if that is less.
    """
    found = [_machine_memory(proc / "meminfo"), _cgroup_memory(proc / "self/cgroup", root)]
    return min((value for value in found if value is not None), default=None)


def _machine_memory(path: Path) -> int | None:
    for line in _read(path).splitlines():
        name, _, value = line.partition(":")
        number = value.split()[:1]
        if name == "MemAvailable" and number and number[0].isdigit():
            return int(number[0]) * 1024
    return None


def _cgroup_memory(path: Path, root: Path) -> int | None:
    directory = memory_cgroup(_read(path), root)
    if directory is None:
        return None
    limit, usage = (
        next((int(text) for name in names if (text := _read(directory / name).strip()).isdigit()), None)
        for names in (("memory.max", "memory.limit_in_bytes"), ("memory.current", "memory.usage_in_bytes"))
    )
    return None if limit is None or usage is None else max(0, limit - usage)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return ""
