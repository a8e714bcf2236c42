from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.archives import write_wheel
from tests.values import make_inputs, make_job, make_request
from wheelkiln.build.editions import RunRequest
from wheelkiln.build.journal import Journal
from wheelkiln.build.outcome import Outcome, RunResult, Status, WheelFile
from wheelkiln.cli.resume import command_line, narrow_to_retry, print_cancelled, with_left_out
from wheelkiln.errors import NothingSelectedError
from wheelkiln.report.manifest import MANIFEST_NAME, make_manifest, write_manifest_text
from wheelkiln.system.files import sha256_of


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


def test_what_a_retry_leaves_out_stays_in_the_manifest_where_its_wheel_lies_there(tmp_path: Path) -> None:
    request = make_request(make_inputs({"python": ["cp311", "cp312"]}), root=tmp_path)
    good, bad = request.plan.jobs
    wheel = write_wheel(tmp_path, "kern-1.2-cp311-cp311-manylinux_2_17_x86_64.whl")
    built = Outcome(good, Status.BUILT, wheel=WheelFile(wheel.name, sha256_of(wheel), wheel.stat().st_size))
    first = RunResult((built, Outcome(bad, Status.FAILED)), (), 1.0)
    known = Journal(tmp_path / "cache")
    known.begin("r", "", tmp_path / "wheelhouse", [(bad, tmp_path)], 1.0)
    run = narrow_to_retry(RunRequest((request,)))
    retried = make_manifest(run, RunResult((Outcome(bad, Status.FAILED),), (), 1.0), version="1")
    assert with_left_out(retried, tmp_path) == retried, "there was no manifest"
    (tmp_path / MANIFEST_NAME).write_text("{}")
    assert with_left_out(retried, tmp_path) == retried, "nor a valid one"
    text = write_manifest_text(make_manifest(RunRequest((request,)), first, version="1"))
    (tmp_path / MANIFEST_NAME).write_text(text)
    assert [job.status for job in with_left_out(retried, tmp_path).jobs] == [Status.REUSED, Status.FAILED]
    wheel.write_bytes(b"another")
    assert with_left_out(retried, tmp_path) == retried
