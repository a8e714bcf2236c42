"""``wheelkiln cache doctor``: why the compile cache missed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from wheelkiln.build.editions import jobs_in_order
from wheelkiln.cache.doctor import diagnose
from wheelkiln.cache.evidence import Comparison, is_evidence, read_comparison
from wheelkiln.cache.records import read_latest_record, read_previous_record
from wheelkiln.cache.settings import cache_root
from wheelkiln.cli.console import make_console, print_notices
from wheelkiln.cli.editions import gather_editions, one_edition
from wheelkiln.cli.engine import choose_engine
from wheelkiln.cli.options import (
    ProjectOptions,
    make_request,
    project_options,
)
from wheelkiln.cli.progress import make_progress
from wheelkiln.errors import NothingSelectedError
from wheelkiln.plan.project_settings import merge_environment_variables
from wheelkiln.report.diagnoses import Examined, examined_json, examined_lines
from wheelkiln.system.engine import EngineName

__all__ = ["command"]

_FORMAT = 1


@click.command("doctor", short_help="Say why the compile cache missed, and what to do.")
@project_options
@click.argument("later", required=False)
@click.option("--run", is_flag=True, help="Build the first job twice, and compare all that ccache hashed.")
@click.option("--engine", type=click.Choice([name.value for name in EngineName]), help="Of --run.")
@click.option(
    "--format", "output", type=click.Choice(["table", "json"]), default="table", show_default=True, help="Format."
)
def command(later: str | None, run: bool, engine: str | None, output: str, **values: Any) -> None:
    """Say why the compile cache missed in the last build of SOURCE, and what to do.

    It compares what was kept of the last two builds of each job, and starts nothing. --run builds one job twice, with a
    compile cache of its own, and names the first line that differs.

    SOURCE can also be what ccache itself wrote, anywhere: its log (CCACHE_LOGFILE), a statistics log, or a directory of
    CCACHE_DEBUGDIR. A second one, LATER, is compared with it; one alone is searched for units that were compiled again.

    Exits 0 whatever it finds; exits 4 when no build of SOURCE is known.
    """
    options = ProjectOptions(**values)
    paths = tuple(Path(name) for name in (*options.sources, later) if name)
    if later or is_evidence(paths[0]):
        examined = [_examine(read_comparison(paths))]
    elif run:
        examined = [_examine(_run(options, engine))]
    else:
        examined = list(_examine_records(options))
    if output == "json":
        click.echo(json.dumps({"format": _FORMAT, "jobs": examined_json(examined)}, indent=2))
        return
    width = make_console(stderr=False).width
    for one in examined:
        for line in examined_lines(one, width):
            click.echo(line)


def _examine(comparison: Comparison) -> Examined:
    diagnoses = diagnose(comparison.latest, comparison.previous, comparison.differences)
    return Examined(comparison.latest, comparison.previous is not None, diagnoses)


def _examine_records(options: ProjectOptions) -> Iterator[Examined]:
    with gather_editions(options, prepare=False) as editions:
        first = editions[0].located
        root, project = cache_root(first.loaded.config, first.host), first.origin
        names = [(job.project, job.name) for edition in editions for job in jobs_in_order(edition.plan)]
    known = [(read_latest_record(root, *name), read_previous_record(root, *name)) for name in names]
    if not any(latest for latest, _ in known):
        raise NothingSelectedError(
            f"no build of {project} is known in {root}",
            hint="Build it twice with 'wheelkiln build --fresh', or let --run do it.",
        )
    for latest, previous in known:
        if latest is not None:
            yield _examine(Comparison(latest, previous))


def _run(options: ProjectOptions, engine: str | None) -> Comparison:
    from wheelkiln.build.examination import examine_job

    found = choose_engine(options.runner(), engine)
    with gather_editions(options, prepare=True, engine=found) as editions:
        chosen = one_edition(editions, "build")
        located, inputs, plan = chosen.located, chosen.inputs, chosen.plan
        variables, notices = merge_environment_variables(located.host.environ, tests=False)
        print_notices((*plan.notices, *notices))
        request = replace(make_request(located, inputs, plan, found), variables=variables, tests=False, fresh=True)
        with make_progress(plan.jobs, located.host.environ) as progress:
            return examine_job(request, plan.jobs[0], progress.on_event, progress.on_log)
