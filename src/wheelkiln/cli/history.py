"""``wheelkiln history``: which runs there were, and what became of their jobs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

import click

from wheelkiln.cli.own_config import load_own_config
from wheelkiln.errors import NothingSelectedError

if TYPE_CHECKING:
    from wheelkiln.build.journal import Attempt, PastRun

__all__ = ["command"]


@click.command("history", short_help="Show the runs of the past and what became of their jobs.")
@click.argument("subject", default="", metavar="[PROJECT|SOURCE]")
@click.option("--config", "config_file", type=click.Path(path_type=Path), help="Configuration file to use.")
@click.option("--cache-dir", metavar="DIR", help="Directory of all caches.")
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True, help="Most runs to show.")
@click.option("--failed", is_flag=True, help="Only runs that did not end well, and the jobs that are not good.")
@click.option("--job", default="", metavar="GLOB", help="Only jobs that match: the history of one job.")
@click.option(
    "--format", "output", type=click.Choice(["table", "json"]), default="table", show_default=True, help="Format."
)
def command(
    subject: str, config_file: Path | None, cache_dir: str | None, limit: int, failed: bool, job: str, output: str
) -> None:
    """Show runs, the newest first, and their jobs with the logs that still exist.

    By default those of all projects with this cache directory; else those of PROJECT, of name==version, or of what was
    built of a directory. A run that was killed is shown as died. The newest 1000 runs are remembered.
    """
    from wheelkiln.build.journal import Journal
    from wheelkiln.cache.settings import cache_root

    own = load_own_config(Path(), config_file, {"cache.dir": cache_dir} if cache_dir else {}, verbose=False)
    root = cache_root(own.config, own.host)
    project, version, place = _subject(subject, own.host.cwd)
    runs = _choose(Journal(root).runs(project, version, directory=place), job or "*", failed=failed)[:limit]
    if not runs and subject:
        raise NothingSelectedError(
            f"no run of {subject} is known in {root}",
            hint="'wheelkiln history' shows all; --cache-dir names another cache directory.",
        )
    _print(runs, root, output, with_jobs=bool(job or failed))


def _subject(text: str, cwd: Path) -> tuple[str, str, str]:
    """Return the project's name, the version, and the directory, each empty where any will do.

    A directory stands for what was built of it: the name may be known to its backend alone.
    """
    from packaging.utils import canonicalize_name

    if text and (cwd / text).is_dir():
        return "", "", str((cwd / text).resolve())
    name, _, version = text.partition("==")
    return canonicalize_name(name), version, ""


def _choose(runs: Sequence[PastRun], job: str, *, failed: bool) -> list[PastRun]:
    """Leave the attempts that are asked for, and the runs that have some."""
    from wheelkiln.build.journal import RunState, is_unfinished

    def is_bad(run: PastRun, attempt: Attempt) -> bool:
        """A job of a run that is going on is not bad while it has no end."""
        has_time = run.state is RunState.RUNNING and attempt.state in ("planned", "started")
        return is_unfinished(attempt.state) and not has_time

    def wanted(run: PastRun) -> tuple[Attempt, ...]:
        found = (it for it in run.attempts if fnmatchcase(it.name, job) or fnmatchcase(it.job_id, job))
        return tuple(attempt for attempt in found if not failed or is_bad(run, attempt))

    chosen = [replace(run, attempts=wanted(run)) for run in runs]
    return [run for run in chosen if run.attempts]


def _print(runs: Sequence[PastRun], root: Path, output: str, *, with_jobs: bool) -> None:
    from wheelkiln.build.runs import job_log
    from wheelkiln.cli.console import make_console
    from wheelkiln.report.history import history_as_json, job_table, run_table

    logs = {(run.id, attempt.job_id): job_log(root, run.id, attempt.job_id) for run in runs for attempt in run.attempts}
    existing = {key: log for key, log in logs.items() if log.is_file()}
    if output == "json":
        click.echo(json.dumps({"runs": history_as_json(runs, existing)}, indent=2))
        return
    console = make_console(stderr=False)
    if not runs:
        click.echo(f"no runs are known in {root}")
        return
    console.print(run_table(runs, console.width))
    if with_jobs:
        console.print()
        console.print(job_table(runs, existing, console.width))
