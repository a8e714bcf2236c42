"""``wheelkiln verify``: are finished wheels what they claim to be."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from wheelkiln import __version__
from wheelkiln.errors import UsageProblem, VerificationError
from wheelkiln.system.engine import CONTAINER_ENGINES

if TYPE_CHECKING:
    from wheelkiln.cli.own_config import OwnConfig
    from wheelkiln.report.expectations import Manifests
    from wheelkiln.verify.checks import CheckedWheel

__all__ = ["command"]

_COLORS = {"error": "red", "warning": "yellow"}


@click.command("verify", short_help="Check finished wheels: archive, tags, metadata, machine code.")
@click.argument("wheels", nargs=-1, metavar="WHEEL...", type=click.Path(path_type=Path))
@click.option("--rule", "rules", multiple=True, metavar="CODE=LEVEL", help="error, warning or off; repeatable.")
@click.option("--explain", metavar="CODE", help="Say what a rule means and what to do, and check nothing.")
@click.option(
    "--format",
    "output",
    type=click.Choice(["text", "json", "sarif"]),
    default="text",
    show_default=True,
    help="Format.",
)
@click.option("--emulate", is_flag=True, help="Also import the wheels on an emulated CPU, in a container.")
@click.option("--isa", multiple=True, metavar="LEVEL", help="For --emulate: the CPU, such as x86-64-v2; repeatable.")
@click.option("--image", default="", metavar="REF", help="For --emulate: the image; by default one that is here.")
@click.option(
    "--engine", type=click.Choice([name.value for name in CONTAINER_ENGINES]), help="Default: the one that answers."
)
@click.option("--offline", is_flag=True, help="For --emulate: do not install what the wheels require.")
@click.option("--config", "config_file", type=click.Path(path_type=Path), help="Configuration file to use.")
@click.option("--verbose", "-v", is_flag=True, help="Show every command that is run.")
def command(
    wheels: tuple[Path, ...],
    rules: tuple[str, ...],
    explain: str | None,
    output: str,
    emulate: bool,
    isa: tuple[str, ...],
    image: str,
    engine: str | None,
    offline: bool,
    config_file: Path | None,
    verbose: bool,
) -> None:
    """Check wheels, built by anything, as 'build' does before they land.

    Nothing of a wheel is executed, unless --emulate asks for it: then in a container without a network.

    WHEEL is a file, or a directory of wheels. Where a wheelkiln-manifest.json lies beside them they must be what it
    says; the rules are those that the configuration of the working directory asks for. With any error the exit code is
    8; warnings leave it 0.
    """
    from wheelkiln.cli.own_config import load_own_config
    from wheelkiln.report.expectations import Manifests
    from wheelkiln.verify.checks import Expectation
    from wheelkiln.verify.rules.levels import parse_rule_option

    if explain:
        _explain(explain)
        return
    own = load_own_config(Path(), config_file, {}, verbose=verbose)
    base = Expectation.configured(own.config.verify, variants=own.config.variants)
    levels = {**base.levels, **dict(parse_rule_option(text) for text in rules)}
    base = replace(base, excluded=own.config.repair.exclude, levels=levels)
    manifests = Manifests(base)
    checked = _check(_find_wheels(wheels, own.host.cwd), manifests, own)
    if emulate:
        from wheelkiln.cli.emulation import EmulationOptions, emulate_checked

        checked = emulate_checked(checked, manifests, own, EmulationOptions(isa, image, engine, offline))
    _print(checked, output)
    _judge(checked)


def _explain(code: str) -> None:
    from wheelkiln.verify.rules.levels import find_rule

    rule = find_rule(code)
    fixed = ", cannot be changed" if rule.fixed else ""
    click.echo(f"{rule.code}: {rule.title} ({rule.severity}{fixed})\n\n{rule.why}\n\n{rule.remedy}")


def _find_wheels(given: Sequence[Path], cwd: Path) -> list[Path]:
    if not given:
        raise UsageProblem(
            "no wheel is named", hint="wheelkiln verify dist/*.whl, or the directory: wheelkiln verify dist"
        )
    found: dict[Path, None] = {}
    for entry in given:
        path = cwd / entry
        if path.is_dir():
            inside = sorted(path.glob("*.whl"))
            if not inside:
                raise UsageProblem(f"there is no wheel in {path}")
            found |= dict.fromkeys(inside)
        elif path.is_file():
            found[path] = None
        else:
            raise UsageProblem(f"there is no {path}")
    return list(found)


def _check(wheels: Sequence[Path], manifests: Manifests, own: OwnConfig) -> list[CheckedWheel]:
    from concurrent.futures import ThreadPoolExecutor

    from wheelkiln.verify.checks import CheckedWheel, check_wheel

    expected = [manifests.expectation_of(wheel) for wheel in wheels]
    with ThreadPoolExecutor(max_workers=own.host.cpus) as pool:
        found = pool.map(check_wheel, wheels, expected, [own.runner] * len(wheels))
        return [
            CheckedWheel(_shown(wheel, own.host.cwd), findings) for wheel, findings in zip(wheels, found, strict=True)
        ]


def _shown(wheel: Path, cwd: Path) -> Path:
    """Return a path as reports have it: relative where it can be, which is what code hosts ask for."""
    return wheel.relative_to(cwd) if wheel.is_relative_to(cwd) else wheel


def _print(checked: Sequence[CheckedWheel], output: str) -> None:
    from wheelkiln.cli.console import make_console
    from wheelkiln.report.findings import findings_table, findings_text
    from wheelkiln.report.sarif import sarif_log

    if output == "json":
        click.echo(json.dumps(findings_table(checked), indent=2))
    elif output == "sarif":
        click.echo(json.dumps(sarif_log(checked, version=__version__), indent=2))
    else:
        from rich.text import Text

        console = make_console(stderr=False)
        for line in findings_text(checked, console.width):
            style = f"bold {_COLORS[line.severity]}" if line.severity else ""
            console.print(Text.assemble((line.mark, style), line.text), soft_wrap=True)


def _judge(checked: Sequence[CheckedWheel]) -> None:
    bad = [wheel for wheel in checked if wheel.has_errors]
    if bad:
        raise VerificationError(
            f"{len(bad)} of {len(checked)} wheel{'' if len(checked) == 1 else 's'} "
            f"{'is' if len(bad) == 1 else 'are'} not what {'it claims' if len(bad) == 1 else 'they claim'} to be",
            hint="'wheelkiln verify --explain CODE' says what a finding means and what to do.",
        )
