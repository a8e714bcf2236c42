"""Locks between runs, released by the kernel on any death: of output directories, images, scratch directories."""

from __future__ import annotations

import contextlib
import hashlib
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from wheelkiln.system.files import make_directory

__all__ = ["exclusive", "is_abandoned", "is_held", "scratch_directory"]

_SCRATCH_LOCK = "scratch"
_UNLOCKED_SECONDS = 24 * 3600.0
"""Age at which a scratch directory without a lock cannot be one that is just being made."""


@contextlib.contextmanager
def exclusive(lock_dir: Path, name: str, *, on_wait: Callable[[], None]) -> Iterator[None]:
    """Hold the lock called name; when another run has it, call on_wait once and queue behind it."""
    from filelock import FileLock, Timeout

    make_directory(lock_dir, setting="[tool.wheelkiln.cache] dir")
    lock = FileLock(_lock_path(lock_dir, name))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        on_wait()
        lock.acquire(poll_interval=0.2)
    try:
        yield
    finally:
        lock.release()


def is_held(lock_dir: Path, name: str) -> bool:
    """Tell whether a living run holds the lock called name."""
    from filelock import FileLock, Timeout

    path = _lock_path(lock_dir, name)
    if not path.exists():
        return False
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return True
    lock.release()
    return False


@contextlib.contextmanager
def scratch_directory(parent: Path, prefix: str) -> Iterator[Path]:
    """Make a directory that goes with the context, and hold a lock in it that tells that somebody uses it."""
    with (
        tempfile.TemporaryDirectory(dir=parent, prefix=prefix) as name,
        exclusive(Path(name), _SCRATCH_LOCK, on_wait=lambda: None),
    ):
        yield Path(name)


def is_abandoned(place: Path) -> bool:
    """Tell whether what made a scratch directory has died."""
    if _lock_path(place, _SCRATCH_LOCK).exists():
        return not is_held(place, _SCRATCH_LOCK)
    with contextlib.suppress(OSError):
        return time.time() - place.stat().st_mtime > _UNLOCKED_SECONDS
    return False


def _lock_path(lock_dir: Path, name: str) -> Path:
    return lock_dir / f"{hashlib.sha256(name.encode()).hexdigest()[:24]}.lock"
