"""Who uses a cache directory now, and how what prunes it keeps out of their way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from wheelkiln.system.files import make_directory
from wheelkiln.system.locks import exclusive, is_abandoned, is_held, scratch_directory

__all__ = ["is_alive", "is_used", "living_runs", "pruning", "run_lock", "source_directory", "wait_for_prune"]

_PRUNE_LOCK = "prune"
_SOURCES = "source-"


def run_lock(run_id: str) -> str:
    """Name the lock that a run holds while it lives."""
    return f"run {run_id}"


def is_alive(cache_root: Path, run_id: str) -> bool:
    """Tell whether a run is going on."""
    return is_held(cache_root / "locks", run_lock(run_id))


def living_runs(cache_root: Path) -> frozenset[str]:
    """Return the ids of the runs with this cache directory that are going on."""
    runs = cache_root / "runs"
    names = [run.name for run in runs.iterdir()] if runs.is_dir() else []
    return frozenset(name for name in names if is_alive(cache_root, name))


def is_used(cache_root: Path) -> bool:
    """Tell whether a run is going on, or has read its source and is about to begin."""
    sources = (cache_root / "tmp").glob(f"{_SOURCES}*")
    return bool(living_runs(cache_root)) or not all(map(is_abandoned, sources))


@contextmanager
def source_directory(cache_root: Path) -> Iterator[Path]:
    """Give a source a scratch directory, whose lock tells that somebody builds from what was read of it."""
    scratch = make_directory(cache_root / "tmp", setting="[tool.wheelkiln.cache] dir")
    with scratch_directory(scratch, _SOURCES) as place:
        wait_for_prune(cache_root)
        yield place


def wait_for_prune(cache_root: Path) -> None:
    """Let a prune end that began before the caller's own lock told that it is there; a later one sees the lock."""
    with pruning(cache_root, on_wait=lambda: None):
        pass


def pruning(cache_root: Path, *, on_wait: Callable[[], None]) -> AbstractContextManager[None]:
    """Hold the lock of what prunes."""
    return exclusive(cache_root / "locks", _PRUNE_LOCK, on_wait=on_wait)
