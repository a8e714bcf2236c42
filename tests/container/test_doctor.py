"""Each cause of missed hits made to happen by real builds, and what the cache doctor says of it."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.container.conftest import Tool, manifest

ONE = ("--python", "cp312")
JOB = "cp312-manylinux_x86_64"
EPOCH = "1700000000"

PYPROJECT = """\
[build-system]
requires = ["setuptools>=77"]
build-backend = "setuptools.build_meta"

[project]
name = "NAME"
version = "1.0"
"""
SETUP = """\
import pathlib, tempfile, time
from setuptools import Extension, setup

BEFORE
kernels = [Extension("NAME._one", ["csrc/one.c", "csrc/two.c"], include_dirs=["csrc", *INCLUDES])]
setup(packages=[], ext_modules=kernels)
"""
ONE_C = """\
#include <Python.h>
#include "sum.h"
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "_one", NULL, -1, NULL, NULL, NULL, NULL, NULL};
PyMODINIT_FUNC PyInit__one(void) { return PyModule_Create(&module) + 0 * sum(1, 2); }
"""
TWO_C = '#include "sum.h"\nint sum(int a, int b) { return a + b; }\n'


pytestmark = pytest.mark.any_engine(but=())


def make_project(place: Path, name: str, *, before: str = "INCLUDES = []", **files: str) -> Path:
    """Write a small setuptools project; before is code of its setup.py, files replace what is in csrc."""
    root = place / name
    (root / "csrc").mkdir(parents=True)
    (root / "pyproject.toml").write_text(PYPROJECT.replace("NAME", name))
    (root / "setup.py").write_text(SETUP.replace("NAME", name).replace("BEFORE", before))
    (root / "MANIFEST.in").write_text("recursive-include csrc *\n")
    sources = {"one.c": ONE_C, "two.c": TWO_C, "sum.h": "int sum(int a, int b);\n", **files}
    for file, text in sources.items():
        (root / "csrc" / file).write_text(text)
    return root


def build(tool: Tool, source: Path, **environ: str) -> dict[str, Any]:
    """Build one wheel, and return the statistics of its calls."""
    ran = tool.build(".", *ONE, "--fresh", cwd=source, **{"SOURCE_DATE_EPOCH": EPOCH, **environ})
    assert ran.code == 0, ran.stderr
    statistics: dict[str, Any] = manifest(source / "wheelhouse")["jobs"][0]["statistics"]
    return statistics


def doctor(tool: Tool, *arguments: str, cwd: Path | None = None) -> list[dict[str, Any]]:
    """Return the diagnoses of one job, without the remedies, which have no facts in them."""
    ran = tool.run("cache", "doctor", *arguments, "--format", "json", cwd=cwd)
    assert ran.code == 0, ran.stderr
    (job,) = json.loads(ran.stdout)["jobs"]
    return [{"cause": one["cause"], "units": sorted(one["units"]), "detail": one["detail"]} for one in job["diagnoses"]]


def examine(tool: Tool, source: Path, *more: str) -> list[dict[str, Any]]:
    return doctor(tool, ".", *ONE, "--base", "bootstrap", "--cache-dir", str(tool.cache), *more, cwd=source)


BOTH = ["csrc/one.c", "csrc/two.c"]


@pytest.fixture(scope="module")
def plain(engine: str, session_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Tool, Path]:
    """A project that was built once; each test's build is compared with that one."""
    place = tmp_path_factory.mktemp("plain")
    tool = Tool(engine, session_cache, place)
    source = make_project(place, "plaindoc")
    build(tool, source)
    shutil.copytree(session_cache / "calls/plaindoc", place / "kept")
    return tool, source


def build_changed(plain: tuple[Tool, Path], environment: str) -> tuple[Mapping[str, Any], list[dict[str, Any]]]:
    tool, source = plain
    shutil.copytree(tool.place / "kept", tool.cache / "calls/plaindoc", dirs_exist_ok=True)
    statistics = build(tool, source, CIBW_ENVIRONMENT=environment)
    return statistics, examine(tool, source)


def test_nothing_is_wrong_with_a_build_that_hits(plain: tuple[Tool, Path]) -> None:
    statistics, found = build_changed(plain, "OTHER=1")
    assert (statistics["hits"], statistics["misses"]) == (2, 0)
    assert found == []


def test_another_compiler(plain: tuple[Tool, Path]) -> None:
    statistics, found = build_changed(plain, "CC=g++ LDSHARED='g++ -shared'")
    assert statistics["misses"] == 2
    assert [(one["cause"], one["units"]) for one in found] == [("compiler-changed", BOTH)]
    assert found[0]["detail"] == "/usr/bin/gcc -> /usr/bin/g++"


def test_other_flags(plain: tuple[Tool, Path]) -> None:
    _, found = build_changed(plain, "CPPFLAGS=-fno-builtin")
    assert found == [{"cause": "flags-changed", "units": BOTH, "detail": "added -fno-builtin"}]


def test_another_namespace(plain: tuple[Tool, Path]) -> None:
    _, found = build_changed(plain, "CCACHE_NAMESPACE=mine")
    assert found == [
        {"cause": "namespace-changed", "units": BOTH, "detail": "plaindoc-x86_64-default -> mine"},
    ]


def test_native_code_is_dangerous_even_when_it_hits(plain: tuple[Tool, Path]) -> None:
    build_changed(plain, "CPPFLAGS=-march=native")
    tool, source = plain
    assert build(tool, source, CIBW_ENVIRONMENT="CPPFLAGS=-march=native")["hits"] == 2
    assert examine(tool, source) == [{"cause": "native-code", "units": BOTH, "detail": "-march=native"}]


def test_uncacheable_calls(plain: tuple[Tool, Path]) -> None:
    statistics, found = build_changed(plain, "CPPFLAGS=-save-temps")
    assert statistics["uncacheable"] == [["unsupported_compiler_option", 2]]
    detail = "unsupported_compiler_option: Compiler option -save-temps is unsupported"
    assert {"cause": "uncacheable", "units": BOTH, "detail": detail} in found


def test_a_compiler_by_its_path_is_not_reached(plain: tuple[Tool, Path]) -> None:
    statistics, found = build_changed(plain, "CC=/usr/bin/gcc LDSHARED='/usr/bin/gcc -shared'")
    assert (statistics or {}).get("hits", 0) == 0
    assert [(one["cause"], one["units"]) for one in found] == [("launcher-not-reached", BOTH)]


def test_a_changed_source_is_expected(tool: Tool, tmp_path: Path) -> None:
    source = make_project(tmp_path, "changedoc")
    build(tool, source)
    with (source / "csrc/two.c").open("a") as file:
        file.write("int unused_one;\n")
    build(tool, source)
    assert examine(tool, source) == [{"cause": "source-changed", "units": ["csrc/two.c"], "detail": ""}]


def test_build_requirements_in_an_isolated_environment(tool: Tool, tmp_path: Path) -> None:
    """A real pip wheel with build isolation, in front of wheelkiln's own build of the same file."""
    code = '#include <pybind11/detail/common.h>\n#include "sum.h"\nint deep(void) { return sum(1, 2); }\n'
    source = make_project(tmp_path, "isolatedoc", before="import pybind11\nINCLUDES = [pybind11.get_include()]")
    (source / "csrc/deep.cpp").write_text(code.replace('#include "sum.h"', 'extern "C" int sum(int, int);'))
    setup = (source / "setup.py").read_text().replace('"csrc/two.c"]', '"csrc/two.c", "csrc/deep.cpp"]')
    (source / "setup.py").write_text(setup)
    project = (source / "pyproject.toml").read_text().replace('"setuptools>=77"', '"setuptools>=77", "pybind11==3.0.1"')
    isolated = "cp -r {project} /tmp/isolated && pip wheel -q --no-deps -w /tmp/out /tmp/isolated"
    (source / "pyproject.toml").write_text(f'{project}\n[tool.cibuildwheel]\nbefore-build = "{isolated}"\n')
    build(tool, source)
    statistics = build(tool, source)
    assert statistics["hits"] >= 3
    (found,) = examine(tool, source)
    assert (found["cause"], found["units"]) == ("random-environment", ["csrc/deep.cpp"])
    assert "pip-build-env-" in found["detail"]


def test_a_random_build_directory(tool: Tool, tmp_path: Path) -> None:
    before = """\
place = pathlib.Path(tempfile.mkdtemp())
(place / "config.h").write_text("#define SIZE 4\\n")
INCLUDES = [str(place)]
"""
    two = f'#include "config.h"\n{TWO_C}int size(void) {{ return SIZE; }}\n'
    source = make_project(tmp_path, "randomdoc", before=before, **{"two.c": two})
    build(tool, source)
    assert build(tool, source)["misses"] == 1, "a file that includes nothing from there hits by its preprocessed text"
    (found,) = examine(tool, source)
    assert (found["cause"], found["units"]) == ("random-build-directory", ["csrc/two.c"])
    assert found["detail"].startswith("/tmp/tmp")


def test_date_and_time_of_another_commit(tool: Tool, tmp_path: Path) -> None:
    two = f'{TWO_C}const char *built(void) {{ return __DATE__ " " __TIME__; }}\n'
    source = make_project(tmp_path, "timedoc", **{"two.c": two})
    build(tool, source)
    assert build(tool, source)["misses"] == 0, "SOURCE_DATE_EPOCH fixes both"
    assert build(tool, source, SOURCE_DATE_EPOCH="1700009999")["misses"] == 1
    (found,) = examine(tool, source)
    assert (found["cause"], found["units"]) == ("time-macro", ["csrc/two.c"])
    assert found["detail"].endswith("in csrc/two.c; SOURCE_DATE_EPOCH 1700000000 -> 1700009999")
    assert "__TIME__" in found["detail"]


def test_a_generated_header_with_a_time_in_it(tool: Tool, tmp_path: Path) -> None:
    before = """\
pathlib.Path("build/gen").mkdir(parents=True, exist_ok=True)
pathlib.Path("build/gen/stamp.h").write_text(f'#define STAMP "{time.time_ns()}"\\n')
INCLUDES = ["build/gen"]
"""
    two = f'#include "stamp.h"\n{TWO_C}const char *stamp(void) {{ return STAMP; }}\n'
    source = make_project(tmp_path, "stampdoc", before=before, **{"two.c": two})
    build(tool, source)
    assert build(tool, source)["misses"] == 1
    assert [(one["cause"], one["units"]) for one in examine(tool, source)] == [("generated-header", ["csrc/two.c"])]

    calls = {path.name: path.read_bytes() for path in (tool.cache / "calls/stampdoc").iterdir()}
    (found,) = examine(tool, source, "--run", "--engine", tool.engine)
    assert found["units"] == ["csrc/two.c"]
    assert 'return "' in found["detail"], "the line that differs is shown"
    assert {path.name: path.read_bytes() for path in (tool.cache / "calls/stampdoc").iterdir()} == calls
    assert list(tool.cache.glob("runs/*/examination")) == []


def test_a_cache_that_is_too_small_and_one_that_was_emptied(tool: Tool, tmp_path: Path) -> None:
    source = make_project(tmp_path, "smalldoc")
    own = Tool(tool.engine, tmp_path / "cache", tmp_path)
    build(own, source)
    # ccache cleans a directory up when enough lies in it; asked to, it cleans up however little there is
    build(own, source, WHEELKILN_CACHE_MAX_SIZE="16k", CIBW_BEFORE_BUILD="ccache --cleanup")
    (found,) = examine(own, source)
    assert found["cause"] == "evicted"
    assert found["units"], "one file of a directory may stay"
    assert set(found["units"]) <= set(BOTH)
    assert "the limit is 16.0 kB" in found["detail"]

    shutil.rmtree(own.cache / "ccache")
    build(own, source)
    assert [(one["cause"], one["units"]) for one in examine(own, source)] == [("cache-lost", BOTH)]


def test_what_ccache_wrote_elsewhere_is_read(tool: Tool, plain: tuple[Tool, Path], tmp_path: Path) -> None:
    """The doctor needs neither a project nor a build of wheelkiln's."""
    image = manifest(plain[1] / "wheelhouse")["images"][0]["reference"]
    tmp_path.chmod(0o777)
    script = """\
set -e; cd /w; export CCACHE_DIR=/tmp/cc CCACHE_DEBUG=1 CCACHE_DEBUGDIR=/w/debug CCACHE_STATSLOG=/w/statistics
for build in one two; do
    mkdir -p /tmp/build-env-$build/include; echo 'int f(void);' > /tmp/build-env-$build/include/f.h
    printf '#include "f.h"\\nint f(void) { return 1; }\\n' > f.c
    CCACHE_LOGFILE=/w/$build.log gcc -I/tmp/build-env-$build/include -c f.c -o f.o
done
chmod -R a+rwX /w/*"""
    mount = f"--mount=type=bind,source={tmp_path},target=/w"
    command = [tool.engine, "run", "--rm", "--network=none", mount, image, "bash", "-c", script]
    subprocess.run(command, check=True, capture_output=True)
    for arguments in (["one.log", "two.log"], ["debug"]):
        (found,) = doctor(tool, *arguments, cwd=tmp_path)
        assert (found["cause"], found["units"]) == ("random-environment", ["f.c"])
        assert found["detail"] == "/tmp/build-env-one -> /tmp/build-env-two"
    (found,) = doctor(tool, "statistics", cwd=tmp_path)
    assert found["cause"] == "unknown"
