"""``wheelkiln plan``: what would be built, and what not and why."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import click

from wheelkiln.cli.console import make_console, print_notices, print_skipped
from wheelkiln.cli.editions import Edition, gather_editions
from wheelkiln.cli.hosts import preview_hosts
from wheelkiln.cli.options import LocatedSource, ProjectOptions, several_project_options
from wheelkiln.errors import NothingSelectedError
from wheelkiln.plan.cut import Cut
from wheelkiln.plan.matrix import PlanDocument, make_document
from wheelkiln.plan.shards import MOST_SHARDS, cut_plans
from wheelkiln.report.tables import plan_table, shard_table
from wheelkiln.system.engine import EngineName, find_engine

__all__ = ["command"]


@click.command("plan", short_help="Show what would be built, and what not and why.")
@several_project_options
@click.option(
    "--format",
    "output",
    type=click.Choice(["table", "json"]),
    default="table",
    show_default=True,
    help="Output format.",
)
@click.option("--shards", type=click.IntRange(1, MOST_SHARDS), metavar="N", help="Part the jobs among N machines.")
@click.option("--engine", type=click.Choice(["none"]), help="Plan builds that run in place.")
@click.option("--explain", is_flag=True, help="Show every setting and where its value came from.")
def command(output: str, shards: int | None, engine: str | None, explain: bool, **values: Any) -> None:
    """Show every job of SOURCE with its image, cache namespace and estimate, and everything that is not built.

    SOURCE is a directory, an sdist, name==version or git+url@ref, or several of them; by default the current
    directory. A directory's plan is made from its files alone, without running its backend. --shards balances by the
    estimates; give the plan to 'build --plan FILE --shard K/N' as JSON. Exits 4 when nothing is left to build.
    """
    options = ProjectOptions(**values)
    found = find_engine(options.runner(), EngineName.NONE) if engine else None
    with gather_editions(options, prepare=False, engine=found) as editions:
        plans = [edition.plan for edition in editions]
        cut, notices = cut_plans(plans, shards) if shards else (Cut(()), ())
        document = make_document(plans, cut.shards, preview_hosts(editions))
        print_notices((*document.notices, *notices))
        if explain:
            _print_origins(editions[0].located)
        if output == "json":
            click.echo(json.dumps(asdict(document), indent=2, default=str))
        else:
            _print_table(document, editions)
    if not document.jobs:
        raise NothingSelectedError(
            "nothing is left to build", hint="The reasons are above; --only, --skip and 'python' select jobs."
        )


def _print_table(document: PlanDocument, editions: Sequence[Edition]) -> None:
    console = make_console(stderr=False)
    for edition in editions:
        plan, located = edition.plan, edition.located
        version = plan.version or "(version is told by the backend)"
        variant = f", variant {plan.variant}" if located.loaded.config.variants else ""
        jobs = "1 job" if len(plan.jobs) == 1 else f"{len(plan.jobs)} jobs"
        console.print(f"{plan.project} {version}{variant}: {jobs}")
    console.print()
    if document.jobs:
        console.print(plan_table(document, console.width))
        console.print()
    if document.shards:
        console.print(shard_table(document.shards))
        console.print()
    print_skipped(document.skipped, err=False)


def _print_origins(located: LocatedSource) -> None:
    loaded = located.loaded
    settings = loaded.config.model_dump(mode="json", by_alias=True)
    for key, value in _leaves(settings):
        click.echo(f"{key} = {json.dumps(value)}  ({loaded.origins.get(key, 'default')})", err=True)


def _leaves(table: dict[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for name, value in table.items():
        found += _leaves(value, f"{prefix}{name}.") if isinstance(value, dict) else [(f"{prefix}{name}", value)]
    return found
