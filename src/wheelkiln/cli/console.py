"""The consoles: text from outside is never taken for markup, and output without a terminal is plain."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from wheelkiln.build.stages import plain_text
from wheelkiln.plan.model import Notice, Skipped
from wheelkiln.report.text import group_skipped

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["make_console", "plain_lines", "print_difference", "print_notices", "print_skipped"]

_PLAIN_WIDTH = 200


def make_console(*, stderr: bool) -> Console:
    """Make a console; without a terminal it is wide enough for whole lines, so that logs can be searched."""
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() or os.environ.get("COLUMNS") else _PLAIN_WIDTH
    return Console(stderr=stderr, markup=False, highlight=False, width=width)


def plain_lines(text: str) -> str:
    """Return text that may quote others without what a terminal would obey; its line breaks stay."""
    return "\n".join(plain_text(line) for line in text.split("\n"))


def print_difference(path: Path, text: str, *, made: str) -> bool:
    """Print how a file differs from the text that was made for it, and tell whether it does."""
    there = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
    if there == text:
        return False
    import difflib

    lines = difflib.unified_diff(
        there.splitlines(keepends=True), text.splitlines(keepends=True), str(path), f"{path} ({made})"
    )
    click.echo("".join(lines), nl=False)
    return True


def print_notices(notices: Iterable[Notice]) -> None:
    """Print each notice and its hint to stderr."""
    for notice in notices:
        click.secho("notice: ", fg="yellow", err=True, nl=False)
        click.echo(plain_lines(notice.message), err=True)
        if notice.hint:
            click.echo(f"        {plain_lines(notice.hint)}", err=True)


def print_skipped(skipped: Iterable[Skipped], *, err: bool) -> None:
    """Print what is not built with the reason, one line a reason."""
    groups = group_skipped(skipped)
    if groups:
        click.secho("not built:", bold=True, err=err)
    for ids, detail in groups:
        click.echo(f"  {', '.join(ids)}: {detail}", err=err)


def log_command(line: str) -> None:
    """Show a command that is about to run, for --verbose."""
    click.secho(f"+ {line}", fg="bright_black", err=True)
