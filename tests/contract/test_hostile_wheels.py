"""Hostile wheels through the command itself, with one gigabyte of memory and some seconds for each."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.hostile_wheels import HOSTILE, NAME, write_hostile

_MEMORY = 1 << 30
_SECONDS = 20


def _limit() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (_SECONDS, _SECONDS))
    resource.setrlimit(resource.RLIMIT_FSIZE, (64 << 20, 64 << 20))


@pytest.mark.parametrize("which", ["a bomb", "a stream that is longer than it says", "too many members"])
def test_a_large_one_within_bounds(tmp_path: Path, which: str) -> None:
    path = write_hostile(tmp_path, which)
    begun = time.monotonic()
    assert _verify(path.parent, [path]) == {path.name: {HOSTILE[which][0]}}
    assert time.monotonic() - begun < 4 * _SECONDS


def test_all_of_them_in_one_call(tmp_path: Path) -> None:
    paths = {}
    for number, which in enumerate(sorted(HOSTILE)):
        place = tmp_path / str(number)
        place.mkdir()
        paths[write_hostile(place, which)] = HOSTILE[which][0]
    before = set(tmp_path.rglob("*"))
    found = _verify(tmp_path, list(paths), by_path=True)
    assert [path for path, code in paths.items() if code not in found[str(path.relative_to(tmp_path))]] == []
    assert set(tmp_path.rglob("*")) == before


def _verify(cwd: Path, paths: list[Path], *, by_path: bool = False) -> dict[str, set[str]]:
    done = subprocess.run(
        [sys.executable, "-m", "wheelkiln", "verify", "--format", "json", *map(str, paths)],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=_limit,
    )
    assert done.returncode == 8, done.stderr
    assert "Traceback" not in done.stderr
    wheels = json.loads(done.stdout)["wheels"]
    assert {wheel["wheel"] for wheel in wheels} == {NAME}
    return {
        wheel["path" if by_path else "wheel"]: {finding["code"] for finding in wheel["findings"]} for wheel in wheels
    }
