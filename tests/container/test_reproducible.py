"""The same inputs give the same bytes wherever they are built, and what makes a project's build differ is named."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.container.conftest import BUILD_SECONDS, Tool, clean_environment, manifest

TWO = ("--python", "cp311", "--python", "cp312")


def _wheels(house: Path) -> dict[str, str]:
    return {job["identifier"]: job["wheel"]["sha256"] for job in manifest(house)["jobs"]}


def _check_out(source: Path, umask: int) -> None:
    """Give files the modes that git gives them under a umask, and another time."""
    for path in (source, *source.rglob("*")):
        path.chmod((0o777 if path.is_dir() else 0o666) & ~umask)


def test_nothing_around_a_build_reaches_its_wheels(tool: Tool, project: Any, tmp_path: Path) -> None:
    source = project("plain")
    _check_out(source, 0o022)
    assert tool.build(".", *TWO, "--jobs", "1", "--fresh", cwd=source).code == 0

    elsewhere = project("plain", "another/place with a longer name/than before")
    _check_out(elsewhere, 0o077)
    options = ["--base", "bootstrap", "--engine", tool.engine, "--cache-dir", str(tmp_path / "cold"), *TWO, "--jobs=2"]
    around = {"TZ": "Pacific/Kiritimati", "LC_ALL": "C", "PYTHONHASHSEED": "7", "USER": "somebody"}
    done = subprocess.run(
        [sys.executable, "-m", "wheelkiln", "build", ".", *options],
        cwd=elsewhere,
        env=clean_environment() | around,
        umask=0o077,
        capture_output=True,
        text=True,
        check=False,
        timeout=BUILD_SECONDS,
    )
    assert done.returncode == 0, done.stderr
    assert _wheels(elsewhere / "wheelhouse") == _wheels(source / "wheelhouse")


@pytest.mark.any_engine(but=())
@pytest.mark.parametrize("fault", ["timestamp", "random", "path"])
def test_what_makes_a_build_differ_each_time_is_named(tool: Tool, project: Any, fault: str) -> None:
    source = project("restless")
    (source / "fault").write_text(fault)
    options = tool.options("--python", "cp312", "--format", "json")
    ran = tool.run("cache", "verify", ".", *options, cwd=source)
    assert ran.code == 8, ran.stderr
    told = json.loads(ran.stdout)
    assert told["verdict"] == "unrepeatable"
    first = told["comparison"]["causes"][0]
    assert first["code"] == fault
    assert first["members"] == ["restless/_kernel.cpython-312-x86_64-linux-gnu.so"]
    assert f"[{fault}]" in ran.stderr
