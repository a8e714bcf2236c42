"""Time the commands that people wait for: 'wheelkiln --help' and 'wheelkiln plan' on a local project.

    python bench/startup.py [DIRECTORY]

Prints the median and the slowest of several runs of each, whole processes. Limits to look at: 0.3 s and 0.5 s.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path

RUNS = 9
PROJECT = Path(__file__).parent.parent / "tests" / "projects" / "plain"


def main() -> int:
    project = sys.argv[1] if len(sys.argv) > 1 else str(PROJECT)
    commands = {
        "--help": ["--help"],
        "plan, pypa base": ["plan", project],
        "plan, bootstrap base": ["plan", project, "--base", "bootstrap"],
    }
    for title, arguments in commands.items():
        seconds = [run(arguments) for _ in range(RUNS + 1)][1:]  # the first run fills the file cache
        print(f"{title:<22} median {statistics.median(seconds):.3f} s, slowest {max(seconds):.3f} s")
    return 0


def run(arguments: list[str]) -> float:
    started = time.monotonic()
    subprocess.run([sys.executable, "-m", "wheelkiln", *arguments], capture_output=True, check=True)
    return time.monotonic() - started


if __name__ == "__main__":
    sys.exit(main())
