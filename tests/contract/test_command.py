"""The installed command: what it imports, how fast it is, what it prints where."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest

from wheelkiln.cli.schema import make_schema

_HEAVY = [
    "rich",
    "pydantic",
    "jinja2",
    "unearth",
    "httpx2",
    "cibuildwheel",
    "sqlite3",
    "tomli_w",
    "humanize",
    "filelock",
]
_PROJECT = (
    '[project]\nname = "kern"\nversion = "1.2"\n[tool.wheelkiln]\narch = ["x86_64"]\n'
    '[tool.cibuildwheel]\nskip = "cp310-*"\narchs = ["auto"]\n'
)


def _run(*arguments: str, cwd: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "wheelkiln", *arguments],
        cwd=cwd,
        env={**os.environ, "WHEELKILN_CACHE_DIR": str(cwd / "cache"), **environ},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "pyproject.toml").write_text(_PROJECT)
    return tmp_path


def _imported(code: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys; print(*sorted(sys.modules), file=sys.stderr)"],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stderr.split())


def test_the_help_imports_nothing_heavy() -> None:
    code = "from wheelkiln.cli.main import cli\ncli.main(['--help'], standalone_mode=False)"
    assert _imported(code) & set(_HEAVY) == set()


def test_this_test_would_notice() -> None:
    assert "sqlite3" in _imported("import sqlite3")


def test_a_plan_imports_no_network_and_no_ledger(project: Path) -> None:
    code = (
        f"import os; os.chdir({str(project)!r}); os.environ['WHEELKILN_CACHE_DIR'] = {str(project / 'cache')!r}\n"
        "from wheelkiln.cli.main import cli\ncli.main(['plan', '--format', 'json'], standalone_mode=False)"
    )
    assert _imported(code) & {"unearth", "httpx2", "sqlite3", "ssl", "filelock", "tomli_w"} == set()


def test_the_plan_command_end_to_end(project: Path) -> None:
    done = _run("plan", "--format", "json", cwd=project)
    assert done.returncode == 0, done.stderr
    plan = json.loads(done.stdout)
    assert [job["id"] for job in plan["jobs"]] == [f"cp31{minor}-manylinux_x86_64" for minor in (1, 2, 3)]
    assert list(jsonschema.Draft202012Validator(make_schema("plan")).iter_errors(plan)) == []
    assert done.stderr.startswith("notice: [tool.cibuildwheel] archs is left out")


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("plan", "nowhere"), 2, "is not a directory or file"),
        (("biuld",), 2, "Did you mean 'build'?"),
        (("plan", "--python", "py3"), 3, "python.0: 'py3' is not a CPython tag"),
        (("plan", "--only", "nothing"), 4, "nothing is left to build"),
        (("build", "--engine", "docker"), 6, "no container engine answers"),
    ],
)
def test_errors_are_codes_and_one_message(project: Path, arguments: tuple[str, ...], code: int, words: str) -> None:
    done = _run(*arguments, cwd=project, PATH="/nonexistent")
    assert done.returncode == code
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_a_reader_that_goes_away_is_no_traceback(project: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "wheelkiln", "schema"], cwd=project, stdout=writer, stderr=subprocess.PIPE, check=False
    )
    os.close(writer)
    assert done.returncode == 141
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize("command", ["build", "plan", "generate", "init", "doctor", "schema"])
def test_every_command_has_a_help(tmp_path: Path, command: str) -> None:
    done = _run(command, "--help", cwd=tmp_path)
    assert done.returncode == 0
    assert done.stdout.startswith("Usage: ")
    assert done.stderr == ""
