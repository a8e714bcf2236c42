"""``wheelkiln isa``: which CPU features machine code needs."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from wheelkiln.errors import UsageProblem, VerificationError

if TYPE_CHECKING:
    from wheelkiln.verify.machine_code.model import FileCode

__all__ = ["command"]


@click.command("isa", short_help="Show which CPU features the machine code of a wheel or library needs.")
@click.argument("paths", nargs=-1, required=True, metavar="WHEEL|SO...", type=click.Path(path_type=Path))
@click.option("--functions", is_flag=True, help="Also by function; in JSON they are always there.")
@click.option(
    "--format", "output", type=click.Choice(["table", "json"]), default="table", show_default=True, help="Format."
)
def command(paths: tuple[Path, ...], functions: bool, output: str) -> None:
    """Show for each ELF file the lowest level that has what its machine code needs, and the features beyond it.

    Works with any wheel or shared library for x86_64 and aarch64, from anywhere. Nothing is executed, and nothing is
    judged: a program that asks what it runs on may need less than what is shown. 'wheelkiln verify' judges.

    Exits 0 whatever is needed, and 8 when a file cannot be read.
    """
    files = [file for path in paths for file in _read(path)]
    if output == "json":
        from wheelkiln.report.machine_code import machine_code_as_json

        click.echo(json.dumps(machine_code_as_json(files), indent=2))
    else:
        _print(files, functions=functions)
    broken = [file for file in files if file.problem and not file.is_foreign]
    if broken:
        raise VerificationError(f"{broken[0].name} cannot be decoded: {broken[0].problem}")


def _read(path: Path) -> Iterator[FileCode]:
    from wheelkiln.verify.machine_code.read import UnreadableWheelError, read_file, read_wheel

    if not path.is_file():
        raise UsageProblem(f"there is no file {path}")
    if not zipfile.is_zipfile(path):
        if path.suffix == ".whl":
            raise VerificationError(f"{path} is not a readable zip file")
        yield read_file(path, str(path))
        return
    try:
        yield from read_wheel(path)
    except UnreadableWheelError as error:
        raise VerificationError(f"{path} is not a readable zip file: {error}") from None


def _print(files: Sequence[FileCode], *, functions: bool) -> None:
    from wheelkiln.cli.console import make_console
    from wheelkiln.report.machine_code import file_table, function_table, machine_code_summary

    console = make_console(stderr=False)
    if not files:
        click.echo("there is no machine code in it")
        return
    console.print(file_table(files, console.width))
    if functions and any(file.functions for file in files):
        console.print()
        console.print(function_table(files, console.width))
    console.print()
    for line in machine_code_summary(files):
        console.print(line, soft_wrap=False)
