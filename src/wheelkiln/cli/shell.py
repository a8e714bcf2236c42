"""``wheelkiln shell``: look into the container of a job that failed."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from wheelkiln.cli.own_config import OwnConfig, load_own_config

if TYPE_CHECKING:
    from wheelkiln.build.states import KeptState

__all__ = ["command"]


class _AfterDashes(click.Command):
    """Takes what stands after ``--`` as the command to run, whatever stands before."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if "--" in args:
            at = args.index("--")
            ctx.meta["wheelkiln.command"] = args[at + 1 :]
            args = args[:at]
        return super().parse_args(ctx, args)


@click.command("shell", cls=_AfterDashes, short_help="Open a shell in the container of a job that failed.")
@click.argument("job")
@click.argument("source", default=".", type=click.Path(path_type=Path))
@click.option("--config", "config_file", type=click.Path(path_type=Path), help="Configuration file to use.")
@click.option("--cache-dir", metavar="DIR", help="Directory of all caches.")
@click.option("--verbose", "-v", is_flag=True, help="Show every command that is run.")
@click.pass_context
def command(
    ctx: click.Context, job: str, source: Path, config_file: Path | None, cache_dir: str | None, verbose: bool
) -> None:
    """Open a shell in the container of the last failure of JOB, as it was when it failed.

    JOB is a job's id, or a pattern that one kept state matches. SOURCE is the project's directory, whose configuration
    says where the caches are. The shell has the environment of the command that failed, and 'wheelkiln-again' runs that
    command again. After '--' a command to run instead of a shell; its exit status becomes this one's.
    """
    from wheelkiln.build.shell import choose_state, open_shell
    from wheelkiln.build.states import list_states
    from wheelkiln.cache.settings import cache_root
    from wheelkiln.plan.project_settings import merge_environment_variables
    from wheelkiln.system.engine import EngineName, find_engine

    directory = source if source.is_dir() else Path()
    own = load_own_config(directory, config_file, {"cache.dir": cache_dir} if cache_dir else {}, verbose=verbose)
    root = cache_root(own.config, own.host)
    state = choose_state(list_states(root), job, own.directory)
    engine = find_engine(own.runner, EngineName(state.engine))
    variables, _ = merge_environment_variables(own.host.environ, tests=True)
    kept = {name: value for name, value in own.host.environ.items() if not name.startswith("CIBW_")}
    program: Sequence[str] = ctx.meta.get("wheelkiln.command") or ()
    with open_shell(state, engine, root, {**kept, **variables}, _passed(own, root), _say) as shell:
        if not program:
            _introduce(state)
        tty = not program and sys.stdin.isatty()
        status = shell.run(program or ["bash"], own.host.environ, tty=tty)
    sys.exit(status if status >= 0 else 128 - status)


def _passed(own: OwnConfig, root: Path) -> dict[str, str]:
    """The values of variables that states only name: they are this machine's, as they are now."""
    from wheelkiln.build.request import network_environment
    from wheelkiln.system.pip_settings import remembered_pip_settings

    pip = remembered_pip_settings(own.runner, own.host.environ, root)
    links = (entry if "://" in entry else str(own.directory / entry) for entry in own.config.find_links)
    pip = replace(pip, find_links=(*links, *pip.find_links), first_index_urls=own.config.index)
    return network_environment(pip, own.host.environ)


def _introduce(state: KeptState) -> None:
    from wheelkiln.build.shell import AGAIN

    _say(f"{state.job} of {state.project} {state.version}, as it was when it failed in the stage '{state.stage}'")
    if state.command:
        _say(f"failed: {shlex.join(state.command)}")
    _say(f"'{AGAIN}' runs that again; what is changed here is gone when the shell ends")


def _say(text: str) -> None:
    click.echo(text, err=True)
