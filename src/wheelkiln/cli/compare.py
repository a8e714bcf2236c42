"""``wheelkiln compare``: how two wheels differ, and why."""

from __future__ import annotations

import json
from pathlib import Path

import click

from wheelkiln.cli.console import make_console
from wheelkiln.errors import VerificationError

__all__ = ["command"]

_WHEEL = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.command("compare", short_help="Say how two wheels differ, and what the likely causes are.")
@click.argument("one", type=_WHEEL)
@click.argument("other", type=_WHEEL)
@click.option("--all", "all_members", is_flag=True, help="Show every member that differs.")
@click.option("--diffoscope", "report", type=click.Path(path_type=Path), help="Have diffoscope write a report there.")
@click.option("--format", "output", type=click.Choice(["text", "json"]), default="text", help="Output format.")
def command(one: Path, other: Path, all_members: bool, report: Path | None, output: str) -> None:
    """Say how the wheels ONE and OTHER differ, and what the likely causes are.

    It looks at the archives, at their members, and into members that differ: the sections and symbols of libraries,
    the lines of texts, the keys of JSON. Nothing of the wheels is executed.

    --diffoscope has that program, where it is installed, write a report with everything; the file name's ending
    (.html, .txt, .json) says in which format. Exits 0 when the wheels are the same, 8 when they differ.
    """
    from wheelkiln.report.differences import comparison_json, comparison_lines
    from wheelkiln.verify.comparison import compare_wheels
    from wheelkiln.verify.diffoscope import report_option

    if report is not None:
        report_option(report)  # before minutes are spent
    found = compare_wheels(one, other)
    if output == "json":
        click.echo(json.dumps(comparison_json(found), indent=2))
    else:
        for line in comparison_lines(found, make_console(stderr=False).width, all_members=all_members):
            click.echo(line)
    if found.identical:
        return
    if report is not None:
        _write_report(one, other, report)
    raise VerificationError("the wheels differ", hint="What differs, and the likely causes, are above.")


def _write_report(one: Path, other: Path, report: Path) -> None:
    from wheelkiln.system.process import ProcessRunner
    from wheelkiln.verify.diffoscope import write_report

    write_report(ProcessRunner(), one, other, report)
    click.echo(f"diffoscope's report: {report}", err=True)
