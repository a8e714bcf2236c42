"""``wheelkiln build``: the main job."""

from __future__ import annotations

import json
import shlex
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from wheelkiln import __version__
from wheelkiln.build.editions import RunRequest
from wheelkiln.build.outcome import Gate, GateVerdict, Outcome, RunResult, Status
from wheelkiln.build.request import BuildRequest
from wheelkiln.build.run import run_build
from wheelkiln.cache.doctor import diagnose_job
from wheelkiln.cli.console import make_console, print_notices, print_skipped
from wheelkiln.cli.editions import Edition, gather_editions
from wheelkiln.cli.engine import choose_engine
from wheelkiln.cli.hosts import with_hosts
from wheelkiln.cli.options import (
    ProjectOptions,
    make_request,
    read_lock,
    several_project_options,
)
from wheelkiln.cli.progress import make_progress
from wheelkiln.cli.resume import command_line, narrow_to_retry, print_cancelled, resume_options, with_left_out
from wheelkiln.cli.shards import shard_options, take_asked_shard
from wheelkiln.errors import BuildError, CacheGateError, NothingSelectedError, VerificationError
from wheelkiln.plan.project_settings import merge_environment_variables
from wheelkiln.report.builder import Made, read_builder, read_made
from wheelkiln.report.diagnoses import diagnosis_lines
from wheelkiln.report.manifest import MANIFEST_NAME, ManifestShard, make_manifest, write_manifest_text
from wheelkiln.report.tables import outcome_table
from wheelkiln.report.text import (
    format_cache,
    format_gate,
    format_seconds,
    format_sharing,
    format_size,
    format_warnings,
)
from wheelkiln.system.engine import ContainerEngine, EngineName
from wheelkiln.system.files import make_directory, naming_storage_errors, write_text_atomically
from wheelkiln.verify.record import Record, read_record

__all__ = ["command", "make_build_request"]

_WORTH_SAYING = 0.9
"""An sdist smaller than this share of its directory is told as a saving."""


@click.command("build", short_help="Build the wheels of SOURCE, cached and verified.")
@several_project_options
@click.option("--output-dir", "-o", default="wheelhouse", show_default=True, metavar="DIR", help="Where wheels land.")
@click.option("--engine", type=click.Choice([name.value for name in EngineName]), help="Default: the one that answers.")
@click.option("--cache-read-only", is_flag=True, help="Add nothing to any cache: for sources that are not trusted.")
@click.option("--jobs", "-j", type=click.IntRange(min=1), metavar="N", help="Most jobs side by side; 1: in order.")
@click.option("--fresh", is_flag=True, help="Build again what is already there.")
@resume_options
@click.option("--no-store", is_flag=True, help="Neither take wheels from the wheel store nor keep them there.")
@click.option("--lock", "lock_file", type=click.Path(path_type=Path), help="Lock to use; default: the project's.")
@shard_options
@click.option("--offline", is_flag=True, help="Give containers no network: everything must be in the caches.")
@click.option(
    "--format", "output", type=click.Choice(["table", "json"]), default="table", show_default=True, help="Format."
)
def command(
    output_dir: str,
    engine: str | None,
    fresh: bool,
    no_store: bool,
    lock_file: Path | None,
    offline: bool,
    shard: str | None,
    plan_file: Path | None,
    output: str,
    retry_failed: bool,
    fail_fast: bool,
    **values: Any,
) -> None:
    """Build wheels of SOURCE for every Python of the plan, one cibuildwheel run each, through the compile cache.

    SOURCE is a directory, an sdist, name==version or git+url@ref, or several of them; by default the current
    directory. Each wheel lands in the output directory as soon as it is finished and verified. A second run builds
    only what is missing.
    """
    options = ProjectOptions(**values)
    found = choose_engine(options.runner(), engine)
    with gather_editions(options, prepare=True, engine=found) as editions:
        requests = [make_build_request(edition, found, Path(output_dir)) for edition in editions]
        locks = [read_lock(edition.located, lock_file) for edition in editions]
        run = RunRequest(
            tuple(
                replace(request, fresh=fresh, store=not no_store, offline=offline, lock=lock)
                for request, lock in zip(requests, locks, strict=True)
            )
        ).with_course(fail_fast=fail_fast, command=command_line())
        _print_notices(run)
        run, taken = take_asked_shard(run, shard, plan_file)
        run = with_hosts(run, options)
        for request in run.editions:
            _print_opening(request)
        run = narrow_to_retry(run) if retry_failed else run
        if not run.jobs and retry_failed:
            click.echo("every job was good the last time: nothing is tried again", err=True)
            return
        if not run.jobs and not taken:
            print_skipped(run.skipped, err=True)
            raise NothingSelectedError("nothing is left to build", hint="'wheelkiln plan' explains the selection.")
        if run.jobs:
            with make_progress(run.jobs, run.host.environ) as progress:
                result = run_build(run, progress.on_event, progress.on_log)
        else:
            result = RunResult((), (), 0.0)
        _finish(run, result, output, taken)


def _print_notices(run: RunRequest) -> None:
    _, notices = merge_environment_variables(run.host.environ, tests=run.first.tests)
    print_notices(dict.fromkeys((*(notice for edition in run.editions for notice in edition.plan.notices), *notices)))


def make_build_request(edition: Edition, engine: ContainerEngine, output_dir: Path) -> BuildRequest:
    """Put together what a run needs of an edition."""
    located, inputs = edition.located, edition.inputs
    variables, _ = merge_environment_variables(located.host.environ, tests=inputs.tests)
    request = make_request(located, inputs, edition.plan, engine)
    return replace(request, output_dir=located.host.cwd / output_dir, variables=variables)


def _print_opening(request: BuildRequest) -> None:
    source, plan = request.source, request.plan
    jobs, variant = len(plan.jobs), f", variant {plan.variant}" if request.config.variants else ""
    saved = ""
    if source.tree_size * _WORTH_SAYING > source.size:
        share = 100 * (1 - source.size / source.tree_size)
        saved = f" instead of the directory's {format_size(source.tree_size)} ({share:.0f} % less)"
    engine = "in place" if request.place else f"{request.engine.name} {request.engine.version}"
    click.echo(
        f"{source.title}{variant}: {jobs} job{'s' if jobs != 1 else ''}, {engine}; "
        f"an sdist of {format_size(source.size)} reaches the {'build' if request.place else 'container'}{saved}",
        err=True,
    )


def _finish(run: RunRequest, result: RunResult, output: str, shards: tuple[ManifestShard, ...] = ()) -> None:
    records = _read_records(run.output_dir, result)
    made = Made.by(read_builder(run.host.environ), finished=time.time(), seconds=result.seconds)
    earlier = read_made(run.output_dir / MANIFEST_NAME)
    told = make_manifest(run, result, version=__version__, shards=shards, records=records, made=made, earlier=earlier)
    manifest = write_manifest_text(with_left_out(told, run.output_dir))
    make_directory(run.output_dir, setting="--output-dir")
    with naming_storage_errors(run.output_dir, setting="--output-dir"):
        write_text_atomically(run.output_dir / MANIFEST_NAME, manifest)
    for outcome in result.failed:
        _print_failure(outcome)
    print_cancelled(result.cancelled)
    if output == "json":
        click.echo(json.dumps(json.loads(manifest)))
    else:
        _print_report(run, result)
    if result.failed:
        _raise_failure(result)
    if result.gate is not None and result.gate.verdict is GateVerdict.FAILED:
        _raise_gate(run, result, result.gate)


def _raise_failure(result: RunResult) -> None:
    """End with the exit code of a build, or of a verification when every wheel could be built."""
    failed = ", ".join(outcome.job.id for outcome in result.failed)
    kept = "The other wheels are kept; the" if any(outcome.good for outcome in result.outcomes) else "The"
    message = (
        f"{len(result.failed)} of {len(result.outcomes)} job{'' if len(result.outcomes) == 1 else 's'} failed: {failed}"
    )
    message += f"; {len(result.cancelled)} cancelled (--fail-fast)" if result.cancelled else ""
    hint = f"{kept} same command builds only what is missing."
    if all(outcome.status is Status.REJECTED for outcome in result.failed):
        raise VerificationError(message, hint=hint)
    raise BuildError(message, hint=hint)


def _raise_gate(run: RunRequest, result: RunResult, gate: Gate) -> None:
    """End with the exit code of the gate, and with the cache doctor's reasons for each job that it looked at."""
    head = (
        f"the compile cache served {gate.hits} of {gate.calls} calls ({gate.hit_rate:.0%}), and "
        f"cache.min-hit-rate asks for {gate.min_hit_rate:.0%}"
    )
    looked_at = [outcome for outcome in result.outcomes if outcome.job.id in gate.jobs]
    raise CacheGateError(
        "\n".join([head, *(line for outcome in looked_at for line in _missed_lines(run, outcome))]),
        hint="The wheels are good and have landed. 'wheelkiln cache doctor --run' compares all inputs of a job.",
    )


def _missed_lines(run: RunRequest, outcome: Outcome) -> list[str]:
    """Say what a job found in the cache, and why it did not find more."""
    diagnoses = diagnose_job(run.cache_root, outcome.job.project, outcome.job.name)
    why = [line for diagnosis in diagnoses for line in diagnosis_lines(diagnosis, make_console(stderr=True).width)]
    return [f"  {outcome.job.id}: {format_cache(outcome.statistics)}", *(f"  {line}" for line in why)]


def _read_records(output_dir: Path, result: RunResult) -> dict[str, Record]:
    """Read the records that the run's wheels carry, those of wheels that were built before among them."""
    names = sorted({outcome.wheel.name for outcome in result.outcomes if outcome.wheel})
    found: dict[str, Record] = {}
    for name in names:
        with suppress(VerificationError):  # a wheel of a run without records may hold anything under that name
            record = read_record(output_dir / name)
            found |= {name: record} if record else {}
    return found


def _print_failure(outcome: Outcome) -> None:
    click.echo(err=True)
    click.secho(f"{outcome.job.id} failed: ", fg="red", bold=True, err=True, nl=False)
    click.echo(outcome.message, err=True)
    for line in outcome.excerpt:
        click.echo(f"  | {line}", err=True)
    if outcome.hint:
        click.secho("  try: ", fg="cyan", err=True, nl=False)
        click.echo(outcome.hint, err=True)
    if outcome.log:
        click.echo(f"  log: {outcome.log}", err=True)
    if outcome.kept_bytes is not None:
        kept = format_size(outcome.kept_bytes)
        click.echo(f"  look into its container ({kept} kept): wheelkiln shell {outcome.job.name}", err=True)


def _print_report(run: RunRequest, result: RunResult) -> None:
    console = make_console(stderr=False)
    console.print()
    console.print(outcome_table(result.outcomes, console.width))
    console.print()
    sharing = format_sharing(result.sharing)
    if sharing:
        console.print(sharing)
    for line in format_gate(result.gate) if result.gate else ():
        click.echo(line)
    ran = {outcome.job.id for outcome in result.outcomes}
    print_skipped([skipped for skipped in run.skipped if skipped.id not in ran], err=False)
    for outcome in result.outcomes:
        if outcome.status is Status.COVERED:
            click.echo(f"  {outcome.job.id}: served by {outcome.covered_by}")
    wheels = sorted({outcome.wheel.name for outcome in result.outcomes if outcome.wheel})
    if wheels:
        count = f"{len(wheels)} wheel{'s' if len(wheels) != 1 else ''}"
        stored = sum(outcome.from_store for outcome in result.outcomes)
        origin = f", {stored} from the wheel store" if stored else ""
        click.echo(f"{count} in {run.output_dir} after {format_seconds(result.seconds)}{origin}:")
        for name in wheels:
            click.echo(f"  {name}")
    warnings = format_warnings(result.outcomes)
    if warnings:
        click.echo(f"{warnings}; 'wheelkiln verify {shlex.quote(str(run.output_dir))}' shows them")
