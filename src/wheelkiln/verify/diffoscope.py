"""A report by diffoscope, where it is installed: it disassembles, and knows hundreds of formats."""

from __future__ import annotations

from pathlib import Path

from wheelkiln.errors import EnvironmentProblem, UsageProblem
from wheelkiln.system.process import Runner

__all__ = ["report_option", "write_report"]

_SECONDS = 1800.0
_FORMATS = {".html": "--html", ".txt": "--text", ".json": "--json", ".md": "--markdown"}
_DIFFER = 1
"""What diffoscope ends with where it has found differences (diffoscope(1): exit status)."""


def report_option(report: Path) -> str:
    """Return the option for a report of this name; raise UsageProblem for an ending that is none of its formats."""
    option = _FORMATS.get(report.suffix)
    if option is None:
        raise UsageProblem(f"{report} ends with none of {', '.join(_FORMATS)}, so its format is not known")
    return option


def write_report(runner: Runner, one: Path, other: Path, report: Path) -> None:
    """Write what diffoscope says of two wheels that differ.

    Raise UsageProblem for an ending that is none of its formats, EnvironmentProblem where it is not installed or fails.
    """
    command = ["diffoscope", "--no-progress", report_option(report), str(report), "--", str(one), str(other)]
    done = runner.capture(command, timeout=_SECONDS)
    if done.returncode not in (0, _DIFFER):
        raise EnvironmentProblem(f"diffoscope failed: {done.last_line}", hint="Leave --diffoscope out.")
