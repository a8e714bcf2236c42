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
from wheelkiln.system.engine import ContainerEngine
from wheelkiln.system.files import make_directory, naming_storage_errors
from wheelkiln.system.locks import exclusive

__all__ = ["CONTAINER_ID", "JOBSERVER", "KEPT_RUNS", "remove_dead_containers", "run_directory"]

KEPT_RUNS = 20
JOBSERVER = "jobserver"
"""Name of the directory of the jobserver's fifo, in a run's directory."""
CONTAINER_ID = "container-id"
"""Name of the file that the engine writes the container's id to, in a job's directory."""
_STALE_SECONDS = 24 * 3600.0
"""Age at which a source's scratch directory cannot belong to a living run."""


@contextmanager
def run_directory(request: BuildRequest) -> Iterator[tuple[str, Path]]:
    """Make this run's directory for logs and scratch, and hold the lock that says that the run lives."""
    owner = _owner(request.cache_root)
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
    """Keep the logs of the last runs; what a killed run left besides its logs goes at once."""
    living = living_runs(cache_root)
    finished = [run for run in sorted(runs.iterdir()) if run.name not in living]
    for run in finished[: max(0, len(finished) - KEPT_RUNS)]:
        shutil.rmtree(run, ignore_errors=True)
    for source in (cache_root / "tmp").glob("source-*"):
        if time.time() - source.stat().st_mtime > _STALE_SECONDS:
            shutil.rmtree(source, ignore_errors=True)
    for run in finished[-KEPT_RUNS:]:
        for scratch in (
            *run.glob("*/tmp"),
            *run.glob("*/wheels"),
            *run.glob("**/place-*"),
            *run.glob(f"*/mount/{PROJECT_SCRATCH}"),
        ):
            shutil.rmtree(scratch, ignore_errors=True)
        shutil.rmtree(run / JOBSERVER, ignore_errors=True)
        for file in (*run.glob(f"*/mount/{CALLS_LOG}"), *run.glob(f"*/{CONTAINER_ID}")):
            file.unlink(missing_ok=True)


def remove_dead_containers(engine: ContainerEngine, cache_root: Path) -> None:
    """Remove containers of runs that used this cache directory and are no longer alive."""
    for run_id in engine.runs_with_containers():
        if run_id.startswith(f"{_owner(cache_root)}-") and not is_alive(cache_root, run_id):
            engine.remove_containers(run_id)


def _owner(cache_root: Path) -> str:
    return hashlib.sha256(str(cache_root.resolve()).encode()).hexdigest()[:8]
