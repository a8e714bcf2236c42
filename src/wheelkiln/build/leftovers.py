"""What dead runs left in the cache directory. Nothing of a living run is touched."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from wheelkiln.cache.presence import is_alive, living_runs
from wheelkiln.system.files import PART_PREFIX, PART_SUFFIX
from wheelkiln.system.locks import is_abandoned

__all__ = ["remove_leftovers_of_dead_runs"]

_SCRATCH = ("tmp", "resolver", "sdists")
_WRITTEN_BY_RUNS = ("wheels/*/*", "resolver/*", "calls/*")
_WRITTEN_BY_OTHERS = ("images/*", "trees/*/*", "pip")
_STALE_SECONDS = 600.0
"""Time without a change after which a file is no longer being written."""


def remove_leftovers_of_dead_runs(cache_root: Path, run_id: str) -> None:
    """Remove what runs with this cache directory left that are no longer alive; run_id is the run that asks."""
    for place in _abandoned(cache_root):
        shutil.rmtree(place, ignore_errors=True)
    for part in _parts(cache_root, alone=living_runs(cache_root) <= {run_id}):
        part.unlink(missing_ok=True)


def _abandoned(cache_root: Path) -> Iterator[Path]:
    """Scratch directories whose lock nobody holds, and environments that dead runs left half made."""
    for name in _SCRATCH:
        for place in (cache_root / name).glob("*-*"):
            if place.is_dir() and _is_scratch(place) and is_abandoned(place):
                yield place
    for part in (cache_root / "environments").glob("*.part"):
        if not is_alive(cache_root, part.stem.partition("-")[2]):
            yield part


def _is_scratch(place: Path) -> bool:
    return place.parent.name == "tmp" or place.name.startswith(("asking-", "fetching-"))


def _parts(cache_root: Path, *, alone: bool) -> Iterator[Path]:
    """Files that were being written. They do not tell by whom: while others may be at work, only old ones count."""
    for patterns, certain in ((_WRITTEN_BY_RUNS, alone), (_WRITTEN_BY_OTHERS, False)):
        for pattern in patterns:
            for part in cache_root.glob(f"{pattern}/{PART_PREFIX}*{PART_SUFFIX}"):
                with suppress(OSError):
                    if certain or time.time() - part.stat().st_mtime > _STALE_SECONDS:
                        yield part
