"""The command group, its lazily imported commands, and the one boundary where errors become exit codes."""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType
from typing import Any

import click

from wheelkiln import __version__
from wheelkiln.cli.lazy import LazyGroup
from wheelkiln.errors import InterruptedRun, WheelkilnError

__all__ = ["cli", "main"]

_COMMANDS = {
    "build": "Build the wheels of SOURCE, cached and verified.",
    "cache": "Look at the caches: statistics, missed hits, trust, size.",
    "compare": "Say how two wheels differ, and what the likely causes are.",
    "doctor": "Look at this machine: what is missing, and what to do.",
    "generate": "Write what 'build' would use: the cibuildwheel configuration, the image.",
    "history": "Show the runs of the past and what became of their jobs.",
    "image": "Build, inspect, push and prune the images that builds run in.",
    "init": "Write a starting configuration for a project.",
    "isa": "Show which CPU features the machine code of a wheel or library needs.",
    "lock": "Pin the build requirements, with hashes, for each Python and architecture.",
    "merge": "Join what several machines or shards built into one wheelhouse.",
    "plan": "Show what would be built, and what not and why.",
    "provenance": "Write a statement for each wheel that a CI system can sign.",
    "reproduce": "Build a wheel again from its own record, and compare.",
    "sbom": "Show what is grafted into wheels, or write their CycloneDX documents.",
    "shell": "Open a shell in the container of a job that failed.",
    "schema": "Print the JSON schema of what is read and written.",
    "verify": "Check finished wheels: archive, tags, metadata, machine code.",
}


class _MainGroup(LazyGroup):
    def invoke(self, ctx: click.Context) -> Any:
        """End as by SIGPIPE when the reader of the output has gone; click would exit with 1, which is a bug's."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for the interpreter's last flush
            sys.exit(128 + signal.SIGPIPE)


@click.group(
    cls=_MainGroup,
    lazy=_COMMANDS,
    prefix="wheelkiln.cli.",
    hidden=("simulate",),
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 ok, 2 usage, 3 configuration, 4 nothing selected, 5 drift, 6 environment, 7 build, "
    "8 verification, 9 cache gate, 130 interrupted.",
)
@click.version_option(__version__, prog_name="wheelkiln")
def cli() -> None:
    """Fast, cached, verified C and C++ Python wheels: a thin layer over cibuildwheel."""


def main() -> None:
    """Run the command line and exit with the documented code."""
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        cli.main(standalone_mode=False)
    except click.Abort:
        _fail(InterruptedRun("interrupted"))
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except WheelkilnError as error:
        _fail(error)
    except KeyboardInterrupt:
        _fail(InterruptedRun("interrupted", hint="Containers are removed; finished wheels are kept."))


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    """CI systems end jobs with SIGTERM: clean up as for Ctrl-C."""
    raise KeyboardInterrupt


def _fail(error: WheelkilnError) -> None:
    from wheelkiln.cli.console import plain_lines

    click.secho("error: ", fg="red", bold=True, err=True, nl=False)
    click.echo(plain_lines(error.message), err=True)
    if error.hint:
        click.secho("  try: ", fg="cyan", err=True, nl=False)
        click.echo(plain_lines(error.hint), err=True)
    sys.exit(error.exit_code)
