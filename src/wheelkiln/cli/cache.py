"""``wheelkiln cache``: what the caches did, why they missed, whether they can be trusted."""

from __future__ import annotations

import click

from wheelkiln.cli.lazy import LazyGroup

__all__ = ["command"]

_COMMANDS = {
    "doctor": "Say why the compile cache missed, and what to do.",
    "prune": "Remove what is beyond the limits, old, of one project, or everything.",
    "stats": "Show the caches' sizes and limits, and their hits over time.",
    "verify": "Rebuild one job with an empty compile cache and compare the wheels.",
}
"""The module of each command's file in this package is ``cache_NAME``."""


@click.group(
    "cache",
    cls=LazyGroup,
    lazy=_COMMANDS,
    prefix="wheelkiln.cli.cache_",
    short_help="Look at the caches: statistics, missed hits, trust, size.",
)
def command() -> None:
    """Look at the caches: statistics, missed hits, trust, size."""
