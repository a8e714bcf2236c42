"""Measure what the caches are worth: plain cibuildwheel, the field's ccache recipe and wheelkiln, side by side.

    python bench/caches.py msgpack==1.1.2 contourpy==1.3.3 examples/shared-core --python cp311 --python cp312
    python bench/caches.py examples/shared-core --pythons-ratio
    python bench/caches.py msgpack==1.1.2 --python cp312 --overhead --runs 3

A project is name==version, a directory or an sdist; all ways build the same sdist in the same image with the same
compilers, without its tests. The image is made before anything is timed, and each round of wheelkiln begins with a
cache directory of its own. Rounds take turns (A B C A B C), ratios are of builds in the same round, figures are
medians of the rounds. Read the ratios, not the seconds: they are of one machine.

The table goes to stdout; JSON, table and picture go to --output after each round, so that an interrupted run keeps
what it has. The picture needs matplotlib: the dependency group "bench". Needs docker.
"""

from __future__ import annotations

import argparse
import compileall
import importlib.metadata
import json
import os
import platform
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import wheelkiln
from measure import say
from results import (
    COLD,
    MOUNTED,
    OURS,
    PLAIN,
    ROWS,
    WARM,
    WAYS,
    Build,
    render_builds,
    render_overhead,
    render_pythons,
)
from stage_table import render_stages
from subjects import NotMeasuredError, Subject, narrowed, prepare
from ways import measure_mounted, measure_plain, measure_wheelkiln

RESULTS = Path(__file__).parent / "results"
PYTHONS = ("cp310", "cp311", "cp312", "cp313")


def main(argv: Sequence[str] | None = None) -> int:
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))  # so that what runs is stopped, too
    options = _parse(argv)
    # An installed wheelkiln has its bytecode, as cibuildwheel has here; a working copy may be kept without.
    compileall.compile_dir(Path(wheelkiln.__file__).parent, quiet=1)
    pythons = options.python or list(PYTHONS if options.mode == "pythons" else ["cp312"])
    report = Report(options.output.resolve(), options.mode, _facts(options, pythons))
    flags = ("--base", options.base, *(f"--python={tag}" for tag in pythons))
    scratch = os.environ.get("TMPDIR", "/var/tmp")  # noqa: S108 - a directory of its own is made in it
    with tempfile.TemporaryDirectory(prefix="wheelkiln-bench-", dir=scratch, ignore_cleanup_errors=True) as place:
        for number, project in enumerate(options.projects):
            own = Path(place) / str(number)
            _measure_project(project, own, flags, pythons, options, report)
            shutil.rmtree(own, ignore_errors=True)
    print(report.text())
    return 1 if any(build.error for build in report.builds) else 0


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("projects", nargs="+", metavar="PROJECT", help="name==version, a directory or an sdist")
    parser.add_argument("--python", action="append", metavar="TAG", help="repeatable; default: cp312")
    parser.add_argument("--base", default="bootstrap", help="base of the image (default: %(default)s)")
    parser.add_argument("--way", action="append", choices=WAYS, help="measure only this; repeatable")
    parser.add_argument("--runs", type=int, default=1, metavar="N", help="rounds (default: %(default)s)")
    parser.add_argument("--output", type=Path, default=RESULTS, metavar="DIR", help="default: bench/results")
    parser.add_argument("--project-settings", choices=("merge", "ignore"), default="merge", help="[tool.cibuildwheel]")
    parser.add_argument("--no-plot", dest="plot", action="store_false", help="draw no picture")
    modes = parser.add_mutually_exclusive_group()
    modes.add_argument(
        "--pythons-ratio",
        dest="mode",
        action="store_const",
        const="pythons",
        help="cold: all Pythons (default: four) against the first one",
    )
    modes.add_argument(
        "--overhead", dest="mode", action="store_const", const="overhead", help="cold against plain, pair by pair"
    )
    parser.set_defaults(mode="caches")
    return parser.parse_args(argv)


def _measure_project(
    project: str,
    place: Path,
    flags: tuple[str, ...],
    pythons: list[str],
    options: argparse.Namespace,
    report: Report,
) -> None:
    """Measure one project, round by round; what goes wrong is a row of the table, not the end of the run."""
    title = project
    try:
        subject = prepare(
            str(Path(project).resolve()) if Path(project).exists() else project, place, flags, options.project_settings
        )
        title = subject.name
        for run in range(1, options.runs + 1):
            for step in _steps(subject, run, pythons, options):
                report.add(step())
            report.write(plot=options.plot)
    except Exception as problem:  # noqa: BLE001 - whatever it is, the other projects go on
        way, kind = ROWS[0]
        report.add([Build(title, way, kind, 0, (), error=_reason(problem))])
        report.write(plot=options.plot)


def _reason(problem: Exception) -> str:
    return str(problem) if isinstance(problem, NotMeasuredError) else f"{type(problem).__name__}: {problem}"


def _steps(
    subject: Subject, run: int, pythons: list[str], options: argparse.Namespace
) -> list[Callable[[], list[Build]]]:
    """Return the builds of one round, in their order."""
    ways: dict[str, Callable[[], list[Build]]]
    if options.mode == "caches":
        ways = {
            PLAIN: lambda: measure_plain(subject, run),
            MOUNTED: lambda: measure_mounted(subject, run),
            OURS: lambda: measure_wheelkiln(subject, run),
        }
        return [step for way, step in ways.items() if way in (options.way or WAYS)]
    if options.mode == "overhead":
        return [lambda: measure_plain(subject, run), lambda: measure_wheelkiln(subject, run, cold_only=True)]
    one = narrowed(subject, pythons[0])
    chosen = options.way or [OURS]
    plain = [lambda: measure_plain(one, run), lambda: measure_plain(subject, run)] if PLAIN in chosen else []
    ours = [
        lambda: measure_wheelkiln(one, run, cold_only=True),
        lambda: measure_wheelkiln(subject, run, cold_only=True),
    ]
    return [*plain, *(ours if OURS in chosen else [])]


def _facts(options: argparse.Namespace, pythons: list[str]) -> dict[str, Any]:
    names = ("wheelkiln", "cibuildwheel")
    return {
        "cpus": os.cpu_count(),
        "machine": platform.machine(),
        "versions": {name: importlib.metadata.version(name) for name in names},
        "base": options.base,
        "pythons": pythons,
        "runs": options.runs,
        "project-settings": options.project_settings,
    }


@dataclass(slots=True)
class Report:
    """What has been measured so far, and its files in a directory."""

    directory: Path
    mode: str
    facts: dict[str, Any]
    builds: list[Build] = field(default_factory=list)

    def add(self, builds: Sequence[Build]) -> None:
        self.builds += builds
        for build in builds:
            if build.error:
                say(f"{build.project}: {build.way}, {build.kind}: failed: {build.error}")

    def text(self) -> str:
        """Render the tables as Markdown."""
        facts = self.facts
        head = (
            f"{', '.join(facts['pythons'])}; {facts['cpus']} CPUs, {facts['machine']}; base {facts['base']}; median of "
            f"{facts['runs']} run{'s' if facts['runs'] != 1 else ''}."
        )
        if self.mode == "pythons":
            return f"{head}\n\n{render_pythons(self.builds)}"
        kind = COLD if self.mode == "overhead" else WARM
        parts = [head, render_overhead(self.builds) if self.mode == "overhead" else render_builds(self.builds)]
        for project in dict.fromkeys(build.project for build in self.builds):
            stages = render_stages(self.builds, project, kind)
            parts += [f"Where the {kind} build of {project} spends its time:\n\n{stages}"] if stages else []
        return "\n\n".join(part.rstrip("\n") for part in parts) + "\n"

    def write(self, *, plot: bool) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        values = {"mode": self.mode, **self.facts, "builds": [asdict(build) for build in self.builds]}
        (self.directory / f"{self.mode}.json").write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")
        (self.directory / f"{self.mode}.md").write_text(self.text(), encoding="utf-8")
        if not plot or self.mode != "caches" or not any(build.seconds for build in self.builds):
            return
        from plot import draw

        try:
            draw(self.builds, self.directory, self.mode)
        except ImportError as problem:
            say(f"no picture: {problem}; install the dependency group 'bench'")


if __name__ == "__main__":
    sys.exit(main())
