"""Compare a second build: plain cibuildwheel, the field's ccache recipe, and wheelkiln, side by side in one run.

    python bench/warm.py contourpy==1.3.3 msgpack==1.1.2 --python cp312

All build the same sdist in the same image with the same compilers, one identifier after the other. Read the
ratios, not the seconds: they are of one machine. The table goes to stdout, all figures to bench/results/warm.json.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import tomli_w

from wheelkiln.cache.statistics import CompileStatistics, count_calls, parse_statistics_log

RESULTS = Path(__file__).parent / "results" / "warm.json"
WAYS = ("cibuildwheel", "cibuildwheel + mounted ccache", "wheelkiln")
BUILDER_UID = 1000


@dataclass(frozen=True, slots=True)
class Measured:
    """Two builds of the same source: wall seconds of each, and what the second did with the compile cache."""

    project: str
    way: str
    first: float
    second: float
    hits: int
    calls: int
    unchanged: float | None = None

    @property
    def hit_text(self) -> str:
        return f"{self.hits}/{self.calls}" if self.calls else "-"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("projects", nargs="+", metavar="NAME==VERSION")
    parser.add_argument("--python", action="append", help="tag such as cp312; repeatable; default: cp312")
    parser.add_argument("--base", default="bootstrap")
    parser.add_argument("--way", action="append", choices=WAYS, help="measure only these")
    options = parser.parse_args()
    measured: list[Measured] = []
    with tempfile.TemporaryDirectory(prefix="wheelkiln-bench-", dir=os.environ.get("TMPDIR", "/var/tmp")) as name:  # noqa: S108 - scratch of a benchmark, and a place inside a container
        for project in options.projects:
            bench = Bench(Path(name) / project, project, options.base, options.python or ["cp312"])
            measured += [bench.measure(way) for way in (options.way or WAYS)]
            print_table(measured)
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps([asdict(entry) for entry in measured], indent=2) + "\n", encoding="utf-8")
    return 0


class Bench:
    """One project in one scratch directory."""

    def __init__(self, place: Path, project: str, base: str, pythons: list[str]) -> None:
        self.place = place
        self.project = project
        self.options = ["--base", base, *(f"--python={tag}" for tag in pythons)]

    def measure(self, way: str) -> Measured:
        print(f"{self.project}: {way} ...", file=sys.stderr, flush=True)
        return self.measure_wheelkiln() if way == "wheelkiln" else self.measure_cibuildwheel(way)

    def measure_wheelkiln(self) -> Measured:
        cache = self.place / "cache"
        shutil.rmtree(cache / "ccache", ignore_errors=True)
        self.wheelkiln("plan", capture=True)  # fetches the sdist
        self.provide_image()
        first, _ = self.wheelkiln("build", "--fresh", "-o", str(self.place / "wheels"))
        second, _ = self.wheelkiln("build", "--fresh", "-o", str(self.place / "wheels"))
        manifest = json.loads((self.place / "wheels" / "wheelkiln-manifest.json").read_text(encoding="utf-8"))
        statistics = [job["statistics"] for job in manifest["jobs"] if job["statistics"]]
        hits = sum(entry["hits"] for entry in statistics)
        unchanged, _ = self.wheelkiln("build", "-o", str(self.place / "wheels"))
        return Measured(
            self.project, "wheelkiln", first, second, hits, hits + sum(e["misses"] for e in statistics), unchanged
        )

    def measure_cibuildwheel(self, way: str) -> Measured:
        """Use default build isolation; the recipe mounts a ccache directory and sets what its write-ups set."""
        image, identifiers = self.provide_image()
        sdist = next((self.place / "cache" / "sdists").glob("*/*.tar.gz"))
        ccache = self.place / way.replace(" ", "-")
        ccache.mkdir(parents=True)
        os.chown(ccache, BUILDER_UID, BUILDER_UID) if os.getuid() == 0 else None
        config = self.place / f"{ccache.name}.toml"
        config.write_text(tomli_w.dumps(self.plain_config(image, identifiers, ccache, cached=way != WAYS[0])))
        seconds = []
        statistics = CompileStatistics()
        for _ in range(2):
            (ccache / "log").unlink(missing_ok=True)
            command = [sys.executable, "-m", "cibuildwheel", "--config-file", str(config), "--platform", "linux"]
            elapsed, _ = run([*command, "--output-dir", str(self.place / "plain"), str(sdist)], env=plain_environment())
            seconds.append(elapsed)
            log = ccache / "log"
            statistics = (
                count_calls(parse_statistics_log(log.read_text().splitlines())) if log.is_file() else statistics
            )
        return Measured(self.project, way, seconds[0], seconds[1], statistics.hits, statistics.calls)

    def plain_config(self, image: str, identifiers: list[str], ccache: Path, *, cached: bool) -> dict[str, Any]:
        bundle = os.environ.get("SSL_CERT_FILE") or "/etc/ssl/certs/ca-certificates.crt"
        environment = {"SSL_CERT_FILE": "/tmp/ca.pem", "PIP_CERT": "/tmp/ca.pem", "HOME": "/home/builder"}  # noqa: S108 - scratch of a benchmark, and a place inside a container
        cache = {
            "CCACHE_DIR": "/ccache",
            "CCACHE_BASEDIR": "/project",
            "CCACHE_NOHASHDIR": "1",
            "CCACHE_STATSLOG": "/ccache/log",
        }
        environment |= cache if cached else {"CCACHE_DISABLE": "1"}
        create_args = ["--user=1000:1000", f"--volume={ccache}:/ccache", f"--volume={bundle}:/tmp/ca.pem:ro"]
        return {
            "tool": {
                "cibuildwheel": {
                    "build": identifiers,
                    "environment": environment,
                    "container-engine": {"name": "docker", "create-args": create_args, "disable-host-mount": True},
                    "manylinux-x86_64-image": image,
                    "manylinux-aarch64-image": image,
                }
            }
        }

    def provide_image(self) -> tuple[str, list[str]]:
        """Return the image's reference and the plan's identifiers; a first small build makes the image."""
        _, text = self.wheelkiln("plan", "--format", "json", capture=True)
        plan = json.loads(text)
        (image,) = plan["references"].values()
        present = (
            subprocess.run(["docker", "image", "inspect", image], capture_output=True, check=False).returncode == 0
        )
        if not present:
            self.wheelkiln("build", "--fresh", "-o", str(self.place / "wheels"))
            shutil.rmtree(self.place / "cache" / "ccache", ignore_errors=True)
        return image, [job["identifier"] for job in plan["jobs"]]

    def wheelkiln(self, command: str, *options: str, capture: bool = False) -> tuple[float, str]:
        argv = [sys.executable, "-m", "wheelkiln", command, self.project, *self.options, "--no-test"]
        argv += ["--cache-dir", str(self.place / "cache"), *options]
        return run(argv, env=dict(os.environ), capture=capture)


def plain_environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("CIBW_")}


def run(argv: list[str], *, env: dict[str, str], capture: bool = False) -> tuple[float, str]:
    """Run a command and return its wall seconds and output; a failure ends the benchmark with its last lines."""
    started = time.monotonic()
    done = subprocess.run(argv, env=env, capture_output=True, text=True, check=False)
    seconds = time.monotonic() - started
    if done.returncode:
        print((done.stdout + done.stderr)[-3000:], file=sys.stderr)
        sys.exit(done.returncode)
    return seconds, done.stdout if capture else ""


def print_table(measured: list[Measured]) -> None:
    print(f"\n{'project':<20} {'way':<30} {'first':>8} {'second':>8} {'ratio':>6} {'hits':>9} {'unchanged':>10}")
    for entry in measured:
        unchanged = f"{entry.unchanged:.1f} s" if entry.unchanged is not None else "-"
        print(
            f"{entry.project:<20} {entry.way:<30} {entry.first:>6.1f} s {entry.second:>6.1f} s "
            f"{entry.first / entry.second:>5.1f}x {entry.hit_text:>9} {unchanged:>10}"
        )


if __name__ == "__main__":
    sys.exit(main())
