"""``wheelkiln init``: write a starting configuration for a project."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from wheelkiln.config.document import has_table, replace_table
from wheelkiln.config.load import load_config
from wheelkiln.errors import UsageProblem
from wheelkiln.plan.starter import make_starter, render_starter
from wheelkiln.source.prepare import inspect_directory
from wheelkiln.system.cibuildwheel import read_cibuildwheel
from wheelkiln.system.files import naming_storage_errors, write_text_atomically
from wheelkiln.system.host import read_host

__all__ = ["command"]

_TABLE = "tool.wheelkiln"


@click.command("init", short_help="Write a starting configuration for a project.")
@click.argument("directory", default=".")
@click.option("--pyproject", is_flag=True, help="Append [tool.wheelkiln] to pyproject.toml instead.")
@click.option("--base", default="pypa", show_default=True, metavar="BASE", help="pypa, bootstrap or a reference.")
@click.option("--force", is_flag=True, help="Replace the configuration that is there.")
@click.option("--print", "to_stdout", is_flag=True, help="Write to standard output only.")
def command(directory: str, pyproject: bool, base: str, force: bool, to_stdout: bool) -> None:
    """Write a commented starting configuration for the project in DIRECTORY, by default the current one.

    It goes to wheelkiln.toml there. Its values are chosen from the project's files, which are read and not run,
    and each one says why. Exits 2 when the project is configured already.
    """
    host = read_host()
    path = host.cwd / directory
    starter = make_starter(inspect_directory(path), host, read_cibuildwheel(), base=base)
    text = render_starter(starter, prefix=_TABLE if pyproject else "")
    if to_stdout:
        click.echo(text, nl=False)
        return
    target = _write_configuration(path, text, in_pyproject=pyproject, force=force)
    load_config(path, {})
    pythons = ", ".join(starter.python) or "the default Pythons"
    plan = shlex.join(["wheelkiln", "plan", *([directory] if directory != "." else [])])
    click.echo(f"wrote {target} for {starter.project} ({pythons} on {base}); next: {plan}", err=True)


def _write_configuration(directory: Path, text: str, *, in_pyproject: bool, force: bool) -> Path:
    """Write where the configuration belongs and return the file; raise UsageProblem rather than replace one."""
    own, pyproject = directory / "wheelkiln.toml", directory / "pyproject.toml"
    document = _read_document(pyproject)
    in_own, in_document = own.exists(), has_table(document)
    places = [str(own)] * in_own + [f"[{_TABLE}] in {pyproject}"] * in_document
    if places and not force:
        raise UsageProblem(
            f"this project is configured already: {' and '.join(places)}",
            hint="--print shows what would be written, --force replaces it.",
        )
    if in_own if in_pyproject else in_document:
        raise UsageProblem(
            f"{places[0 if in_pyproject else -1]} configures this project; a second one beside it is an error",
            hint=f"Remove it first, or replace it there ({'without' if in_pyproject else 'with'} --pyproject).",
        )
    target = (pyproject if in_pyproject else own).resolve()
    content = replace_table(document, text) if in_pyproject else text
    with naming_storage_errors(target, setting="DIRECTORY, or use --print"):
        write_text_atomically(target, content)
    return pyproject if in_pyproject else own


def _read_document(pyproject: Path) -> str:
    """Read with the line ends that are there; an absent file is an empty document."""
    try:
        return pyproject.read_bytes().decode("utf-8")
    except FileNotFoundError:
        return ""
    except UnicodeDecodeError as error:
        raise UsageProblem(f"{pyproject} is not UTF-8, which TOML has to be") from error
