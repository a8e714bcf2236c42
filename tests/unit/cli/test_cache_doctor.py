from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tests.unit.cache.test_calls import LOGS
from tests.unit.cache.values import HIT, make_call, make_record
from wheelkiln.cache.records import keep_record
from wheelkiln.cli.cache_doctor import command
from wheelkiln.errors import NothingSelectedError, UsageProblem

_PYPROJECT = """
[project]
name = "kern"
version = "1.2"
[tool.wheelkiln]
arch = ["x86_64"]
policy = "manylinux2014"
python = ["cp311", "cp312"]
"""


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project as the working directory, and its cache directory."""
    directory = tmp_path / "project"
    directory.mkdir()
    (directory / "pyproject.toml").write_text(_PYPROJECT)
    monkeypatch.chdir(directory)
    monkeypatch.setenv("WHEELKILN_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("COLUMNS", "60")
    return tmp_path / "cache"


def _doctor(*arguments: str) -> Result:
    return CliRunner().invoke(command, list(arguments), catch_exceptions=False, standalone_mode=False)


def test_the_last_two_builds_are_compared(cache: Path) -> None:
    keep_record(cache, make_record(make_call()))
    keep_record(cache, make_record(make_call(namespace="other", manifest_key="m2", result_key="r2")))
    ran = _doctor()
    assert ran.exit_code == 0
    assert ran.stdout.splitlines()[:4] == [
        "cp312-manylinux_x86_64: 0/1 hits",
        "  cause: ccache's namespace changed [namespace-changed]",
        "    in a.c",
        "    kern-x86_64-default -> other",
    ]
    assert max(map(len, ran.stdout.splitlines())) <= 60


def test_json_has_each_job_that_was_built(cache: Path) -> None:
    for job in ("cp311-manylinux_x86_64", "cp312-manylinux_x86_64"):
        keep_record(cache, make_record(make_call(results=HIT), job=job))
    found = json.loads(_doctor("--format", "json").stdout)
    assert found["format"] == 1
    assert [(job["job"], job["compared"], job["diagnoses"]) for job in found["jobs"]] == [
        ("cp311-manylinux_x86_64", False, []),
        ("cp312-manylinux_x86_64", False, []),
    ]
    one = json.loads(_doctor("--format", "json", "--python", "cp311").stdout)
    assert [job["job"] for job in one["jobs"]] == ["cp311-manylinux_x86_64"]


def test_without_a_build_there_is_nothing_to_say() -> None:
    with pytest.raises(NothingSelectedError, match="no build of kern is known"):
        _doctor()


def test_a_log_needs_no_project() -> None:
    found = json.loads(_doctor(str(LOGS / "many-calls.log"), "--format", "json").stdout)
    assert found["jobs"][0]["job"] == "many-calls.log"
    assert {one["cause"] for one in found["jobs"][0]["diagnoses"]} >= {"flags-changed", "native-code"}


def test_two_logs_are_compared() -> None:
    log = str(LOGS / "side-by-side.log")
    assert _doctor(log, log).stdout.splitlines()[0] == "side-by-side.log: 0/2 hits"


def test_a_second_argument_must_be_a_log() -> None:
    with pytest.raises(UsageProblem, match="is no log of ccache"):
        _doctor(".", "other")
