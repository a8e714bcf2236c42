"""Measure what jobs side by side are worth: sequential plain cibuildwheel against wheelkiln, both without caches.

    python bench/schedule.py brotli==1.1.0
    python bench/schedule.py crc32c==2.7.1 --runs 3 --limit 0.6

Both ways build the same sdist for the same Pythons in the same image, without tests and without a compile cache:
ccache is switched off, so that no Python finds what another compiled. Rounds take turns, ratios are of builds in the
same round. The compilers that run are counted ten times a second, in the containers of the command alone: their mean
must not be above the number of cores. The table also has the CPU time of the containers, and what the rest of the
machine used: only on a machine that is quiet otherwise do ratios of wall times say something. Exit status 1 says that a
limit was not kept. Needs docker.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import median

from results import OURS, PLAIN, Build, format_seconds, format_table
from subjects import prepare
from ways import measure_plain, measure_wheelkiln

PYTHONS = ("cp310", "cp311", "cp312", "cp313")
_UNCACHED = {"CIBW_ENVIRONMENT": "CCACHE_DISABLE=1"}
"""For wheelkiln; plain cibuildwheel is measured without a cache anyway."""
LIMIT = 0.6
"""Of the wall time of sequential cibuildwheel, on two cores."""


def main(argv: Sequence[str] | None = None) -> int:
    options = _parse(argv)
    flags = ("--base", options.base, *(f"--python={tag}" for tag in options.python or PYTHONS))
    builds: list[Build] = []
    scratch = os.environ.get("TMPDIR", "/var/tmp")  # noqa: S108 - a directory of its own is made in it
    with tempfile.TemporaryDirectory(prefix="wheelkiln-bench-", dir=scratch, ignore_cleanup_errors=True) as place:
        subject = prepare(options.project, Path(place), flags, options.project_settings)
        for run in range(1, options.runs + 1):
            builds += measure_plain(subject, run)
            builds += measure_wheelkiln(subject, run, cold_only=True, variables={} if options.cached else _UNCACHED)
    budget = len(os.sched_getaffinity(0))
    print(render_schedule(builds, budget))
    if options.json:
        values = [asdict(build) for build in builds]
        options.json.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")
    return 0 if keeps_limits(builds, budget, options.limit) else 1


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("project", metavar="PROJECT", help="name==version, a directory or an sdist")
    parser.add_argument("--python", action="append", metavar="TAG", help="repeatable; default: the four")
    parser.add_argument("--base", default="bootstrap", help="base of the image (default: %(default)s)")
    parser.add_argument("--runs", type=int, default=1, metavar="N", help="rounds (default: %(default)s)")
    parser.add_argument("--limit", type=float, default=LIMIT, help="greatest ratio (default: %(default)s)")
    parser.add_argument("--cached", action="store_true", help="let wheelkiln use its compile cache, empty at first")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there as well")
    parser.add_argument("--project-settings", choices=("merge", "ignore"), default="merge", help="[tool.cibuildwheel]")
    return parser.parse_args(argv)


def ratios_of(builds: Sequence[Build]) -> list[float | None]:
    """Divide wheelkiln's time by plain cibuildwheel's, round by round; None where one of them failed."""
    plain = {build.run: build.seconds for build in builds if build.way == PLAIN}
    ours = [build for build in builds if build.way == OURS]
    pairs = [(build.seconds, plain.get(build.run)) for build in ours]
    return [mine / theirs if mine and theirs else None for mine, theirs in pairs]


def keeps_limits(builds: Sequence[Build], budget: int, limit: float) -> bool:
    """Tell whether every build was good, the median ratio is within the limit, and the mean load within the cores."""
    ratios = ratios_of(builds)
    loads = [build.load for build in builds if build.way == OURS]
    known = [ratio for ratio in ratios if ratio is not None]
    if not known or len(known) < len(ratios) or not all(load is not None and load.most for load in loads):
        return False
    return median(known) <= limit and all(load is not None and load.mean <= budget for load in loads)


def render_schedule(builds: Sequence[Build], budget: int) -> str:
    """Render a row for each build, and the median of the ratios."""
    ratios = iter(ratios_of(builds))
    rows = [_row(build, next(ratios) if build.way == OURS else None, budget) for build in builds]
    known = [ratio for ratio in ratios_of(builds) if ratio is not None]
    if known:
        rows.append(("median", OURS, "", f"{median(known):.2f}", "", "", "", "", ""))
    titles = ("round", "way", "wall time", "of sequential", "compilers, mean", "most", f"samples above {budget}")
    head = f"{builds[0].project}, {len(builds[0].identifiers)} Pythons, {budget} cores, no compile cache"
    return f"{head}\n\n{format_table((*titles, 'CPU time', 'of others, a second'), rows)}"


def _row(build: Build, ratio: float | None, budget: int) -> tuple[str, ...]:
    load = build.load
    told = (f"{load.mean:.2f}", str(load.most), f"{load.above(budget):.1%}") if load and load.most else ("-", "-", "-")
    time = f"failed: {build.error}" if build.error else format_seconds(build.seconds)
    used = format_seconds(load.own) if load and load.own else "-"
    noise = f"{load.others / build.seconds:.2f} s" if load and build.seconds else "-"
    return (str(build.run), build.way, time, "-" if ratio is None else f"{ratio:.2f}", *told, used, noise)


if __name__ == "__main__":
    sys.exit(main())
