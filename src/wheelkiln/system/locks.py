"""Locks between runs: one writer per output directory and per image, released by the kernel on any death."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

from wheelkiln.system.files import make_directory

__all__ = ["exclusive", "is_held"]


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


def _lock_path(lock_dir: Path, name: str) -> Path:
    return lock_dir / f"{hashlib.sha256(name.encode()).hexdigest()[:24]}.lock"
