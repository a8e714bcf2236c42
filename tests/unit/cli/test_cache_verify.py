"""What ``cache verify`` prints, notes and ends with; the comparison itself: tests/unit/build/test_cold.py."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.values import make_job
from wheelkiln.build.cold import ColdComparison, Verdict
from wheelkiln.build.outcome import WheelFile
from wheelkiln.cli.cache_verify import _judge, _print, _record
from wheelkiln.errors import UsageProblem, VerificationError
from wheelkiln.verify.comparison import Comparison
from wheelkiln.verify.difference.causes import find_causes
from wheelkiln.verify.difference.model import Cause, Difference, MemberDifference

_CACHED = WheelFile("kern-1.2-cp312-cp312-linux_x86_64.whl", "a" * 64, 10)


def _result(verdict: Verdict = Verdict.EQUAL, *members: str) -> ColdComparison:
    cold = _CACHED if verdict is Verdict.EQUAL else WheelFile(_CACHED.name, "b" * 64, 11)
    differs = Difference("line 1", "2024-01-01", "2024-01-02", Cause.TIMESTAMP)
    found = tuple(MemberDifference(name, differences=(differs,)) for name in members)
    comparison = Comparison(_CACHED.name, cold.name, (_CACHED.sha256, cold.sha256), (), found, find_causes((), found))
    return ColdComparison(make_job(), _CACHED, cold, verdict, comparison if members else None, 4.0)


def test_equal_wheels_are_good(capsys: pytest.CaptureFixture[str]) -> None:
    _print(_result(), "text")
    _judge(_result())
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "cp312-manylinux_x86_64: equal"
    assert len({line.split()[1] for line in lines[1:]}) == 1


def test_different_wheels_end_with_8_and_the_members(capsys: pytest.CaptureFixture[str]) -> None:
    result = _result(Verdict.DIFFERENT, "kern/_k.so")
    _print(result, "text")
    lines = capsys.readouterr().out.splitlines()
    assert "  differs: kern/_k.so" in lines
    assert "possible cause: a time is built in [timestamp]" in lines
    with pytest.raises(VerificationError, match="not what a build without the cache makes") as caught:
        _judge(result)
    assert caught.value.exit_code == 8
    assert "cache prune --project kern" in caught.value.hint


def test_a_build_that_does_not_repeat_is_told_apart() -> None:
    with pytest.raises(VerificationError, match="differ from each other") as caught:
        _judge(_result(Verdict.UNREPEATABLE, "kern/_k.so"))
    assert "a time is built in [timestamp]. Take times from SOURCE_DATE_EPOCH" in caught.value.hint


def test_the_json(capsys: pytest.CaptureFixture[str]) -> None:
    _print(_result(Verdict.DIFFERENT, "kern/_k.so"), "json")
    told = json.loads(capsys.readouterr().out)
    assert (told["verdict"], told["members"], told["cold"]["sha256"]) == ("different", ["kern/_k.so"], "b" * 64)
    assert [cause["code"] for cause in told["comparison"]["causes"]] == ["timestamp"]


def test_the_result_is_noted_at_its_wheel(tmp_path: Path) -> None:
    path = tmp_path / "wheelkiln-manifest.json"
    jobs = [{"id": "other", "wheel": None}, {"id": "x", "wheel": {"sha256": "a" * 64}, "cold_rebuild": None}]
    path.write_text(json.dumps({"format": 1, "jobs": jobs}))
    _record(tmp_path, _result())
    written = json.loads(path.read_text())
    assert "cold_rebuild" not in written["jobs"][0]
    noted = written["jobs"][1]["cold_rebuild"]
    assert (noted["verdict"], noted["sha256"], noted["members"]) == ("equal", "a" * 64, [])
    assert noted["time"] > 1_700_000_000
    assert noted["causes"] == []
    _record(tmp_path, _result(Verdict.DIFFERENT, "kern/_k.so"))
    noted = json.loads(path.read_text())["jobs"][1]["cold_rebuild"]
    assert (noted["members"], noted["causes"]) == (["kern/_k.so"], ["timestamp"])


@pytest.mark.parametrize("text", [None, "", "[]", '{"jobs": [{"wheel": {"sha256": "c"}}]}'])
def test_a_manifest_of_something_else_is_left_alone(tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "wheelkiln-manifest.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(UsageProblem, match="has no wheel kern"):
        _record(tmp_path, _result())
    assert (path.read_text() if text is not None else None) == text
