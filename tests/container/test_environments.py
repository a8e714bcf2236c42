"""Locks, environments and frontends against real engines and the package index."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.container.conftest import Tool, manifest

pytestmark = pytest.mark.any_engine(
    but=("test_a_lock_is_kept_to_and_needs_no_network_afterwards", "test_a_killed_run_leaves_no_half_made_environment")
)

ONE = ("--python", "cp312")


def _hash(house: Path) -> str:
    digest: str = manifest(house)["jobs"][0]["wheel"]["sha256"]
    return digest


def test_a_lock_is_kept_to_and_needs_no_network_afterwards(tool: Tool, project: Any) -> None:
    source = project("plain")
    locked = tool.run("lock", ".", *tool.options(*ONE), cwd=source)
    assert locked.code == 0, locked.stderr
    lock = source / "wheelkiln.lock"
    assert "setuptools==" in lock.read_text()
    assert "--hash" not in lock.read_text()
    assert "sha256:" in lock.read_text()
    assert tool.run("lock", ".", *tool.options(*ONE), "--check", cwd=source).code == 0

    built = tool.build(".", *ONE, "--offline", "--fresh", cwd=source)
    assert built.code == 0, built.stderr
    (job,) = manifest(source / "wheelhouse")["jobs"]
    assert [entry for entry in job["requirements"] if entry.startswith("setuptools==")]

    lock.write_text(re.sub(r"sha256:[0-9a-f]{8}", "sha256:00000000", lock.read_text()))
    damaged = tool.build(".", *ONE, "--fresh", cwd=source)
    assert damaged.code == 7
    assert "is not the one that the lock names" in damaged.stderr


def test_a_lock_that_does_not_fit_is_drift(tool: Tool, project: Any) -> None:
    source = project("plain")
    assert tool.run("lock", ".", *tool.options(*ONE), cwd=source).code == 0
    (source / "pyproject.toml").write_text(
        (source / "pyproject.toml").read_text().replace('"setuptools', '"wheel", "setuptools', 1)
    )
    ran = tool.build(".", *ONE, cwd=source)
    assert ran.code == 5, ran.stderr
    assert "wheelkiln lock" in ran.stderr
    assert tool.run("lock", ".", *tool.options(*ONE), "--check", cwd=source).code == 5


def test_pip_and_build_make_the_same_wheel_through_the_same_cache(tool: Tool, project: Any) -> None:
    source = project("plain")
    record = {"WHEELKILN_RECORD": "false"}  # it tells which frontend it was
    assert tool.build(".", *ONE, "--fresh", cwd=source, **record).code == 0
    by_build = _hash(source / "wheelhouse")
    ran = tool.build(".", *ONE, "--fresh", cwd=source, WHEELKILN_FRONTEND="pip", **record)
    assert ran.code == 0, ran.stderr
    (job,) = manifest(source / "wheelhouse")["jobs"]
    assert (job["statistics"]["hits"], job["statistics"]["misses"]) == (1, 0)
    assert job["wheel"]["sha256"] == by_build


def test_the_backend_sees_its_environment_alone(tool: Tool, project: Any) -> None:
    """The image's own packages (build, pip) are not visible to a backend, and it cannot write to its own."""
    source = project("plain")
    (source / "setup.py").write_text(
        "import importlib.util, os, sys, json, setuptools\n"
        "names = ['build', 'pip', 'pyproject_hooks']\n"
        "seen = [name for name in names if importlib.util.find_spec(name)]\n"
        "writable = os.access(os.path.dirname(setuptools.__file__), os.W_OK)\n"
        "print('SEEN', json.dumps([sys.prefix, seen, writable]))\n"
        "setuptools.setup()\n"
    )
    ran = tool.build(".", *ONE, "--fresh", cwd=source)
    assert ran.code == 0, ran.stderr
    (run,) = (path for path in (tool.cache / "runs").iterdir() if _mentions(path, "SEEN"))
    text = (run / "cp312-manylinux_x86_64/build.log").read_text()
    seen = json.loads(next(line for line in text.splitlines() if line.startswith("SEEN ")).removeprefix("SEEN "))
    assert seen == ["/tmp/wheelkiln/env", [], False]


def _mentions(run: Path, word: str) -> bool:
    return any(word in log.read_text() for log in run.glob("*/build.log"))


def test_a_requirement_comes_from_a_directory_of_the_project(tool: Tool, project: Any) -> None:
    """A compiled requirement that was built before: nothing of that name is on any index."""
    needed = project("plain", "needed")
    assert tool.build(".", *ONE, cwd=needed).code == 0
    source = project("plain", "needing")
    pyproject = source / "pyproject.toml"
    pyproject.write_text(
        pyproject.read_text().replace('"setuptools', '"plainkernel==1.2.3; python_version==\'3.12\'", "setuptools', 1)
        + '\n[tool.wheelkiln]\nfind-links = ["vendor"]\n'
    )
    (needed / "wheelhouse").rename(source / "vendor")
    ran = tool.build(".", *ONE, "--fresh", cwd=source)
    assert ran.code == 0, ran.stderr
    assert "plainkernel==1.2.3" in manifest(source / "wheelhouse")["jobs"][0]["requirements"]


def test_a_killed_run_leaves_no_half_made_environment(tool: Tool, project: Any) -> None:
    source = project("plain")
    assert tool.build(".", *ONE, cwd=source).code == 0
    assert list((tool.cache / "environments").glob("*.part")) == []
    made = next((tool.cache / "environments").iterdir())
    done = subprocess.run(["find", str(made), "-name", "*.pyc"], capture_output=True, text=True, check=True)
    assert done.stdout, "bytecode is part of an environment"
