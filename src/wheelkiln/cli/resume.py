"""Options and lines of 'build' for going on: what is tried again, and what a failure does to the others."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import click

from wheelkiln.build.editions import RunRequest
from wheelkiln.build.journal import Journal
from wheelkiln.build.outcome import Outcome, WheelFile
from wheelkiln.build.retry import narrow_to_unfinished
from wheelkiln.errors import NothingSelectedError, VerificationError
from wheelkiln.plan.model import SkipReason
from wheelkiln.report.left_out import keep_left_out
from wheelkiln.report.manifest import MANIFEST_NAME, Manifest
from wheelkiln.report.manifest_file import parse_manifest
from wheelkiln.system.files import sha256_of
from wheelkiln.system.process import mask_secrets

__all__ = ["command_line", "narrow_to_retry", "print_cancelled", "resume_options", "with_left_out"]

F = TypeVar("F", bound=Callable[..., Any])


def resume_options(function: F) -> F:
    """Add the options that decide what is tried again and how a run ends."""
    decorators = [
        click.option(
            "--retry-failed",
            is_flag=True,
            help="Build only the jobs whose last build into DIR failed or did not end.",
        ),
        click.option(
            "--fail-fast/--keep-going",
            default=False,
            help="After a failure, stop the jobs that run and start no other; default: go on with the others.",
        ),
    ]
    for decorator in reversed(decorators):
        function = decorator(function)
    return function


def narrow_to_retry(run: RunRequest) -> RunRequest:
    """Leave in the plans what earlier runs into the output directory left unfinished.

    Raise NothingSelectedError where no run is known. Plans without a job are what is left when all went well.
    """
    output, journal = run.output_dir.resolve(), Journal(run.cache_root)
    plans = [edition.plan for edition in run.editions]
    states = [journal.last_states(plan.project, plan.version, output) for plan in plans]
    if not any(states):
        titles = ", ".join(dict.fromkeys(f"{plan.project} {plan.version}" for plan in plans))
        raise NothingSelectedError(
            f"no run of {titles} into {output} is known, so there is nothing to try again",
            hint="Leave out --retry-failed, or name that run's directory with --output-dir.",
        )
    narrowed = zip(run.editions, states, strict=True)
    return RunRequest(
        tuple(replace(edition, plan=narrow_to_unfinished(edition.plan, known)) for edition, known in narrowed)
    )


def with_left_out(manifest: Manifest, output_dir: Path) -> Manifest:
    """Add what --retry-failed left out and lies in the directory as its manifest says."""
    path = output_dir / MANIFEST_NAME
    if not any(skip.reason is SkipReason.NOTHING_TO_RETRY for skip in manifest.skipped) or not path.is_file():
        return manifest
    try:
        before = parse_manifest(path.read_text(encoding="utf-8", errors="replace"), where=str(path))
    except (OSError, VerificationError):  # it is replaced
        return manifest

    def lies_there(wheel: WheelFile) -> bool:
        place = output_dir / wheel.name
        return place.is_file() and sha256_of(place) == wheel.sha256

    return keep_left_out(manifest, before, lies_there)


def command_line() -> str:
    """Return what the user typed, for the history; credentials in addresses are masked."""
    return mask_secrets(shlex.join(["wheelkiln", *sys.argv[1:]]))


def print_cancelled(outcomes: Sequence[Outcome]) -> None:
    """Say once why jobs were cancelled, and which."""
    reasons: dict[str, list[str]] = {}
    for outcome in outcomes:
        reasons.setdefault(outcome.message, []).append(outcome.job.id)
    for reason, jobs in reasons.items():
        click.echo(f"\n{reason}: {', '.join(jobs)}", err=True)
    if outcomes:
        click.secho("  try: ", fg="cyan", err=True, nl=False)
        click.echo(outcomes[0].hint, err=True)
