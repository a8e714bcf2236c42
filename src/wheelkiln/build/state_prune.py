"""Pruning kept states: their images are the engine's, so it must be there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from wheelkiln.build.prune import Pruned, Scope
from wheelkiln.build.states import KeptState, list_states, prune_states
from wheelkiln.system.engine import ContainerEngine

__all__ = ["prune_kept_states"]

_UNUSED_SECONDS = 14 * 24 * 3600.0
"""Age at which the build environment of a state may be gone, too."""


def prune_kept_states(
    cache_root: Path, scope: Scope, find_engine: Callable[[], ContainerEngine | None], *, now: float
) -> tuple[Pruned, ...]:
    """Remove the states that the scope names, by default old ones; now is in seconds since 1970."""

    def is_chosen(state: KeptState) -> bool:
        if scope.everything or scope.project:
            return scope.everything or state.project == scope.project
        return state.time < now - (_UNUSED_SECONDS if scope.older_than is None else scope.older_than)

    chosen = tuple(filter(is_chosen, list_states(cache_root)))
    if not chosen:
        return ()
    gone = prune_states(None if scope.dry_run else find_engine(), cache_root, is_chosen, dry_run=scope.dry_run)
    kept = "" if len(gone) == len(chosen) else "their engine does not answer"
    return (Pruned("failed jobs' containers", sum(state.size for state in gone), len(gone), kept=kept),)
