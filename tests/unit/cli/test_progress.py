from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.values import make_inputs, make_job
from wheelkiln.build.outcome import Event, JobEnded, JobStarted, Outcome, Said, StageStarted, Status, WheelFile
from wheelkiln.cache.statistics import CompileStatistics
from wheelkiln.cli.progress import make_progress
from wheelkiln.plan.make import make_plan

_PLAN = make_plan(make_inputs({"python": ["cp311", "cp312"]}))
_JOB = make_job("cp311-manylinux_x86_64", estimate=65.0)
_BUILT = Outcome(
    _JOB, Status.BUILT, seconds=12.0, wheel=WheelFile("k.whl", "", 1), statistics=CompileStatistics(hits=2)
)


def _plain_lines(text: str) -> list[str]:
    return [re.sub(r"^\[ *[0-9.]+\] ", "", line) for line in text.splitlines()]


def test_plain_lines_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    events: list[Event] = [
        Said("making the base [x]"),
        JobStarted(_JOB),
        JobStarted(make_job()),
        StageStarted(_JOB, "compile"),
        JobEnded(_BUILT),
        JobEnded(Outcome(_JOB, Status.REUSED)),
        JobEnded(Outcome(_JOB, Status.COVERED, covered_by="k.whl")),
        JobEnded(Outcome(_JOB, Status.FAILED, seconds=3.0, message="broken", log=Path("/nowhere"))),
    ]
    with make_progress(_PLAN.jobs, {}) as progress:
        for event in events:
            progress.on_event(event)
        progress.on_log("a line of an image build")
    printed = capsys.readouterr()
    assert printed.out == ""
    assert _plain_lines(printed.err) == [
        "making the base [x]",
        "cp311-manylinux_x86_64: started (last time 1 m 05 s)",
        "cp312-manylinux_x86_64: started",
        "cp311-manylinux_x86_64: compile",
        "cp311-manylinux_x86_64: built in 12.0 s, 2/2 hits",
        "cp311-manylinux_x86_64: unchanged since it was built",
        "cp311-manylinux_x86_64: served by k.whl",
        "cp311-manylinux_x86_64: failed after 3.0 s: broken",
    ]


def test_a_failed_jobs_log_is_folded_into_the_log_of_github(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = tmp_path / "build.log"
    log.write_text("one\n::error::a command of the build's\n\x1b[31mtwo\n")
    with make_progress(_PLAN.jobs, {"GITHUB_ACTIONS": "true"}) as progress:
        progress.on_event(JobEnded(Outcome(_JOB, Status.FAILED, seconds=3.0, message="broken", log=log)))
        progress.on_event(JobEnded(_BUILT))
    lines = _plain_lines(capsys.readouterr().err)
    word = lines[2].removeprefix("::stop-commands::")
    assert len(word) == 32
    assert lines == [
        "cp311-manylinux_x86_64: failed after 3.0 s: broken",
        "::group::log of cp311-manylinux_x86_64",
        f"::stop-commands::{word}",
        "one",
        "::error::a command of the build's",
        "two",
        f"::{word}::",
        "::endgroup::",
        "cp311-manylinux_x86_64: built in 12.0 s, 2/2 hits",
    ]


def test_a_failed_jobs_log_is_a_section_in_gitlab(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = tmp_path / "build.log"
    log.write_text("\x1b[0Ksection_end:1:x\n\x1b[0Kone\n")
    with make_progress(_PLAN.jobs, {"GITLAB_CI": "true"}) as progress:
        progress.on_event(JobEnded(Outcome(_JOB, Status.FAILED, message="broken", log=log)))
    text = capsys.readouterr().err
    assert re.search(r"\x1b\[0Ksection_start:\d+:log_of_cp311_manylinux_x86_64\[collapsed=true\]\r\x1b\[0Klog of", text)
    assert len(re.findall(r"\x1b\[0Ksection_end:", text)) == 1
    assert "\nsection_end:1:x\none\n" in text, "the log's own is only text"
