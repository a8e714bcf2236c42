from __future__ import annotations

import sys

import pytest

from tests.values import make_job
from wheelkiln.build.outcome import Outcome, Status
from wheelkiln.cli.resume import command_line, print_cancelled


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
