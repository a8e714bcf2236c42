"""Hostile and malformed wheels: each gets its finding, and what can be turned off is still no crash."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fakes import FakeRunner
from tests.hostile_wheels import HOSTILE, NAME, wheel_bytes, wheel_entries, write_hostile
from wheelkiln.verify.checks import Expectation, check_wheel
from wheelkiln.verify.zip_model import Limits

_LARGE = {"too many members", "a bomb", "a stream that is longer than it says"}  # tests/contract has them


def _codes(path: Path, **changes: Limits) -> list[str]:
    return [finding.code for finding in check_wheel(path, Expectation(**changes), FakeRunner())]  # type: ignore[arg-type]


@pytest.mark.parametrize("which", sorted(HOSTILE.keys() - _LARGE))
def test_a_hostile_wheel_gets_its_finding_and_nothing_is_written(tmp_path: Path, which: str) -> None:
    path = write_hostile(tmp_path, which)
    assert HOSTILE[which][0] in _codes(path)
    assert list(tmp_path.rglob("*")) == [path]


def test_the_wheel_that_they_are_made_of_is_good(tmp_path: Path) -> None:
    path = tmp_path / NAME
    path.write_bytes(wheel_bytes(wheel_entries({"kern/a.py": b"x"})))
    assert _codes(path) == []


@pytest.mark.parametrize("limits", [Limits(members=4), Limits(size=300), Limits(ratio=0), Limits(name_bytes=10)])
def test_limits(tmp_path: Path, limits: Limits) -> None:
    path = tmp_path / NAME
    path.write_bytes(wheel_bytes(wheel_entries({"kern/a.py": b"x" * 40})))
    assert _codes(path, limits=limits) == ["zip-size"]
