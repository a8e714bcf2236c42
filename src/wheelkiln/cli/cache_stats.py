"""``wheelkiln cache stats``: how large the caches are, and how well they hit."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from wheelkiln.cli.own_config import load_own_config

__all__ = ["cache_options", "command"]


def cache_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that choose a cache directory."""
    decorators = [
        click.argument("directory", default=".", type=click.Path(path_type=Path, file_okay=False, exists=True)),
        click.option("--config", "config_file", type=click.Path(path_type=Path), help="Configuration file to use."),
        click.option("--cache-dir", metavar="DIR", help="Directory of all caches."),
    ]
    for decorator in reversed(decorators):
        function = decorator(function)
    return function


@click.command("stats", short_help="Show the caches' sizes and limits, and their hits over time.")
@cache_options
@click.option("--project", default="", metavar="NAME", help="Tell of this project only.")
@click.option(
    "--format", "output", type=click.Choice(["table", "json"]), default="table", show_default=True, help="Format."
)
def command(directory: Path, config_file: Path | None, cache_dir: str | None, project: str, output: str) -> None:
    """Show the size and the limit of each cache, and the compile cache's hits of projects and of the last runs.

    DIRECTORY is the project's, or any with a wheelkiln.toml: its configuration says where the caches are. No container
    engine is needed. The JSON has every job that ended, as a series.
    """
    from packaging.utils import canonicalize_name

    from wheelkiln.build.ledger import ledger_of
    from wheelkiln.cache.inventory import measure_caches
    from wheelkiln.cache.settings import cache_root
    from wheelkiln.cli.console import make_console
    from wheelkiln.report.caches import cache_tables, caches_as_json

    own = load_own_config(directory, config_file, {"cache.dir": cache_dir} if cache_dir else {}, verbose=False)
    root = cache_root(own.config, own.host)
    sizes = measure_caches(own.config, root)
    history = ledger_of(root).history(canonicalize_name(project) if project else "")
    if output == "json":
        click.echo(json.dumps(caches_as_json(root, sizes, history), indent=2))
        return
    console = make_console(stderr=False)
    click.echo(f"{root}{'' if sizes else ' is empty'}")
    for table in cache_tables(sizes, history, console.width):
        if table.row_count:
            console.print()
            console.print(table)
