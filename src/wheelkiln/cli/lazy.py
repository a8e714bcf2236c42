"""A group of commands that are imported when they are called: --help imports none of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from importlib import import_module
from typing import Any

import click

__all__ = ["LazyGroup"]


class LazyGroup(click.Group):
    """lazy maps names to their help; prefix and a name make the name of the module that has the command.

    hidden are names of further commands, which no list shows.
    """

    def __init__(
        self, *args: Any, lazy: Mapping[str, str], prefix: str, hidden: Collection[str] = (), **values: Any
    ) -> None:
        super().__init__(*args, **values)
        self._lazy, self._prefix, self._hidden = lazy, prefix, hidden

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(self._lazy)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in {*self._lazy, *self._hidden}:
            return None
        command: click.Command = import_module(f"{self._prefix}{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(sorted(self._lazy.items()))

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        if args and args[0] not in {*self._lazy, *self._hidden}:
            import difflib

            near = difflib.get_close_matches(args[0], self._lazy, n=1)
            meant = f" Did you mean '{near[0]}'?" if near else ""
            raise click.UsageError(f"No such command '{args[0]}'.{meant}", ctx)
        return super().resolve_command(ctx, args)
