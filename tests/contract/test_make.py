"""The program that stands for an old make in images: it lets that make use a jobserver which is a fifo."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path, PurePosixPath

import pytest

from wheelkiln.build.cores import Cores
from wheelkiln.system.jobserver import FIFO_NAME, Jobserver, serving

_SCRIPT = Path(__file__).resolve().parents[2] / "manylinux/scripts/make.sh"
_STEPS = "abcdef"
_MAKEFILE = f"""all: {" ".join(_STEPS)}
{" ".join(_STEPS)}: ; @echo begin $@ >>log; sleep 0.3; echo end $@ >>log
sub: ; +@$(MAKE) all
"""

pytestmark = pytest.mark.skipif(not os.access("/usr/bin/make", os.X_OK), reason="no make")


def _make(place: Path, target: str, variables: dict[str, str]) -> subprocess.CompletedProcess[str]:
    (place / "Makefile").write_text(_MAKEFILE)
    environ = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")} | variables
    return subprocess.run(
        ["sh", str(_SCRIPT), target], cwd=place, env=environ, capture_output=True, text=True, check=False
    )


def _served(place: Path, server: Jobserver, target: str) -> subprocess.CompletedProcess[str]:
    assert server.directory is not None
    cores = Cores(jobserver=server.directory, budget=server.budget)
    return _make(place, target, dict(cores.environment(PurePosixPath(server.directory))))


def _most_at_a_time(place: Path) -> int:
    running = most = 0
    for line in (place / "log").read_text().splitlines():
        running += 1 if line.startswith("begin") else -1
        most = max(most, running)
    return most


@pytest.mark.parametrize("target", ["all", "sub"])
def test_make_keeps_to_the_tokens_and_gives_them_back(tmp_path: Path, target: str) -> None:
    with serving(tmp_path / "jobserver", 4) as server:
        server.take(2)
        done = _served(tmp_path, server, target)
        assert (done.returncode, done.stderr) == (0, "")
        assert server.available == 2
    assert _most_at_a_time(tmp_path) == 3, "one of its own, and two tokens"


def test_a_jobserver_that_is_gone_leaves_a_make_as_it_is_without(tmp_path: Path) -> None:
    flags = f" -j4 --jobserver-auth=fifo:{tmp_path}/{FIFO_NAME}"
    done = _make(tmp_path, "all", {"MAKEFLAGS": flags})
    assert (done.returncode, done.stderr) == (0, "")
    assert _most_at_a_time(tmp_path) == 1


@pytest.mark.parametrize("flags", [None, "", "-j2", "k"])
def test_other_flags_reach_make(tmp_path: Path, flags: str | None) -> None:
    done = _make(tmp_path, "all", {} if flags is None else {"MAKEFLAGS": flags})
    assert done.returncode == 0
    assert _most_at_a_time(tmp_path) == (2 if flags == "-j2" else 1)


def test_ninja_of_the_images_asks_the_jobserver() -> None:
    """The first version that does is 1.13 (ninja: release notes)."""
    text = (_SCRIPT.parents[1] / "requirements/tools.txt").read_text()
    found = re.search(r"^ninja==(\d+)\.(\d+)", text, re.MULTILINE)
    assert found is not None
    assert (int(found[1]), int(found[2])) >= (1, 13)
