"""Pruning the caches: by their limits, by age, by project, or all, without harm to runs that are going on."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from packaging.utils import canonicalize_name

from wheelkiln.build.compile_cache import CompileCacheCleaner
from wheelkiln.build.ledger import ledger_of
from wheelkiln.build.runs import KEPT_RUNS
from wheelkiln.cache.inventory import disk_usage
from wheelkiln.cache.presence import is_used, living_runs, pruning
from wheelkiln.cache.settings import parse_size
from wheelkiln.cache.store import StoredWheel, WheelStore, store_of
from wheelkiln.config.model import Config
from wheelkiln.plan.model import namespace_of

__all__ = ["Pruned", "Scope", "prune_caches"]

_COMPILE = ("ccache", "ccache-root")
_IN_USE = (
    "links",
    "links-root",
    "cython",
    "cython-root",
    "sccache",
    "sccache-root",
    "environments",
    "uv",
    "uv-root",
    "uv-tests",
    "uv-tests-root",
    "resolver",
    "sdists",
    "trees",
)
"""What a run reads at any time; none of it is removed while one is going on."""
_KEPT_RESULTS = ("links", "links-root", "cython", "cython-root")
"""Caches with a directory for each namespace, and a file for each result (link_store.py in images)."""
_SDISTS = ("sdists", "trees")
_UNUSED_ENVIRONMENTS = 14 * 24 * 3600.0
_STALE_SECONDS = 24 * 3600.0
_PLATFORMS = tuple(f"x-{libc}_{arch}" for libc in ("manylinux", "musllinux") for arch in ("x86_64", "aarch64"))


@dataclass(frozen=True, slots=True)
class Scope:
    """What is to go: by default what is beyond the limits, else one of the others. older_than is in seconds."""

    older_than: float | None = None
    project: str = ""
    everything: bool = False
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class Pruned:
    """What became of one cache: bytes and files that went, or the reason why it was left alone.

    is_known is false where a dry run cannot tell what ccache would remove.
    """

    cache: str
    size: int = 0
    files: int = 0
    kept: str = ""
    is_known: bool = True


@dataclass(frozen=True, slots=True)
class _Pruning:
    config: Config
    root: Path
    scope: Scope
    find_cleaner: Callable[[], CompileCacheCleaner | None]
    now: float
    is_used: bool


def prune_caches(
    config: Config,
    root: Path,
    scope: Scope,
    find_cleaner: Callable[[], CompileCacheCleaner | None],
    *,
    now: float,
    say: Callable[[str], None],
) -> tuple[Pruned, ...]:
    """Remove what the scope names, or with dry_run only tell what that is; now is in seconds since 1970."""
    if not root.is_dir():
        return ()
    with pruning(root, on_wait=lambda: say("another prune is at work; waiting for it to end")):
        work = _Pruning(config, root, scope, find_cleaner, now, is_used(root))
        found = [*_prune_compile_cache(work), _prune_wheels(work), *_prune_used(work), *_prune_rest(work)]
    return tuple(entry for entry in found if entry.size or entry.files or entry.kept or not entry.is_known)


def _prune_wheels(work: _Pruning) -> Pruned:
    store = store_of(work.root)
    chosen = _choose_wheels(work, store)
    if not work.scope.dry_run:
        store.remove_leftovers()
        for wheel in chosen:
            store.remove(wheel)
    return Pruned("wheels", sum(wheel.size for wheel in chosen), len(chosen))


def _choose_wheels(work: _Pruning, store: WheelStore) -> tuple[StoredWheel, ...]:
    scope = work.scope
    if scope.everything:
        return store.wheels()
    if scope.project:
        built = {job.sha256 for job in ledger_of(work.root).history(scope.project)}
        names = (wheel for wheel in store.wheels() if wheel.sha256 in built or _project_of(wheel) == scope.project)
        return tuple(names)
    if scope.older_than is not None:
        limit = work.now - scope.older_than
        return tuple(wheel for wheel in store.wheels() if wheel.used < limit)
    return store.excess(parse_size(work.config.cache.wheels_max_size))


def _project_of(wheel: StoredWheel) -> str:
    return canonicalize_name(wheel.path.name.partition("-")[0])


def _prune_compile_cache(work: _Pruning) -> Iterator[Pruned]:
    places = [work.root / name for name in _COMPILE if (work.root / name).is_dir()]
    filled = [place for place in places if disk_usage(place)[1]]
    if not filled:
        return
    if work.scope.dry_run:
        size, files = disk_usage(*filled)
        yield Pruned("compile", size, files) if work.scope.everything else Pruned("compile", is_known=False)
        return
    cleaner = work.find_cleaner()
    for place in filled:
        before = disk_usage(place)
        reason = _clean(work, place, cleaner)
        after = disk_usage(place)
        yield Pruned("compile", max(0, before[0] - after[0]), max(0, before[1] - after[1]), kept=reason)


def _clean(work: _Pruning, place: Path, cleaner: CompileCacheCleaner | None) -> str:
    """Let ccache do it where an image has it; without one only all can be removed, and only while no run uses it."""
    if cleaner is not None:
        return cleaner.clean(place, _ccache_arguments(work), as_root=place.name.endswith("-root"))
    if not work.scope.everything:
        return "ccache does this, and no engine with an image of wheelkiln's answers"
    if work.is_used:
        return "a build is going on"
    _empty(place)
    return ""


def _ccache_arguments(work: _Pruning) -> list[str]:
    scope = work.scope
    if scope.everything:
        return ["--clear"]
    if scope.older_than is not None:
        return ["--evict-older-than", f"{max(1, round(scope.older_than))}s"]
    if scope.project:
        return [part for name in sorted(_namespaces(work)) for part in ("--evict-namespace", name)]
    return ["--cleanup"]


def _namespaces(work: _Pruning) -> frozenset[str]:
    """The namespaces of a project's jobs: those that ended here, and those that any plan may have had."""
    project = work.scope.project
    jobs = {job.id for job in ledger_of(work.root).history(project)} | set(_PLATFORMS)
    return frozenset(namespace_of(project, job) for job in jobs)


def _prune_used(work: _Pruning) -> Iterator[Pruned]:
    """Prune what a run may read at any moment."""
    for name in _IN_USE:
        chosen = tuple(_choose_entries(work, work.root / name))
        size, files = disk_usage(*chosen)
        if files and work.is_used:
            yield Pruned(name, kept="a build is going on")
        else:
            _remove(work, chosen)
            yield Pruned(name, size, files)


def _choose_entries(work: _Pruning, place: Path) -> Iterator[Path]:
    scope = work.scope
    entries = sorted(place.iterdir()) if place.is_dir() else []
    if scope.everything:
        yield from entries
    elif place.name == "environments" and not scope.project:
        limit = work.now - (_UNUSED_ENVIRONMENTS if scope.older_than is None else scope.older_than)
        yield from (entry for entry in entries if _is_older(entry, limit))
    elif place.name in _KEPT_RESULTS and scope.project:
        yield from (entry for entry in entries if entry.name in _namespaces(work))
    elif place.name in _KEPT_RESULTS and scope.older_than is not None:
        limit = work.now - scope.older_than
        yield from (path for path in place.glob("*/*/*") if _is_older(path, limit))
    elif place.name in _SDISTS and scope.project:
        yield from (entry for entry in entries if any(map(_is_of(scope.project), entry.rglob("*.tar.gz"))))
    elif place.name in _SDISTS and scope.older_than is not None:
        yield from (entry for entry in entries if _is_older(entry, work.now - scope.older_than))


def _is_of(project: str) -> Callable[[Path], bool]:
    return lambda sdist: canonicalize_name(sdist.name.rpartition("-")[0]) == project


def _prune_rest(work: _Pruning) -> Iterator[Pruned]:
    """Prune what only finished runs have left: logs, scratch space, and the memory of builds."""
    scope, root = work.scope, work.root
    living = living_runs(root)
    runs = [run for run in sorted((root / "runs").glob("*")) if run.name not in living]
    if scope.older_than is not None:
        runs = [run for run in runs if _is_older(run, work.now - scope.older_than)]
    elif not scope.everything:
        runs = runs[:-KEPT_RUNS] if not scope.project else []
    scratch = [path for path in sorted((root / "tmp").glob("*")) if _is_older(path, work.now - _STALE_SECONDS)]
    calls = (root / "calls").glob("*") if scope.everything or scope.project else ()
    chosen_calls = [path for path in calls if scope.everything or path.name == scope.project]
    for name, chosen in (("runs", runs), ("scratch", scratch), ("calls", chosen_calls)):
        size, files = disk_usage(*chosen)
        _remove(work, chosen)
        yield Pruned(name, size, files)
    if scope.everything or scope.project:
        ledger = ledger_of(root)
        entries = len(ledger.history(scope.project)) if scope.dry_run else ledger.forget(scope.project)
        yield Pruned("history", 0, entries)


def _is_older(path: Path, limit: float) -> bool:
    try:
        return path.stat().st_mtime < limit
    except OSError:
        return False


def _remove(work: _Pruning, paths: tuple[Path, ...] | list[Path]) -> None:
    if work.scope.dry_run:
        return
    for path in paths:
        _delete(path)


def _empty(directory: Path) -> None:
    """Remove what is in a directory: itself it may be mounted somewhere."""
    for entry in directory.iterdir():
        _delete(entry)


def _delete(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
