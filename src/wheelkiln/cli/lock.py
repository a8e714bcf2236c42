"""``wheelkiln lock``: pin the build requirements."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from wheelkiln.cache.lock import Lock, render_lock
from wheelkiln.cli.console import print_difference, print_notices
from wheelkiln.cli.editions import gather_editions, one_edition
from wheelkiln.cli.engine import choose_engine
from wheelkiln.cli.options import (
    ProjectOptions,
    make_request,
    project_options,
    read_lock,
)
from wheelkiln.cli.progress import make_progress
from wheelkiln.errors import DriftError
from wheelkiln.system.engine import EngineName
from wheelkiln.system.files import make_directory, write_text_atomically

__all__ = ["command"]


@click.command("lock", short_help="Pin the build requirements, with hashes, for each Python and architecture.")
@project_options
@click.option("--output", "-o", type=click.Path(path_type=Path, dir_okay=False), help="Default: wheelkiln.lock.")
@click.option("--engine", type=click.Choice([name.value for name in EngineName]), help="Default: the one that answers.")
@click.option("--upgrade", is_flag=True, help="Take the newest versions instead of keeping those of the lock.")
@click.option("--check", is_flag=True, help="Write nothing; exit 5 with the difference when the lock is out of date.")
def command(output: Path | None, engine: str | None, upgrade: bool, check: bool, **values: Any) -> None:
    """Pin the build requirements of SOURCE, with hashes, for each Python and architecture of the plan.

    The backend is asked for its own requirements, in the image. Everything pinned is downloaded on the way, so
    'build --offline' needs no network afterwards. Environments of jobs that are left out are kept as they are.
    """
    from wheelkiln.build.editions import RunRequest
    from wheelkiln.build.locking import make_lock

    options = ProjectOptions(**values)
    found = choose_engine(options.runner(), engine)
    with gather_editions(options, prepare=True, engine=found) as editions:
        located = one_edition(editions, "lock").located
        print_notices(dict.fromkeys(notice for edition in editions for notice in edition.plan.notices))
        path = located.lock_path(output)
        previous = read_lock(located, path) if path.is_file() else None
        requests = [make_request(one.located, one.inputs, one.plan, found) for one in editions if one.plan.jobs]
        run = RunRequest(tuple(requests))
        with make_progress(run.jobs, run.host.environ) as progress:
            pinned = make_lock(run, None if upgrade else previous, progress.on_event, progress.on_log)
        made = Lock(located.origin, pinned)
    text = render_lock(_with_others(made, previous))
    if check:
        _compare(path, text)
        return
    make_directory(path.parent, setting="--output")
    write_text_atomically(path, text)
    click.echo(f"wrote {path}: {len(made.environments)} environments", err=True)


def _with_others(made: Lock, previous: Lock | None) -> Lock:
    """Keep the environments of jobs that were not selected this time."""
    kept = [
        entry
        for entry in (previous.environments if previous else ())
        if made.find(entry.python, entry.platform, entry.variant) is None
    ]
    return replace(made, environments=(*made.environments, *kept))


def _compare(path: Path, text: str) -> None:
    if not print_difference(path, text, made="resolved"):
        return
    raise DriftError(f"{path} is out of date", hint="Run the same command without --check.")
