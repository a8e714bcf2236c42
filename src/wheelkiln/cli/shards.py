"""The options by which a run builds one shard of its plan."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import click

from wheelkiln.build.editions import RunRequest
from wheelkiln.errors import UsageProblem
from wheelkiln.plan.cut import cut_jobs
from wheelkiln.plan.shards import check_planned, parse_planned, parse_shard, take_shard
from wheelkiln.report.manifest import ManifestShard

__all__ = ["shard_options", "take_asked_shard"]

F = TypeVar("F", bound=Callable[..., Any])


def shard_options(function: F) -> F:
    """Add --shard and --plan."""
    function = click.option("--shard", metavar="K/N", help="Build the K-th of N shards of the plan.")(function)
    return click.option(
        "--plan",
        "plan_file",
        metavar="FILE",
        type=click.Path(path_type=Path),
        help="The plan whose shards are meant, from 'plan --shards N --format json'.",
    )(function)


def take_asked_shard(
    run: RunRequest, shard: str | None, plan_file: Path | None
) -> tuple[RunRequest, tuple[ManifestShard, ...]]:
    """Return what is left of a run for the shard that is asked for, and which it is; the run where none is.

    Without a plan that is given, jobs are counted and not weighed: what this machine knows of its past, the others do
    not know. A plan with no job at all has no shards.
    """
    if shard is None:
        if plan_file is not None:
            raise UsageProblem("--plan needs --shard", hint="Name the shard that is to be built: --shard 1/3.")
        return run, ()
    choice = parse_shard(shard)
    if plan_file is None:
        cut = cut_jobs(run.jobs, choice.count, by_history=False)
    else:
        planned = parse_planned(_read(run.host.cwd / plan_file), where=str(plan_file))
        check_planned(planned, [edition.plan for edition in run.editions], choice, where=str(plan_file))
        cut = planned.cut
    if not run.jobs:
        return run, ()
    numbers = cut.numbers
    editions = [replace(edition, plan=take_shard(edition.plan, numbers, choice)) for edition in run.editions]
    taken = RunRequest(tuple(editions))
    if not taken.jobs:
        click.echo(f"shard {choice} has nothing to build", err=True)
    jobs = cut.shards[choice.number - 1].jobs
    return taken, (ManifestShard(choice.number, choice.count, cut.id, jobs),)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise UsageProblem(f"--plan {path}: {error.strerror}") from error
