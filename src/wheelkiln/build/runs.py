"""The directories of runs, and what dead ones left."""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from wheelkiln.build.request import PROJECT_SCRATCH, BuildRequest
from wheelkiln.cache.presence import is_alive, living_runs, run_lock, wait_for_prune
from wheelkiln.cache.settings import CALLS_LOG
from wheelkiln.system.files import make_directory, naming_storage_errors
from wheelkiln.system.locks import exclusive
from wheelkiln.system.orphans import kill_orphans

__all__ = ["CONTAINER_ID", "HELD", "JOBSERVER", "KEPT_RUNS", "job_log", "owner_of", "run_directory"]

KEPT_RUNS = 20
JOBSERVER = "jobserver"
"""Name of the directory of the jobserver's fifo, in a run's directory."""
CONTAINER_ID = "container-id"
"""Name of the file that the engine writes the container's id to, in a job's directory."""
HELD = "held"
"""Name of the directory of a finished wheel that has not landed yet, in a job's directory."""
_SCRATCH = (
    f"*/{HELD}",
    "*/tmp",
    "*/wheels",
    "**/place-*",
    f"*/mount/{PROJECT_SCRATCH}",
    f"environments/*/mount/{PROJECT_SCRATCH}",
    JOBSERVER,
    "own-environments",
)
"""Directories that a job or the run removes at its end."""


@contextmanager
def run_directory(request: BuildRequest) -> Iterator[tuple[str, Path]]:
    """Make this run's directory for logs and scratch, and hold the lock that says that the run lives."""
    owner = owner_of(request.cache_root)
    run_id = f"{owner}-{time.strftime('%Y%m%dT%H%M%S')}-{os.getpid()}-{secrets.token_hex(3)}"
    runs = make_directory(request.cache_root / "runs", setting="[tool.wheelkiln.cache] dir")
    with exclusive(request.cache_root / "locks", run_lock(run_id), on_wait=lambda: None):
        _remove_old_runs(runs, request.cache_root)
        run_dir = runs / run_id
        with naming_storage_errors(run_dir, setting="[tool.wheelkiln.cache] dir"):
            run_dir.mkdir()
            wait_for_prune(request.cache_root)
            yield run_id, run_dir


def _remove_old_runs(runs: Path, cache_root: Path) -> None:
    """Keep the logs of the last runs; what a killed run left besides its logs goes at once.

    Its processes go first: one that goes on would write more.
    """
    owner = f"{owner_of(cache_root)}-"
    kill_orphans(lambda run: run.startswith(owner) and not is_alive(cache_root, run))
    living = living_runs(cache_root)
    finished = [run for run in sorted(runs.iterdir()) if run.name not in living]
    for run in finished[: max(0, len(finished) - KEPT_RUNS)]:
        shutil.rmtree(run, ignore_errors=True)
    for run in finished[-KEPT_RUNS:]:
        for scratch in (found for pattern in _SCRATCH for found in run.glob(pattern)):
            shutil.rmtree(scratch, ignore_errors=True)
        for file in (*run.glob(f"*/mount/{CALLS_LOG}"), *run.glob(f"*/{CONTAINER_ID}")):
            file.unlink(missing_ok=True)


def job_log(cache_root: Path, run_id: str, job_id: str) -> Path:
    """Return where the log of a run's job is, as long as it is kept."""
    return cache_root / "runs" / run_id / job_id.replace("/", "_") / "build.log"


def owner_of(cache_root: Path) -> str:
    """Return what the ids of all runs with a cache directory begin with."""
    return hashlib.sha256(str(cache_root.resolve()).encode()).hexdigest()[:8]
