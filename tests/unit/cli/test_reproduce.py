"""Which record a wheel is built again from, and what is said where there is none."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tests.archives import write_wheel
from tests.values import make_record
from wheelkiln.build.members import add_members
from wheelkiln.cli import reproduce
from wheelkiln.errors import UsageProblem, VerificationError
from wheelkiln.verify.record import RECORD_MEMBER, Record, write_record_text


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _run(*arguments: str) -> Result:
    return CliRunner().invoke(reproduce.command, list(arguments), standalone_mode=False)


def _record() -> Record:
    return replace(make_record(), edition=None)


def _wheel(record: Record | None) -> Path:
    plain = write_wheel(Path("plain"))
    if record is None:
        return plain
    return add_members(plain, Path(plain.name), {RECORD_MEMBER: write_record_text(record)})


def test_the_wheels_own_record_is_the_usual_one() -> None:
    result = _run(str(_wheel(_record())), "--recipe")
    assert result.exception is None
    assert result.stdout.startswith("#!/bin/sh\n# Builds kern-1.2-cp312-")


def test_a_wheel_without_a_record_says_what_can_be_done() -> None:
    problem = _run(str(_wheel(None))).exception
    assert isinstance(problem, UsageProblem)
    assert "carries no record" in problem.message
    assert "wheelkiln build NAME==VERSION" in problem.hint


def test_a_record_can_come_from_a_file_or_a_manifest() -> None:
    wheel = _wheel(None)
    Path("record.json").write_text(write_record_text(_record()))
    Path("manifest.json").write_text(
        json.dumps({"jobs": [{"wheel": None}, {"wheel": {"name": wheel.name}, "record": asdict(_record())}]})
    )
    scripts = [_run(str(wheel), "--recipe", "--record", name).stdout for name in ("record.json", "manifest.json")]
    assert scripts[0] == scripts[1]
    assert scripts[0].startswith("#!/bin/sh\n")


@pytest.mark.parametrize(
    ("text", "kind", "words"),
    [
        ('{"jobs": []}', UsageProblem, "has no record of kern-1.2"),
        ("{}", VerificationError, "its format is None"),
        ("[" * 100_000, VerificationError, "it is not JSON"),
    ],
    ids=["manifest", "object", "deep"],
)
def test_a_file_without_the_record_is_named(text: str, kind: type[Exception], words: str) -> None:
    Path("given.json").write_text(text)
    problem = _run(str(_wheel(None)), "--record", "given.json").exception
    assert isinstance(problem, kind)
    assert words in str(problem)


def test_a_wheel_and_a_file_have_to_be_there() -> None:
    assert "there is no absent.whl" in str(_run("absent.whl").exception)
    assert "there is no absent.json" in str(_run(str(_wheel(None)), "--record", "absent.json").exception)


def test_what_is_missing_is_said_before_anything_is_fetched() -> None:
    """The record names variables; one that is here is not let in unasked."""
    wheel = _wheel(_record())
    problem = CliRunner(env={"CIBW_ENVIRONMENT": "A=1"}).invoke(reproduce.command, [str(wheel)]).exception
    assert isinstance(problem, UsageProblem)
    assert "the variable CIBW_ENVIRONMENT, which has another value here" in problem.message
