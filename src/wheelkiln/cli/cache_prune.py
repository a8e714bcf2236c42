"""``wheelkiln cache prune``: make room."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from wheelkiln.cli.cache_stats import cache_options
from wheelkiln.cli.own_config import OwnConfig, load_own_config
from wheelkiln.errors import EnvironmentProblem, UsageProblem
from wheelkiln.system.engine import CONTAINER_ENGINES

if TYPE_CHECKING:
    from wheelkiln.build.compile_cache import CompileCacheCleaner
    from wheelkiln.build.prune import Pruned
    from wheelkiln.system.engine import ContainerEngine

__all__ = ["command", "parse_age"]

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}


@click.command("prune", short_help="Remove what is beyond the limits, old, of one project, or everything.")
@cache_options
@click.option("--older-than", metavar="AGE", help="What was last used longer ago: 12h, 30d, 8w.")
@click.option("--project", default="", metavar="NAME", help="Everything of this project.")
@click.option("--all", "everything", is_flag=True, help="Everything but images.")
@click.option("--dry-run", is_flag=True, help="Only say what would be removed.")
@click.option(
    "--engine", type=click.Choice([name.value for name in CONTAINER_ENGINES]), help="Default: the one that answers."
)
@click.option("--verbose", "-v", is_flag=True, help="Show every command that is run.")
def command(
    directory: Path,
    config_file: Path | None,
    cache_dir: str | None,
    older_than: str | None,
    project: str,
    everything: bool,
    dry_run: bool,
    engine: str | None,
    verbose: bool,
) -> None:
    """Remove from the caches what is beyond their limits, or what an option names; say what went.

    DIRECTORY is the project's, or any with a wheelkiln.toml: its configuration says where the caches are. The compile
    cache is cleaned by ccache, in a container. What a build that is going on may need stays. Images: 'wheelkiln image
    prune'.
    """
    from packaging.utils import canonicalize_name

    from wheelkiln.build.prune import Scope, prune_caches
    from wheelkiln.build.state_prune import prune_kept_states
    from wheelkiln.cache.settings import cache_root

    if sum(map(bool, (older_than, project, everything))) > 1:
        raise UsageProblem("--older-than, --project and --all cannot be used together")
    scope = Scope(
        older_than=parse_age(older_than) if older_than else None,
        project=canonicalize_name(project),
        everything=everything,
        dry_run=dry_run,
    )
    own = load_own_config(directory, config_file, {"cache.dir": cache_dir} if cache_dir else {}, verbose=verbose)
    root = cache_root(own.config, own.host)
    pruned = prune_caches(
        own.config,
        root,
        scope,
        lambda: _find_cleaner(own, root, engine),
        now=time.time(),
        say=lambda text: click.echo(text, err=True),
    )
    states = prune_kept_states(root, scope, lambda: _find_engine(own, engine), now=time.time())
    _print((*pruned, *states), dry_run=dry_run)


def parse_age(text: str) -> float:
    """Return the seconds of ``30d``."""
    match = re.fullmatch(r"([0-9]+)([smhdw])", text)
    if match is None:
        raise UsageProblem(f"--older-than {text}: not an age", hint="Write a number and a unit: 12h, 30d, 8w.")
    return float(match[1]) * _UNITS[match[2]]


def _find_cleaner(own: OwnConfig, root: Path, engine: str | None) -> CompileCacheCleaner | None:
    from wheelkiln.build.compile_cache import find_cleaner

    found = _find_engine(own, engine)
    if found is None or found.elsewhere:  # there the compile cache is a volume
        return None
    return find_cleaner(found, own.host, root, own.config.cache.max_size)


def _find_engine(own: OwnConfig, engine: str | None) -> ContainerEngine | None:
    from wheelkiln.cli.engine import choose_engine

    try:
        return choose_engine(own.runner, engine)
    except EnvironmentProblem:
        return None


def _print(pruned: Sequence[Pruned], *, dry_run: bool) -> None:
    from wheelkiln.report.text import format_size

    verb = "would remove" if dry_run else "removed"
    for entry in pruned:
        if entry.kept:
            click.echo(f"kept {entry.cache}: {entry.kept}", err=True)
        if not entry.is_known:
            click.echo(f"{entry.cache}: what ccache would remove is known only when it does")
        elif entry.cache == "history":
            click.echo(f"{verb} {entry.files} past job{'' if entry.files == 1 else 's'} from the history")
        elif entry.files:
            files = f"{entry.files} file{'' if entry.files == 1 else 's'}"
            click.echo(f"{verb} {format_size(entry.size)} from {entry.cache} ({files})")
    total = sum(entry.size for entry in pruned)
    click.echo(f"{verb} {format_size(total)} in all")
