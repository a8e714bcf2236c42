"""Time and size of a large plan: 'wheelkiln plan --format json' of many versions, variants, Pythons and architectures.

    python bench/plan_size.py [JOBS] [-- PLAN-OPTION...]

Makes projects and a configuration of at least JOBS jobs (10,000), plans them in processes of their own, and prints the
median and the slowest wall time, the processor time and the largest peak of memory. Limits to look at: 2 s and 300 MiB
for 10,000 jobs.
"""

from __future__ import annotations

import json
import math
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

RUNS = 5
JOBS = 10_000
PYTHONS = ("cp39", "cp310", "cp311", "cp312", "cp313", "cp314", "cp314t")
LIBCS = ("manylinux", "musllinux")
ARCHS = ("x86_64", "aarch64")
VERSIONS = 20


# The kernel's account of an ended child has the memory of the process that started it in it (getrusage(2)).
TELLING_ITS_STATUS = """
import atexit, pathlib, runpy, sys
target = pathlib.Path(sys.argv.pop(1))
atexit.register(lambda: target.write_text(pathlib.Path("/proc/self/status").read_text()))
runpy.run_module("wheelkiln", run_name="__main__", alter_sys=True)
"""


@dataclass(frozen=True, slots=True)
class Planned:
    """One run: seconds of wall time and of processor time, the peak of resident memory in MiB, what was printed."""

    seconds: float
    cpu: float
    peak: float
    output: bytes


def main(arguments: list[str]) -> int:
    jobs = int(arguments[0]) if arguments and arguments[0].isdigit() else JOBS
    more = arguments[arguments.index("--") + 1 :] if "--" in arguments else []
    with tempfile.TemporaryDirectory(prefix="plan-size-") as name:
        place = Path(name)
        sources = write_project(place, variants_for(jobs))
        runs = [run_plan(place, [*sources, *more]) for _ in range(RUNS + 1)][1:]  # the first fills the file cache
    document = json.loads(runs[0].output)
    seconds = [run.seconds for run in runs]
    print(
        f"{len(document['jobs'])} jobs and {len(document['skipped'])} skipped, {len(document['sources'])} sources: "
        f"median {statistics.median(seconds):.2f} s, slowest {max(seconds):.2f} s, "
        f"processor {statistics.median(run.cpu for run in runs):.2f} s, "
        f"peak {max(run.peak for run in runs):.0f} MiB, {len(runs[0].output) / (1 << 20):.1f} MiB of JSON"
    )
    return 0


def variants_for(jobs: int) -> int:
    """Return how many variants make at least so many jobs."""
    return math.ceil(jobs / (VERSIONS * len(PYTHONS) * len(LIBCS) * len(ARCHS)))


def write_project(place: Path, variants: int) -> list[str]:
    """Write many versions and one configuration for all; return the versions' directories."""
    tables = [
        f"[variants.v{number}]\nproject-name = 'kern-v{number}'\nenvironment = {{ CFLAGS = '-DV={number}' }}\n"
        for number in range(variants)
    ]
    lists = "".join(
        f"{key} = {json.dumps(values)}\n" for key, values in (("python", PYTHONS), ("libc", LIBCS), ("arch", ARCHS))
    )
    (place / "wheelkiln.toml").write_text(lists + "".join(tables), encoding="utf-8")
    return [write_source(place, f"1.{minor}") for minor in range(VERSIONS)]


def write_source(place: Path, version: str) -> str:
    directory = place / version
    directory.mkdir()
    project = f'[project]\nname = "kern"\nversion = "{version}"\nrequires-python = ">=3.9"\n'
    (directory / "pyproject.toml").write_text(project, encoding="utf-8")
    return str(directory)


def run_plan(place: Path, arguments: list[str]) -> Planned:
    """Plan in a process of its own."""
    status, environ = place / "status", {**os.environ, "WHEELKILN_CACHE_DIR": str(place / "cache")}
    command = [sys.executable, "-c", TELLING_ITS_STATUS, str(status), "plan", "--format", "json"]
    command += ["--config", str(place / "wheelkiln.toml"), *arguments]
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    output = subprocess.run(command, env=environ, stdout=subprocess.PIPE, check=True).stdout
    seconds, after = time.monotonic() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    (peak,) = [line.split()[1] for line in status.read_text(encoding="utf-8").splitlines() if line.startswith("VmHWM:")]
    return Planned(seconds, cpu, int(peak) / 1024, output)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
