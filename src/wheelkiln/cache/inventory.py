"""What lies in the cache directory: the caches, their places, their sizes and limits."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from wheelkiln.cache.settings import parse_size
from wheelkiln.config.model import Config

__all__ = ["Cache", "CacheSize", "disk_usage", "list_caches", "measure_caches"]

_BLOCK = 512
"""The unit of st_blocks (stat(2))."""


@dataclass(frozen=True, slots=True)
class Cache:
    """One cache: names of its places below the cache directory, and its limit as configured, empty without one."""

    name: str
    places: tuple[str, ...]
    limit: str = ""

    @property
    def limit_bytes(self) -> int | None:
        return parse_size(self.limit) if self.limit else None


@dataclass(frozen=True, slots=True)
class CacheSize:
    """A cache as it is now: bytes that its files take on the disk, and their number."""

    cache: Cache
    size: int
    files: int


def list_caches(config: Config) -> tuple[Cache, ...]:
    """Return all caches, those that a build writes first."""
    return (
        Cache("compile", ("ccache", "ccache-root"), config.cache.max_size),
        Cache("compile-rust", ("sccache", "sccache-root"), config.cache.max_size),
        Cache("links", ("links", "links-root"), config.cache.max_size),
        Cache("cython", ("cython", "cython-root"), config.cache.max_size),
        Cache("environments", ("environments",)),
        Cache("packages", ("uv", "uv-root", "uv-tests", "uv-tests-root", "resolver")),
        Cache("wheels", ("wheels",), config.cache.wheels_max_size),
        Cache("sdists", ("sdists", "trees")),
        Cache("runs", ("runs", "states")),
        Cache("images", ("images",)),
        Cache("calls", ("calls",)),
        Cache("history", ("ledger.sqlite", "ledger.sqlite-wal", "ledger.sqlite-shm")),
        Cache("scratch", ("tmp", "locks", "pip", "statistics")),
    )


def measure_caches(config: Config, root: Path) -> tuple[CacheSize, ...]:
    """Return the sizes of all caches that are there."""
    found = []
    for cache in list_caches(config):
        size, files = disk_usage(*(root / place for place in cache.places))
        if files:
            found.append(CacheSize(cache, size, files))
    return tuple(found)


def disk_usage(*paths: Path) -> tuple[int, int]:
    """Return the bytes and the number of files below paths; a file with several names counts once."""
    seen: set[tuple[int, int]] = set()
    total = 0
    for path in paths:
        for about in _walk(path):
            if (about.st_dev, about.st_ino) not in seen:
                seen.add((about.st_dev, about.st_ino))
                total += about.st_blocks * _BLOCK
    return total, len(seen)


def _walk(path: Path) -> Iterator[os.stat_result]:
    """Yield what is known of every file; builds may be adding and removing some meanwhile."""
    with suppress(OSError):
        if not path.is_dir():
            yield path.lstat()
            return
        waiting = [str(path)]
        while waiting:
            with suppress(OSError), os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
                    else:
                        with suppress(OSError):
                            yield entry.stat(follow_symlinks=False)
