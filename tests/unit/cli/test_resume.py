from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.values import make_inputs, make_job, make_request
from wheelkiln.build.editions import RunRequest
from wheelkiln.build.journal import Journal
from wheelkiln.build.outcome import Outcome, Status
from wheelkiln.cli.resume import command_line, narrow_to_retry, print_cancelled
from wheelkiln.errors import NothingSelectedError


def test_the_command_line_is_told_without_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["/usr/bin/wheelkiln", "build", "git+https://u:pw@host/k.git", "-o", "a b"])
    assert command_line() == "wheelkiln build git+https://***@host/k.git -o 'a b'"


def test_why_jobs_were_cancelled_is_said_once(capsys: pytest.CaptureFixture[str]) -> None:
    outcomes = [
        Outcome(make_job(f"{python}-manylinux_x86_64"), Status.CANCELLED, message="not started, because x failed")
        for python in ("cp312", "cp313")
    ]
    print_cancelled(outcomes)
    told = capsys.readouterr().err
    assert "not started, because x failed: cp312-manylinux_x86_64, cp313-manylinux_x86_64" in told
    assert told.count("because") == 1
    print_cancelled([])
    assert capsys.readouterr().err == ""


def test_each_edition_is_narrowed_by_what_became_of_its_own_jobs(tmp_path: Path) -> None:
    inputs = make_inputs({"python": ["cp311", "cp312"]})
    one = make_request(inputs, root=tmp_path)
    two = make_request(replace(inputs, facts=replace(inputs.facts, version="1.3")), root=tmp_path)
    run = RunRequest((one, two))
    with pytest.raises(NothingSelectedError, match=r"no run of kern 1.2, kern 1.3 into .*wheelhouse is known"):
        narrow_to_retry(run)
    job = one.plan.jobs[1]
    Journal(tmp_path / "cache").begin("r", "", tmp_path / "wheelhouse", [(job, tmp_path)], 1.0)
    assert [job.id for job in narrow_to_retry(run).jobs] == [job.id]
    assert [len(edition.plan.jobs) for edition in narrow_to_retry(run).editions] == [1, 0]
