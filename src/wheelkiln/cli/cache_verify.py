"""``wheelkiln cache verify``: is what the cache gives what the compiler makes."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from wheelkiln.cli.console import make_console
from wheelkiln.cli.editions import gather_editions, one_edition
from wheelkiln.cli.engine import choose_engine
from wheelkiln.cli.options import ProjectOptions, project_options, read_lock
from wheelkiln.errors import UsageProblem, VerificationError
from wheelkiln.system.engine import EngineName

if TYPE_CHECKING:
    from wheelkiln.build.cold import ColdComparison

__all__ = ["command"]


@click.command("verify", short_help="Rebuild one job with an empty compile cache and compare the wheels.")
@project_options
@click.option("--output-dir", "-o", default="wheelhouse", show_default=True, metavar="DIR", help="Where wheels lie.")
@click.option("--engine", type=click.Choice([name.value for name in EngineName]), help="Default: the one that answers.")
@click.option("--lock", "lock_file", type=click.Path(path_type=Path), help="Lock to use; default: the project's.")
@click.option("--record", is_flag=True, help="Note the result in the manifest beside the wheels.")
@click.option("--format", "output", type=click.Choice(["text", "json"]), default="text", help="Output format.")
def command(
    output_dir: str, engine: str | None, lock_file: Path | None, record: bool, output: str, **values: Any
) -> None:
    """Build the first selected job of SOURCE with an empty compile cache, and compare its wheel with the cached one.

    Equal wheels prove that the cache gave what the compiler makes. Different ones end with exit code 8, the members
    that differ, and the likely causes. The user's caches stay as they are; the job's build environment is the cached
    one.
    """
    from wheelkiln.build.cold import compare_cold
    from wheelkiln.cli.build import make_build_request
    from wheelkiln.cli.progress import make_progress

    options = ProjectOptions(**values)
    found = choose_engine(options.runner(), engine)
    with gather_editions(options, prepare=True, engine=found) as editions:
        chosen = one_edition(editions, "verify")
        chosen = replace(chosen, plan=replace(chosen.plan, jobs=chosen.plan.jobs[:1]))
        request = make_build_request(chosen, found, Path(output_dir))
        request = replace(request, lock=read_lock(chosen.located, lock_file))
        with make_progress(chosen.plan.jobs, chosen.located.host.environ) as progress:
            result = compare_cold(request, progress.on_event, progress.on_log)
    if record:
        _record(request.output_dir, result)
    _print(result, output)
    _judge(result)


def _record(output_dir: Path, result: ColdComparison) -> None:
    from wheelkiln.report.manifest import MANIFEST_NAME, note_cold_rebuild
    from wheelkiln.system.files import naming_storage_errors, write_text_atomically

    path = output_dir / MANIFEST_NAME
    text = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
    noted = note_cold_rebuild(text, result, round(time.time()))
    if noted is None:
        raise UsageProblem(
            f"{path} has no wheel {result.cached.name} with this digest, so the result cannot be noted there",
            hint="Run 'wheelkiln build' into that directory first.",
        )
    with naming_storage_errors(path, setting="--output-dir"):
        write_text_atomically(path, noted)


def _print(result: ColdComparison, output: str) -> None:
    from wheelkiln.report.differences import comparison_json, explanation_lines

    if output == "json":
        told = {"job": result.job.id, "verdict": result.verdict, "members": result.members, "seconds": result.seconds}
        found = comparison_json(result.comparison) if result.comparison else None
        wheels = {"cached": asdict(result.cached), "cold": asdict(result.cold)}
        click.echo(json.dumps({**told, **wheels, "comparison": found}, indent=2))
        return
    click.echo(f"{result.job.id}: {result.verdict}")
    click.echo(f"  cached  {result.cached.sha256}  {result.cached.name}")
    click.echo(f"  cold    {result.cold.sha256}  {result.cold.name}")
    if result.comparison:
        for line in explanation_lines(result.comparison, make_console(stderr=False).width):
            click.echo(line)


def _hint(result: ColdComparison, otherwise: str) -> str:
    """Name the likeliest cause and what to do about it."""
    causes = result.comparison.causes if result.comparison else ()
    return f"Likely cause: {causes[0].title} [{causes[0].cause.value}]. {causes[0].remedy}" if causes else otherwise


def _judge(result: ColdComparison) -> None:
    from wheelkiln.build.cold import Verdict

    if result.verdict is Verdict.UNREPEATABLE:
        raise VerificationError(
            f"two cold builds of {result.job.id} differ from each other, so nothing can be said of the cache",
            hint=_hint(result, "The build itself has something that changes: times, random names, an order."),
        )
    if result.verdict is Verdict.DIFFERENT:
        project = result.cached.name.partition("-")[0]
        raise VerificationError(
            f"the cached wheel of {result.job.id} is not what a build without the cache makes",
            hint=f"Do not publish it. 'wheelkiln cache prune --project {project}' removes the project's entries, "
            "'wheelkiln build --fresh' builds anew.",
        )
