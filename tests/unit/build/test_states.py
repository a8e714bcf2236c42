from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.fakes import Answer, Call, FakeRunner, Script
from tests.values import make_engine, make_inputs, make_job, make_request
from wheelkiln.build.cores import Cores
from wheelkiln.build.job_container import end_container, removal_environment
from wheelkiln.build.outcome import Outcome, Status
from wheelkiln.build.request import BuildRequest, Examination, make_invocation
from wheelkiln.build.states import EndedContainer, KeptState, list_states, prune_states, remove_state
from wheelkiln.system.engine import EngineName
from wheelkiln.system.pip_settings import PipSettings

_LINES = ("building", "error: Command ['python', '-m', 'build', PurePosixPath('/project')] failed with code 1.")


def _runner(**answers: Script) -> FakeRunner:
    script: dict[str, Script] = {
        "docker inspect --size": Answer("2048\n"),
        "docker commit": Answer(),
        "docker rm": Answer(),
        "docker image rm": Answer(),
    }
    return FakeRunner(script | {name.replace("_", " "): answer for name, answer in answers.items()})


def _end(
    root: Path,
    runner: FakeRunner,
    status: Status = Status.FAILED,
    *,
    was_stopped: bool = False,
    container: str = "c1",
    **changes: Any,
) -> int | None:
    inputs = make_inputs({"python": ["cp312"], **changes.pop("config", {})})
    pip = PipSettings(index_url="https://u:pw@host/")
    request: BuildRequest = make_request(inputs, runner, root, pip=pip, **changes)
    (job,) = request.plan.jobs
    job_dir = root / "run" / job.directory
    (job_dir / "mount" / "project").mkdir(parents=True, exist_ok=True)
    (job_dir / "mount" / "project" / "setup.py").touch()
    (job_dir / "cibuildwheel.toml").write_text("[tool.cibuildwheel]\n")
    id_file = job_dir / "container-id"
    id_file.write_text(container)
    serving = replace(request, cores=Cores(jobserver=root / "run/jobserver", budget=2))
    invocation = replace(make_invocation(serving, (job,), job_dir / "mount", "run-1"), id_file=id_file)
    ended = EndedContainer(invocation, job_dir, "run-1", "compile", _LINES, was_stopped=was_stopped)
    return end_container(request, job, ended, Outcome(job, status))


def _kept(root: Path) -> KeptState:
    (state,) = list_states(root / "cache")
    return state


def test_the_container_of_a_failed_job_becomes_an_image_and_goes(tmp_path: Path) -> None:
    runner = _runner()
    assert _end(tmp_path, runner) == 2048
    state = _kept(tmp_path)
    assert (state.project, state.version, state.job) == ("kern", "1.2", "cp312-manylinux_x86_64")
    assert (state.stage, state.command, state.size) == ("compile", ("python", "-m", "build", "/project"), 2048)
    assert state.config_file.read_text() == "[tool.cibuildwheel]\n"
    commit = next(call for call in runner.calls if "commit" in call.argv)
    assert commit.argv[-2:] == ("c1", state.image)
    assert runner.lines[-1] == "docker rm --force --volumes c1"


def test_no_secret_is_kept(tmp_path: Path) -> None:
    runner = _runner()
    _end(tmp_path, runner)
    state = _kept(tmp_path)
    assert "PIP_INDEX_URL" in state.passed
    assert "--env=PIP_INDEX_URL" in state.create_args
    commit = next(call for call in runner.calls if "commit" in call.argv)
    assert "ENV PIP_INDEX_URL=" in commit.argv
    assert "ENV MAKEFLAGS=" in commit.argv, "the jobserver goes with the run"
    assert not [argument for argument in state.create_args if "jobserver" in argument]
    assert "" not in state.create_args
    assert "pw@host" not in (state.place / "state.json").read_text()
    assert not [line for line in runner.lines if "pw@host" in line]


def test_its_mounts_do_not_go_with_the_runs_directory_and_it_has_no_label_of_the_run(tmp_path: Path) -> None:
    _end(tmp_path, _runner())
    state = _kept(tmp_path)
    assert not [argument for argument in state.create_args if f"{tmp_path}/run" in argument or "--label" in argument]
    assert f"--mount=type=bind,source={state.mount},target=/opt/wheelkiln/mnt/job" in state.create_args
    assert f"--mount=type=bind,source={state.mount}/project,target=/project" in state.create_args
    assert (state.mount / "project/setup.py").is_file()
    assert state.mount.is_dir()


def test_a_run_that_is_killed_while_it_keeps_a_state_leaves_no_image_that_nobody_knows(tmp_path: Path) -> None:
    def die(_: Call) -> Answer:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        _end(tmp_path, _runner(docker_commit=die))
    image = _kept(tmp_path).image
    runner = _runner()
    _end(tmp_path, runner, Status.BUILT)
    assert f"docker image rm --force {image}" in runner.lines


def test_only_the_last_failure_of_a_job_is_kept_and_none_when_it_is_good(tmp_path: Path) -> None:
    runner = _runner()
    _end(tmp_path, runner)
    image = _kept(tmp_path).image
    _end(tmp_path, runner)
    assert runner.lines.count(f"docker image rm --force {image}") == 1
    assert _kept(tmp_path).image == image
    assert _end(tmp_path, runner, Status.BUILT) is None
    assert runner.lines.count(f"docker image rm --force {image}") == 2
    assert list((tmp_path / "cache/states").iterdir()) == []


@pytest.mark.parametrize(
    ("answers", "changes"),
    [
        ({"docker_inspect_--size": Answer("6000000000\n")}, {}),
        ({"docker_inspect_--size": Answer(returncode=1)}, {}),
        ({"docker_commit": Answer(returncode=1)}, {}),
        ({}, {"config": {"container": {"keep-failed": "off"}}}),
        ({}, {"config": {"container": {"keep-failed": "1k"}}}),
        ({}, {"cold_cache": Path("/cold")}),
        ({}, {"examination": Examination(Path("/s"), Path("/i"), Path("/r"))}),
        ({}, {"was_stopped": True}),
    ],
    ids=["large", "unknown", "uncommitted", "off", "limit", "cold", "examined", "stopped"],
)
def test_what_is_not_kept_is_removed_all_the_same(
    tmp_path: Path, answers: dict[str, Script], changes: dict[str, Any]
) -> None:
    runner = _runner(**answers)
    assert _end(tmp_path, runner, **changes) is None
    assert list_states(tmp_path / "cache") == ()
    assert runner.lines[-1] == "docker rm --force --volumes c1"


def test_without_a_container_nothing_is_kept(tmp_path: Path) -> None:
    runner = _runner()
    assert _end(tmp_path, runner, container="") is None
    assert runner.lines == []


def test_a_record_that_cannot_be_read_is_none(tmp_path: Path) -> None:
    _end(tmp_path, _runner())
    record = _kept(tmp_path).place / "state.json"
    table = json.loads(record.read_text())
    for text in ("{", json.dumps(table | {"format": 99}), json.dumps({"format": 1})):
        record.write_text(text)
        assert list_states(tmp_path / "cache") == ()


def test_states_are_pruned_by_age_by_project_and_all(tmp_path: Path) -> None:
    runner = _runner()
    _end(tmp_path, runner)
    engine, root, state = make_engine(runner), tmp_path / "cache", _kept(tmp_path)
    assert prune_states(engine, root, lambda kept: kept.project == "other", dry_run=False) == ()
    assert prune_states(engine, root, lambda kept: kept.time < 0, dry_run=False) == ()
    assert prune_states(engine, root, lambda _: True, dry_run=True) == (state,)
    assert prune_states(None, root, lambda _: True, dry_run=False) == (), "without its engine its image would stay"
    assert prune_states(engine, root, lambda _: True, dry_run=False) == (state,)
    assert list_states(root) == ()
    remove_state(engine, state)
    assert make_job().name == state.job


def test_in_place_there_is_no_container_to_keep_or_to_remove(tmp_path: Path) -> None:
    runner = _runner()
    engine = make_engine(runner, name=EngineName.NONE)
    assert _end(tmp_path, runner, engine=engine) is None
    assert runner.lines == []
    assert removal_environment(engine) == {}
    assert removal_environment(make_engine(runner)) == {"CIBW_DEBUG_KEEP_CONTAINER": "1"}
