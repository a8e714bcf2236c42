from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.fakes import Answer, FakeRunner, Script
from tests.values import make_engine, make_host
from wheelkiln.errors import EnvironmentProblem
from wheelkiln.system.engine import ContainerUser, EngineName, find_engine, probe_engine

_DOCKER_VERSION = json.dumps({"Client": {"Version": "26.1.5"}, "Server": {"Version": "26.1.4"}})
_DOCKER = {
    "docker version": Answer(_DOCKER_VERSION),
    "docker info": Answer('["name=seccomp,profile=builtin"]\n'),
    "docker buildx version": Answer("github.com/docker/buildx 0.13.1"),
}
_PODMAN = {
    "podman version": Answer('{"Client":{"Version":"4.3.1"}}'),
    "podman info": Answer("false\n"),
}


def test_docker_is_probed() -> None:
    engine = probe_engine(FakeRunner(_DOCKER), EngineName.DOCKER)
    assert (engine.name, engine.version, engine.rootless, engine.can_build) == ("docker", "26.1.4", False, True)


def test_rootless_docker_without_buildx() -> None:
    script = {
        **_DOCKER,
        "docker info": Answer('["name=seccomp","name=rootless"]'),
        "docker buildx version": Answer(returncode=1),
    }
    engine = probe_engine(FakeRunner(script), EngineName.DOCKER)
    assert (engine.rootless, engine.can_build) == (True, False)


@pytest.mark.parametrize(("printed", "rootless"), [("true\n", True), ("false\n", False)])
def test_podman_is_probed(printed: str, rootless: bool) -> None:
    engine = probe_engine(FakeRunner({**_PODMAN, "podman info": Answer(printed)}), EngineName.PODMAN)
    assert (engine.name, engine.version, engine.rootless, engine.can_build) == ("podman", "4.3.1", rootless, True)


def test_an_engine_that_does_not_answer_says_why() -> None:
    runner = FakeRunner({"docker version": Answer(returncode=1, stderr="Cannot connect to the Docker daemon\n")})
    with pytest.raises(EnvironmentProblem, match="Cannot connect to the Docker daemon"):
        probe_engine(runner, EngineName.DOCKER)


def test_the_first_engine_that_answers_is_found() -> None:
    gone: dict[str, Script] = {"docker": EnvironmentProblem("'docker' is not installed")}
    assert find_engine(FakeRunner({**gone, **_PODMAN}), None).name is EngineName.PODMAN
    assert find_engine(FakeRunner({**_DOCKER, **_PODMAN}), None).name is EngineName.DOCKER


_GONE: dict[str, Script] = {
    "docker": EnvironmentProblem("'docker' is not installed"),
    "podman": EnvironmentProblem("'podman' is not installed"),
}


def make_image_root(root: Path) -> Path:
    for name in ("versions.txt", "bin/wheelkiln-environment", "bin/wheelkiln-repair"):
        path = root / "opt/wheelkiln" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return root


def test_in_our_image_builds_run_in_place_where_no_engine_answers(tmp_path: Path) -> None:
    root = make_image_root(tmp_path)
    assert find_engine(FakeRunner(_GONE), None, root=root).name is EngineName.NONE
    assert find_engine(FakeRunner({**_GONE, **_PODMAN}), None, root=root).name is EngineName.PODMAN
    with pytest.raises(EnvironmentProblem, match="'docker' is not installed"):
        find_engine(FakeRunner(_GONE), EngineName.DOCKER, root=root)


def test_elsewhere_builds_run_in_place_only_when_that_is_asked_for(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentProblem, match="no container engine answers") as raised:
        find_engine(FakeRunner(_GONE), None, root=tmp_path)
    assert "--engine none" in raised.value.hint
    engine = find_engine(FakeRunner(), EngineName.NONE, root=tmp_path)
    assert (engine.name, engine.name.spoken_to_as) == (EngineName.NONE, "docker")


def test_in_place_a_program_of_ours_is_the_engine_and_nobody_becomes_another() -> None:
    runner = FakeRunner({"python -m wheelkiln.system.in_place_program ps": Answer("x\n")})
    engine = find_engine(runner, EngineName.NONE)
    assert engine.answers()
    assert engine.user_for(make_host(uid=0)) == ContainerUser((), None)


def test_a_wanted_engine_is_the_only_one_that_is_asked() -> None:
    runner = FakeRunner({**_DOCKER, **_PODMAN})
    assert find_engine(runner, EngineName.PODMAN).name is EngineName.PODMAN
    assert not [line for line in runner.lines if line.startswith("docker")]


def test_without_an_engine_every_reason_is_told() -> None:
    script: dict[str, Script] = {
        "docker": EnvironmentProblem("'docker' is not installed"),
        "podman version": Answer(returncode=125, stderr="no socket"),
    }
    with pytest.raises(EnvironmentProblem) as caught:
        find_engine(FakeRunner(script), None)
    assert caught.value.message.splitlines() == [
        "no container engine answers",
        "  docker: 'docker' is not installed",
        "  podman: no socket",
    ]


@pytest.mark.parametrize(
    ("name", "rootless", "uid", "user"),
    [
        ("docker", False, 1001, ContainerUser(("--user=1001:1002",), None, is_builder=False)),
        ("docker", False, 1000, ContainerUser(("--user=1000:1002",), None)),
        ("docker", False, 0, ContainerUser(("--user=1000:1000",), (1000, 1000))),
        ("docker", True, 1001, ContainerUser(("--user=0:0",), None, is_builder=False)),
        ("podman", False, 0, ContainerUser(("--user=1000:1000",), (1000, 1000))),
        ("podman", True, 1001, ContainerUser(("--userns=keep-id", "--user=1001:1002"), None, is_builder=False)),
    ],
)
def test_the_user_of_a_build_can_write_the_caches(name: str, rootless: bool, uid: int, user: ContainerUser) -> None:
    engine = make_engine(name=EngineName(name), rootless=rootless)
    assert engine.user_for(make_host(uid=uid)) == user


def test_an_engine_that_hangs_does_not_answer() -> None:
    slow = EnvironmentProblem("'docker' did not answer within 20 seconds")
    assert not make_engine(FakeRunner({"docker ps": slow})).answers()
    assert not make_engine(FakeRunner({"docker ps": Answer(returncode=1)})).answers()
    assert make_engine(FakeRunner({"docker ps": Answer()})).answers()


def test_all_containers_of_a_run_are_removed() -> None:
    runner = FakeRunner({"docker ps": Answer("abc\ndef\n"), "docker rm": Answer()})
    assert make_engine(runner).remove_containers("run-1") == 2
    assert runner.lines == [
        "docker ps -aq --no-trunc --filter label=io.wheelkiln.run=run-1",
        "docker rm --force --volumes abc def",
    ]


def test_without_containers_nothing_is_removed() -> None:
    runner = FakeRunner({"docker ps": Answer("")})
    assert make_engine(runner).remove_containers("run-1") == 0
    assert len(runner.calls) == 1


def test_the_label_of_a_run_is_what_its_removal_filters_by() -> None:
    runner = FakeRunner({"docker ps": Answer("")})
    engine = make_engine(runner)
    engine.remove_containers("run-1")
    assert engine.run_label("run-1") == f"--{runner.calls[0].option('--filter')}"


@pytest.mark.parametrize(
    "printed",
    [
        '"a=b,io.wheelkiln.run=run-2"\n"io.wheelkiln.run=run-1"\n"other=1"\n',
        '{"a":"b","io.wheelkiln.run":"run-2"}\n{"io.wheelkiln.run":"run-1"}\nnull\n',
        '"io.wheelkiln.run=run-1"\nnot json\n"io.wheelkiln.run=run-2"\n"io.wheelkiln.run=run-2"\n',
    ],
)
def test_runs_are_known_by_their_containers_labels(printed: str) -> None:
    assert make_engine(FakeRunner({"docker ps": Answer(printed)})).runs_with_containers() == ("run-1", "run-2")


def test_without_an_answer_no_runs_are_known() -> None:
    assert make_engine(FakeRunner({"docker ps": Answer(returncode=1)})).runs_with_containers() == ()
