"""What runs leave on engines that are elsewhere: removed at their end, and of dead runs by the next one."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from wheelkiln.build.environment_places import HOLDS, MADE, MADE_BY
from wheelkiln.build.runs import owner_of
from wheelkiln.build.volumes import ENVIRONMENT_LABEL, RUN_LABEL
from wheelkiln.cache.presence import is_alive
from wheelkiln.system.engine import ContainerEngine
from wheelkiln.system.volumes import VolumeStore

__all__ = ["clean_engine", "remove_run"]

_FOREIGN_SECONDS = 24 * 3600.0
"""Age at which a run of another machine with a cache directory of the same name cannot be alive."""
_UNUSED_SECONDS = 14 * 24 * 3600.0


def remove_run(engine: ContainerEngine, run_id: str) -> None:
    """Remove a run's containers and, elsewhere, its volumes."""
    engine.remove_containers(run_id)
    if engine.elsewhere:
        volumes = VolumeStore(engine)
        volumes.remove(*volumes.labelled(f"{RUN_LABEL}={run_id}"))


def clean_engine(engine: ContainerEngine, cache_root: Path, now: float | None = None) -> None:
    """Remove what dead runs with this cache directory left on an engine, and environments that grew old.

    Caches stay. Another machine may have a cache directory of the same name, and its runs be alive: of those only
    what is a day old goes.
    """
    now = time.time() if now is None else now
    dead = {run_id for run_id in _runs_on(engine, owner_of(cache_root)) if _is_dead(cache_root, run_id, now)}
    for run_id in dead:
        remove_run(engine, run_id)
    if engine.elsewhere:
        volumes = VolumeStore(engine)
        environments = volumes.labelled(f"{ENVIRONMENT_LABEL}={owner_of(cache_root)}")
        volumes.remove(*_spent(environments, cache_root, now))


def _runs_on(engine: ContainerEngine, owner: str) -> Iterator[str]:
    found = set(engine.runs_with_containers())
    if engine.elsewhere:
        found |= {labels.get(RUN_LABEL, "") for labels in VolumeStore(engine).labelled(RUN_LABEL).values()}
    yield from (run_id for run_id in sorted(found) if run_id.startswith(f"{owner}-"))


def _is_dead(cache_root: Path, run_id: str, now: float) -> bool:
    if is_alive(cache_root, run_id):
        return False
    return (cache_root / "runs" / run_id).is_dir() or now - _begin_of(run_id) > _FOREIGN_SECONDS


def _begin_of(run_id: str) -> float:
    """Return when a run began, in seconds since 1970; an id that does not say it began long ago."""
    found = re.search(r"-(\d{8}T\d{6})-", run_id)
    return time.mktime(time.strptime(found[1], "%Y%m%dT%H%M%S")) if found else 0.0


def _spent(environments: Mapping[str, Mapping[str, str]], cache_root: Path, now: float) -> Iterator[str]:
    """Yield half-made environments of dead runs, and all that are so old that they are made anew."""
    held = {labels.get(HOLDS, "") for labels in environments.values()}
    for name, labels in environments.items():
        made = labels.get(MADE, "")
        is_old = now - (float(made) if made.isdigit() else 0.0) > _UNUSED_SECONDS
        is_used = HOLDS in labels or name in held
        if is_old or (not is_used and _is_dead(cache_root, labels.get(MADE_BY, ""), now)):
            yield name
