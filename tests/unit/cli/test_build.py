"""The parts of ``build`` around the run itself, which tests/unit/build/test_run.py covers."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.unit.cache.values import make_call, make_record
from tests.values import make_inputs, make_request
from wheelkiln.build.editions import RunRequest
from wheelkiln.build.outcome import Gate, GateVerdict, Outcome, RunResult, Status, WheelFile
from wheelkiln.build.request import BuildRequest
from wheelkiln.cache.records import keep_record
from wheelkiln.cache.statistics import CompileStatistics
from wheelkiln.cli.build import _finish, _print_opening
from wheelkiln.cli.shards import take_asked_shard
from wheelkiln.errors import BuildError, CacheGateError
from wheelkiln.verify.findings import Finding, Severity


@pytest.fixture
def request_(tmp_path: Path) -> BuildRequest:
    (tmp_path / "wheelhouse").mkdir()
    return make_request(make_inputs({"python": ["cp312", "cp399"]}), root=tmp_path)


def _result(request: BuildRequest, outcome: Outcome | None = None) -> RunResult:
    wheel = WheelFile("kern-1.2-cp312-cp312-manylinux_2_17_x86_64.whl", "a" * 64, 2048)
    good = Outcome(request.plan.jobs[0], Status.BUILT, seconds=2.0, wheel=wheel)
    return RunResult((outcome or good,), (), 3.0)


def test_the_manifest_lies_beside_the_wheels(request_: BuildRequest, capsys: pytest.CaptureFixture[str]) -> None:
    _finish(RunRequest((request_,)), _result(request_), "json")
    written = json.loads((request_.output_dir / "wheelkiln-manifest.json").read_text())
    printed = capsys.readouterr()
    assert json.loads(printed.out) == written
    assert written["jobs"][0]["status"] == "built"
    assert printed.err == ""


def test_the_report_ends_with_the_wheels(request_: BuildRequest, capsys: pytest.CaptureFixture[str]) -> None:
    _finish(RunRequest((request_,)), _result(request_), "table")
    lines = capsys.readouterr().out.splitlines()
    assert lines[-4:] == [
        "not built:",
        "  cp399-manylinux_x86_64: cibuildwheel 4.3.3 does not know it",
        f"1 wheel in {request_.output_dir} after 3.0 s:",
        "  kern-1.2-cp312-cp312-manylinux_2_17_x86_64.whl",
    ]


def test_warnings_about_wheels_are_one_line(request_: BuildRequest, capsys: pytest.CaptureFixture[str]) -> None:
    (good,) = _result(request_).outcomes
    findings = tuple(Finding(code, Severity.WARNING, "k.whl", "m") for code in ("rpath", "build-path", "rpath"))
    _finish(RunRequest((request_,)), _result(request_, replace(good, findings=findings)), "table")
    last = capsys.readouterr().out.splitlines()[-1]
    command = f"'wheelkiln verify {request_.output_dir}'"
    assert last == f"3 warnings about 1 wheel (build-path, rpath); {command} shows them"
    written = json.loads((request_.output_dir / "wheelkiln-manifest.json").read_text())
    assert [finding["code"] for finding in written["jobs"][0]["findings"]] == ["rpath", "build-path", "rpath"]


def test_the_report_says_what_came_from_the_store(request_: BuildRequest, capsys: pytest.CaptureFixture[str]) -> None:
    (good,) = _result(request_).outcomes
    _finish(RunRequest((request_,)), _result(request_, replace(good, status=Status.REUSED, from_store=True)), "table")
    assert f"1 wheel in {request_.output_dir} after 3.0 s, 1 from the wheel store:" in capsys.readouterr().out


def test_a_shard_without_jobs_leaves_a_manifest(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    request = make_request(make_inputs({"python": ["cp312"]}), root=tmp_path)
    run, shards = take_asked_shard(RunRequest((request,)), "2/2", None)
    _finish(run, RunResult((), (), 0.0), "table", shards)
    written = json.loads((request.output_dir / "wheelkiln-manifest.json").read_text())
    assert written["jobs"] == []
    assert [(shard["number"], shard["count"]) for shard in written["shards"]] == [(2, 2)]
    assert [skip["reason"] for skip in written["skipped"]] == ["other-shard"]
    assert "cp312-manylinux_x86_64: it belongs to shard 1/2" in capsys.readouterr().out


def test_a_failure_is_told_with_its_way_out(request_: BuildRequest, capsys: pytest.CaptureFixture[str]) -> None:
    failed = Outcome(
        request_.plan.jobs[0],
        Status.FAILED,
        message="the compiler did not find a header: numa.h",
        hint="Name its package.",
        excerpt=("a.c:1: [bold] fatal error",),
        log=Path("/runs/1/build.log"),
    )
    with pytest.raises(BuildError, match="1 of 1 job failed: cp312-manylinux_x86_64") as caught:
        _finish(RunRequest((request_,)), _result(request_, failed), "json")
    assert caught.value.exit_code == 7
    assert capsys.readouterr().err.splitlines() == [
        "",
        "cp312-manylinux_x86_64 failed: the compiler did not find a header: numa.h",
        "  | a.c:1: [bold] fatal error",
        "  try: Name its package.",
        "  log: /runs/1/build.log",
    ]
    assert (request_.output_dir / "wheelkiln-manifest.json").is_file()


def test_what_was_cancelled_is_no_failure_of_its_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "wheelhouse").mkdir()
    request = make_request(make_inputs({"python": ["cp311", "cp312"]}), root=tmp_path)
    one, two = request.plan.jobs
    failed = Outcome(one, Status.FAILED, seconds=1.0, message="no header", kept_bytes=2048)
    cancelled = Outcome(two, Status.CANCELLED, message=f"not started, because {one.id} failed", hint="Again.")
    with pytest.raises(BuildError) as caught:
        _finish(RunRequest((request,)), RunResult((failed, cancelled), (), 3.0), "json")
    assert caught.value.exit_code == 7
    assert caught.value.message == f"1 of 2 jobs failed: {one.id}; 1 cancelled (--fail-fast)"
    printed = capsys.readouterr()
    assert [job["status"] for job in json.loads(printed.out)["jobs"]] == ["failed", "cancelled"]
    assert f"look into its container (2.0 KiB kept): wheelkiln shell {one.id}" in printed.err
    assert f"not started, because {one.id} failed: {two.id}" in printed.err


def test_a_gate_that_fails_ends_the_build_when_all_has_landed(
    request_: BuildRequest, capsys: pytest.CaptureFixture[str]
) -> None:
    job = request_.plan.jobs[0]
    keep_record(request_.cache_root, make_record(make_call("src/a.c")))
    keep_record(
        request_.cache_root,
        make_record(make_call("src/a.c", manifest_key="m2", command=("gcc", "-O3", "-c", "src/a.c"))),
    )
    outcome = replace(_result(request_).outcomes[0], statistics=CompileStatistics(hits=1, misses=3))
    result = replace(_result(request_, outcome), gate=Gate(GateVerdict.FAILED, 0.9, 1, 4, (job.id,)))
    with pytest.raises(CacheGateError, match=r"served 1 of 4 calls \(25%\)") as caught:
        _finish(RunRequest((request_,)), result, "table")
    rate, cause, units, *_ = caught.value.message.splitlines()[1:]
    assert rate == f"  {job.id}: 1/4 hits"
    assert cause.endswith("[flags-changed]")
    assert units.strip() == "in src/a.c"
    assert "cache gate: failed: 1 of 4 compile calls hit, at least 90% are asked for" in capsys.readouterr().out
    assert json.loads((request_.output_dir / "wheelkiln-manifest.json").read_text())["cache"]["gate"]["hits"] == 1


def test_a_gate_that_is_off_says_why(request_: BuildRequest, capsys: pytest.CaptureFixture[str]) -> None:
    gate = Gate(GateVerdict.OFF, 0.9, reasons=("cp312: the compile cache was empty",))
    _finish(RunRequest((request_,)), replace(_result(request_), gate=gate), "table")
    assert "cache gate: off (cp312: the compile cache was empty)" in capsys.readouterr().out


def test_the_opening_says_what_reaches_the_container(
    request_: BuildRequest, capsys: pytest.CaptureFixture[str]
) -> None:
    _print_opening(replace(request_, source=replace(request_.source, tree_size=4000)))
    _print_opening(request_)
    assert capsys.readouterr().err.splitlines() == [
        "kern 1.2: 1 job, docker 26.1.5; an sdist of 1000 Bytes reaches the container "
        "instead of the directory's 3.9 KiB (75 % less)",
        "kern 1.2: 1 job, docker 26.1.5; an sdist of 1000 Bytes reaches the container",
    ]
