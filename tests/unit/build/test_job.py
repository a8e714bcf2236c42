from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from tests.fakes import Answer, Call, FakeCibuildwheel, FakeRunner
from tests.values import make_host, make_inputs, make_request
from wheelkiln.build.environment_maker import EnvironmentMaker
from wheelkiln.build.job import run_job
from wheelkiln.build.outcome import Event, Outcome, Said, StageStarted, Status
from wheelkiln.build.request import BuildRequest
from wheelkiln.cache.statistics import CompileStatistics
from wheelkiln.config.variants import VariantConfig
from wheelkiln.errors import EnvironmentProblem
from wheelkiln.system.files import sha256_of
from wheelkiln.system.pip_settings import PipSettings
from wheelkiln.verify.findings import Severity


@dataclass
class Run:
    """One job, run against fakes."""

    outcome: Outcome
    runner: FakeRunner
    events: list[Event] = field(default_factory=list)

    @property
    def cibuildwheel(self) -> Call:
        return next(call for call in self.runner.calls if "cibuildwheel" in call.argv)


def _request(tmp_path: Path, fake: FakeCibuildwheel, environ: Mapping[str, str], **changes: Any) -> BuildRequest:
    (tmp_path / "wheelhouse").mkdir(exist_ok=True)
    inputs = make_inputs({"python": ["cp312"]}, host=make_host(environ=environ))
    return make_request(inputs, FakeRunner(fake.script()), tmp_path, **changes)


def _run(
    tmp_path: Path,
    fake: FakeCibuildwheel | None = None,
    environ: Mapping[str, str] | None = None,
    **changes: Any,
) -> Run:
    request = _request(tmp_path, fake or FakeCibuildwheel(), environ or {}, **changes)
    job_dir = tmp_path / "run" / "job"
    job_dir.mkdir(parents=True)
    events: list[Event] = []
    outcome = run_job(
        request, request.plan.jobs[0], job_dir, EnvironmentMaker("run-1", tmp_path), events.append
    ).outcome
    assert isinstance(request.engine.runner, FakeRunner)
    return Run(outcome, request.engine.runner, events)


def test_a_good_job_lands_its_wheel(tmp_path: Path) -> None:
    run = _run(tmp_path)
    landed = tmp_path / "wheelhouse/kern-1.2-cp312-cp312-manylinux_2_17_x86_64.whl"
    assert run.outcome.status is Status.BUILT
    assert run.outcome.wheel is not None
    assert (run.outcome.wheel.name, run.outcome.wheel.sha256) == (landed.name, sha256_of(landed))
    assert run.outcome.wheel.size == landed.stat().st_size
    assert run.outcome.statistics == CompileStatistics(hits=1, misses=1)
    assert [stage.stage for stage in run.outcome.stages] == [
        "environment",
        "cibuildwheel",
        "start",
        "compile",
        "repair",
        "verify",
    ]
    assert [event.stage for event in run.events if isinstance(event, StageStarted)] == [
        "environment",
        "cibuildwheel",
        "start",
        "compile",
        "repair",
        "verify",
    ]


def test_cibuildwheel_is_called_for_one_identifier_of_the_sdist(tmp_path: Path) -> None:
    job_dir = tmp_path / "run/job"
    assert _run(tmp_path).cibuildwheel.argv == (
        "python",
        "-m",
        "cibuildwheel",
        "--only",
        "cp312-manylinux_x86_64",
        "--config-file",
        str(job_dir / "cibuildwheel.toml"),
        "--output-dir",
        str(job_dir / "wheels"),
        str(tmp_path / "kern-1.2.tar.gz"),
    )


def test_the_log_and_the_configuration_stay_and_nothing_else(tmp_path: Path) -> None:
    run = _run(tmp_path)
    job_dir = tmp_path / "run/job"
    assert sorted(os.listdir(job_dir)) == ["build.log", "cibuildwheel.toml", "mount"]  # noqa: PTH208 - hidden ones too
    assert run.outcome.log == job_dir / "build.log"
    assert (job_dir / "build.log").read_text() == (
        "made\na.py:1: a warning\n  x\nwheelkiln: the backend asks for []\n"
        "Starting container image x...\n* Building wheel...\nRepairing wheel...\n"
    )
    config = tomllib.loads((job_dir / "cibuildwheel.toml").read_text())
    created = config["tool"]["cibuildwheel"]["overrides"][-1]["container-engine"]["create-args"]
    assert "--label=io.wheelkiln.run=run-1" in created
    assert f"--mount=type=bind,source={job_dir}/mount,target=/opt/wheelkiln/mnt/job" in created


def test_the_childs_environment(tmp_path: Path) -> None:
    environ = {
        "PATH": "/bin",
        "CIBW_BUILD": "nothing",
        "CIBW_TEST_COMMAND": "pytest",
        "GITHUB_STEP_SUMMARY": "/s",
        "SOURCE_DATE_EPOCH": "5",
        "TMPDIR": "/elsewhere",
    }
    run = _run(
        tmp_path,
        environ=environ,
        variables={"CIBW_TEST_COMMAND": "pytest"},
        pip=PipSettings(index_url="https://u:pw@host/"),
    )
    assert run.cibuildwheel.env == {
        "PATH": "/bin",
        "CIBW_TEST_COMMAND": "pytest",
        "CIBW_DEBUG_KEEP_CONTAINER": "1",
        "CIBW_LOG_FOLD_MODE": "disabled",
        "IO_WHEELKILN_RUN": "run-1",
        "DOCKER_CLI_HINTS": "false",
        "PYTHONUTF8": "1",
        "PIP_INDEX_URL": "https://u:pw@host/",
        "UV_DEFAULT_INDEX": "https://u:pw@host/",
        "SOURCE_DATE_EPOCH": "1700000000",
        "TMPDIR": str(tmp_path / "run/job/tmp"),
    }
    assert "pw@host" not in (tmp_path / "run/job/cibuildwheel.toml").read_text()


def test_a_failed_job_lands_nothing_and_explains(tmp_path: Path) -> None:
    run = _run(tmp_path, FakeCibuildwheel(broken=frozenset({"cp312-manylinux_x86_64"})))
    assert run.outcome.status is Status.FAILED
    assert run.outcome.wheel is None
    assert run.outcome.message == "failed while repairing the wheel with auditwheel"
    assert "a.c:1: error: broken" in run.outcome.excerpt
    assert run.outcome.statistics == CompileStatistics(hits=1, misses=1)
    assert list((tmp_path / "wheelhouse").iterdir()) == []


@pytest.mark.parametrize("names", [(), ("kern-1.2-cp312-cp312-manylinux_2_17_x86_64.whl", "x-1-py3-none-any.whl")])
def test_a_job_makes_exactly_one_wheel(tmp_path: Path, names: tuple[str, ...]) -> None:
    run = _run(tmp_path, FakeCibuildwheel(wheels={"cp312-manylinux_x86_64": names}))
    assert run.outcome.status is Status.FAILED
    assert list((tmp_path / "wheelhouse").iterdir()) == []


def test_a_wheel_that_is_not_what_it_claims_does_not_land(tmp_path: Path) -> None:
    run = _run(tmp_path, FakeCibuildwheel(symbols="manylinux_2_35_x86_64"))
    assert run.outcome.status is Status.REJECTED
    assert run.outcome.message.endswith("is not what it claims to be")
    assert run.outcome.excerpt[0].startswith("symbols: the tag 'manylinux_2_17_x86_64' promises more")
    assert list((tmp_path / "wheelhouse").iterdir()) == []


def test_warnings_about_a_wheel_are_in_the_outcome_and_it_lands(tmp_path: Path) -> None:
    run = _run(tmp_path, FakeCibuildwheel(files=lambda _: {"tests/test_kern.py": b""}))
    assert run.outcome.status is Status.BUILT
    assert [(finding.code, finding.severity) for finding in run.outcome.findings] == [("top-level", Severity.WARNING)]


def test_a_rejected_wheel_is_explained(tmp_path: Path) -> None:
    run = _run(tmp_path, FakeCibuildwheel(symbols="manylinux_2_39_x86_64"))
    assert "wheelkiln verify --explain symbols" in run.outcome.hint


def test_without_a_statistics_log_there_are_no_statistics(tmp_path: Path) -> None:
    fake = FakeCibuildwheel()
    request = _request(tmp_path, fake, {})
    assert isinstance(request.engine.runner, FakeRunner)
    request.engine.runner.script = fake.script() | {
        "python -m cibuildwheel": Answer("no container\n", returncode=1),
    }
    (tmp_path / "job").mkdir()
    outcome = run_job(
        request, request.plan.jobs[0], tmp_path / "job", EnvironmentMaker("run-1", tmp_path), lambda _: None
    ).outcome
    assert (outcome.status, outcome.statistics) == (Status.FAILED, None)
    assert [stage.stage for stage in outcome.stages] == ["environment", "cibuildwheel"]


def test_scratch_is_removed_even_when_the_run_is_interrupted(tmp_path: Path) -> None:
    def interrupt(call: Call) -> None:
        (Path(call.option("--output-dir"))).mkdir()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        _run(tmp_path, FakeCibuildwheel(during=interrupt))
    left = sorted(path.name for path in (tmp_path / "run/job").iterdir())
    assert left == ["build.log", "cibuildwheel.toml", "mount"]


def test_an_output_directory_that_is_gone_is_named(tmp_path: Path) -> None:
    def remove(_: Call) -> None:
        (tmp_path / "wheelhouse").rmdir()
        (tmp_path / "wheelhouse").write_text("in the way")

    with pytest.raises(EnvironmentProblem, match="not a directory on the way to"):
        _run(tmp_path, FakeCibuildwheel(during=remove))


def test_cibuildwheel_is_told_of_the_machines_certificates(tmp_path: Path) -> None:
    inputs = make_inputs({"python": ["cp312"]}, host=make_host(ca_bundle=Path("/etc/ca.pem")))
    fake = FakeCibuildwheel()
    request = make_request(inputs, FakeRunner(fake.script()), tmp_path)
    (tmp_path / "wheelhouse").mkdir()
    (tmp_path / "job").mkdir()
    run_job(request, request.plan.jobs[0], tmp_path / "job", EnvironmentMaker("run-1", tmp_path), lambda _: None)
    assert isinstance(request.engine.runner, FakeRunner)
    call = next(call for call in request.engine.runner.calls if "cibuildwheel" in call.argv)
    assert call.env is not None
    assert call.env["SSL_CERT_FILE"] == "/etc/ca.pem"


def test_a_wheel_that_does_not_work_on_the_declared_cpu_does_not_land(tmp_path: Path) -> None:
    fake = FakeCibuildwheel(files=lambda _: {"kern-1.2.data/scripts/kern": b"#!/bin/sh\n"})
    broken = {"subject": "kern", "ended": "exception", "output": "ImportError: no table"}
    report = Answer(f"wheelkiln-report: {json.dumps({'control': [broken]})}\n")
    request = _request(tmp_path, fake, {}, variant=VariantConfig(isa=("x86-64-v4",)))
    runner = FakeRunner({**fake.script(), "docker run --name=wheelkiln-emulate": report})
    request = replace(request, engine=replace(request.engine, runner=runner))
    job_dir = tmp_path / "run" / "job"
    job_dir.mkdir(parents=True)
    events: list[Event] = []
    job = request.plan.jobs[0]
    outcome = run_job(request, job, job_dir, EnvironmentMaker("run-1", tmp_path), events.append).outcome
    assert outcome.status is Status.REJECTED
    assert outcome.excerpt[0].startswith("emulate-broken: importing kern failed (ImportError: no table)")
    assert not list((tmp_path / "wheelhouse").iterdir())
    said = [event.text for event in events if isinstance(event, Said)]
    assert any("x86-64-v4 is not emulated" in text for text in said)
