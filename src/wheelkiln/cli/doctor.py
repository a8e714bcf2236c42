"""``wheelkiln doctor``: look at this machine, say what is missing and what to do."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator
from dataclasses import asdict

import click

from wheelkiln.cache.settings import cache_root
from wheelkiln.cli.console import make_console
from wheelkiln.config.load import load_config
from wheelkiln.config.model import Config
from wheelkiln.errors import ConfigError, EnvironmentProblem
from wheelkiln.plan.images import own_python
from wheelkiln.system.cibuildwheel import CibuildwheelFacts, read_cibuildwheel
from wheelkiln.system.diagnosis import Check, Diagnosis, Needs, Status, diagnose
from wheelkiln.system.host import HostFacts, read_host
from wheelkiln.system.probes import MachineProbes, Probes, read_machine
from wheelkiln.system.process import ProcessRunner

__all__ = ["command", "examine", "render_lines"]

_FORMAT = 1
_COLOURS = {Status.OK: "green", Status.WARNING: "yellow", Status.PROBLEM: "red"}
_INDENT = 9


@click.command("doctor", short_help="Look at this machine: what is missing, and what to do.")
@click.option("--format", "output", type=click.Choice(["text", "json"]), default="text", help="Output format.")
def command(output: str) -> None:
    """Look at engines, network, disk, interpreters and tools, for the configuration of the current directory.

    Exits 6 when no build can work: no engine and no Python to build with in place, or neither the image registry
    nor the bootstrap base.
    """
    diagnosis = examine(MachineProbes(ProcessRunner()), read_host(), read_cibuildwheel())
    if output == "json":
        click.echo(json.dumps({"format": _FORMAT, "usable": diagnosis.usable, **asdict(diagnosis)}, indent=2))
    else:
        for line in render_lines(diagnosis, make_console(stderr=False).width):
            click.echo(line)
    if not diagnosis.usable:
        raise EnvironmentProblem(f"no build can work here: {'; '.join(diagnosis.obstacles)}", hint=_hint(diagnosis))


def examine(probes: Probes, host: HostFacts, cibuildwheel: CibuildwheelFacts) -> Diagnosis:
    """Read the machine and judge it by the working directory's configuration; a faulty one is a warning."""
    try:
        config, fault = load_config(host.cwd, host.environ).config, None
    except ConfigError as error:
        config, fault = Config(), error
    images = cibuildwheel.images.get(host.machine) or cibuildwheel.images["x86_64"]
    policy = config.policy if "manylinux" in config.libc else config.musl_policy
    image = images.get(policy) or images[Config().policy]
    readings = read_machine(probes, host, image=image, cache_dir=cache_root(config, host))
    needs = Needs(config.python, config.arch, config.image.base, config.libc, own_python(config, host))
    diagnosis = diagnose(readings, needs)
    if fault is None:
        return diagnosis
    check = Check("configuration", Status.WARNING, fault.message.partition("\n")[0], "'wheelkiln plan' lists them.")
    return Diagnosis((*diagnosis.checks, check), diagnosis.obstacles)


def render_lines(diagnosis: Diagnosis, width: int) -> Iterator[str]:
    """Lay the checks out for a terminal of that many columns; click drops the colours where there is no terminal."""
    indent = " " * _INDENT
    for check in diagnosis.checks:
        first, *rest = _wrap(f"{check.name}: {check.detail}", width)
        yield click.style(f"{check.status.value:<{_INDENT}}", fg=_COLOURS[check.status]) + first
        remedy = _wrap(f"try: {check.remedy}", width) if check.remedy else []
        yield from (indent + line for line in (*rest, *remedy))


def _wrap(text: str, width: int) -> list[str]:
    """Break between words only, so that paths and commands can be copied; text from tools may hold anything."""
    printable = "".join(char if char.isprintable() else " " for char in text)
    columns = max(width - _INDENT, _INDENT)
    return textwrap.wrap(printable, columns, break_on_hyphens=False, break_long_words=False)


def _hint(diagnosis: Diagnosis) -> str:
    names = [check.name for check in diagnosis.checks if check.status is Status.PROBLEM]
    return f"The lines above say what to do about: {', '.join(names)}."
