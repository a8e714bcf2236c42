"""``wheelkiln cache``: what the caches did, why they missed, whether they can be trusted."""

from __future__ import annotations

from importlib import import_module

import click

__all__ = ["command"]

_COMMANDS = {
    "doctor": "Say why the compile cache missed, and what to do.",
    "prune": "Remove what is beyond the limits, old, of one project, or everything.",
    "stats": "Show the caches' sizes and limits, and their hits over time.",
    "verify": "Rebuild one job with an empty compile cache and compare the wheels.",
}
"""The module of each command's file in this package is ``cache_NAME``."""


class _LazyGroup(click.Group):
    """Commands are imported when they are called, as those of the top group are."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        command: click.Command = import_module(f"wheelkiln.cli.cache_{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(sorted(_COMMANDS.items()))


@click.group("cache", cls=_LazyGroup, short_help="Look at the caches: statistics, missed hits, trust, size.")
def command() -> None:
    """Look at the caches: statistics, missed hits, trust, size."""
