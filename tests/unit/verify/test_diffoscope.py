from __future__ import annotations

from pathlib import Path

import pytest

from tests.fakes import Answer, FakeRunner
from wheelkiln.errors import EnvironmentProblem, UsageProblem
from wheelkiln.verify.diffoscope import write_report

_WHEELS = (Path("a.whl"), Path("b.whl"))


def test_the_ending_chooses_the_format() -> None:
    runner = FakeRunner({"diffoscope": Answer("", returncode=1)})
    write_report(runner, *_WHEELS, Path("report.html"))
    assert runner.calls[0].argv == (
        "diffoscope", "--no-progress", "--html", "report.html", "--", "a.whl", "b.whl",
    )  # fmt: skip


def test_an_unknown_ending_and_a_failure_are_told() -> None:
    with pytest.raises(UsageProblem, match=r"report\.doc ends with none of \.html"):
        write_report(FakeRunner({}), *_WHEELS, Path("report.doc"))
    with pytest.raises(EnvironmentProblem, match="diffoscope failed: no space"):
        write_report(FakeRunner({"diffoscope": Answer("", 2, "no space")}), *_WHEELS, Path("report.txt"))
