"""Jobs side by side in real containers: one budget of cores for all, memory that is known afterwards."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.container.conftest import Tool, manifest
from wheelkiln.build.ledger import ledger_of

_PYPROJECT = """
[build-system]
requires = ["scikit-build-core==0.11.6"]
build-backend = "scikit_build_core.build"
[project]
name = "NAME"
version = "1.0"
[tool.cibuildwheel]
build-verbosity = 1
"""
_CMAKE = """
cmake_minimum_required(VERSION 3.18)
project(steps LANGUAGES C)
find_package(Python REQUIRED COMPONENTS Interpreter Development.Module)
Python_add_library(NAME MODULE module.c WITH_SOABI)
foreach(number RANGE 1 8)
    add_custom_command(OUTPUT step${number} COMMAND sh ${CMAKE_CURRENT_SOURCE_DIR}/step.sh step${number})
    list(APPEND steps step${number})
endforeach()
add_custom_target(all_steps ALL DEPENDS ${steps})
install(TARGETS NAME DESTINATION .)
"""
_MODULE = """
#include <Python.h>
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "NAME", 0, -1, 0};
PyMODINIT_FUNC PyInit_NAME(void) { return PyModule_Create(&module); }
"""
_STEP = 'begin=$(date +%s%N); sleep 1; touch "$1"; echo "STEP $begin $(date +%s%N)"\n'


def _project(place: Path, name: str, *, generator: str = "Ninja") -> Path:
    """A project whose build has eight steps of a second, which say when they ran."""
    directory = place / name
    directory.mkdir()
    settings = f'[tool.scikit-build]\ncmake.args = ["-G{generator}"]\nninja.make-fallback = true\n'
    (directory / "pyproject.toml").write_text(_PYPROJECT.replace("NAME", name) + settings)
    (directory / "CMakeLists.txt").write_text(_CMAKE.replace("NAME", name))
    (directory / "module.c").write_text(_MODULE.replace("NAME", name))
    (directory / "step.sh").write_text(_STEP)
    return directory


def _steps(cache: Path) -> list[list[tuple[int, int]]]:
    """The beginnings and ends of the steps, for each job of the last run."""
    run = max((cache / "runs").iterdir(), key=lambda path: path.stat().st_mtime)
    logs = [path.read_text() for path in sorted(run.glob("*/build.log"))]
    return [[(int(a), int(b)) for a, b in re.findall(r"STEP (\d+) (\d+)", text)] for text in logs]


def _most(steps: list[tuple[int, int]]) -> int:
    return max(sum(other[0] <= begin < other[1] for other in steps) for begin, _ in steps)


def test_two_projects_share_the_cores_by_the_jobserver(tool: Tool, tmp_path: Path) -> None:
    """Ninja in the one, make in the other: of four cores each has one, and either takes those that are free."""
    one = _project(tmp_path, "ninjasteps")
    two = _project(tmp_path, "makesteps", generator="Unix Makefiles")
    house = tmp_path / "out"
    options = ("--python", "cp312", "--jobs", "4", "--output-dir", str(house))
    done = tool.run("build", str(one), str(two), *tool.options(*options))
    assert done.code == 0, done.stderr
    jobs = _steps(tool.cache)
    assert [len(steps) for steps in jobs] == [8, 8], done.stderr
    assert _most([step for steps in jobs for step in steps]) in (3, 4)
    assert all(2 <= _most(steps) <= 4 for steps in jobs), "neither was left with one core"
    peaks = {**ledger_of(tool.cache).peaks("ninjasteps"), **ledger_of(tool.cache).peaks("makesteps")}
    assert all(5_000_000 < peak < 2_000_000_000 for peak in peaks.values())
    assert peaks


@pytest.mark.any_engine(but=())
def test_one_job_at_a_time_makes_the_same_wheel_without_the_jobserver(tool: Tool, tmp_path: Path) -> None:
    source = _project(tmp_path, "alone")
    found = []
    for number in ("1", "3"):
        house = tmp_path / f"out{number}"
        done = tool.build(
            source, "--python", "cp312", "--jobs", number, "--fresh", "--no-store", "--output-dir", str(house)
        )
        assert done.code == 0, done.stderr
        found.append(manifest(house)["jobs"][0]["wheel"]["sha256"])
        if number == "3":
            assert _most(_steps(tool.cache)[0]) == 3
    assert found[0] == found[1]
    assert tool.build(source, "--python", "cp312", "--jobs", "2", "-o", str(house)).stderr.count("unchanged since") == 1
