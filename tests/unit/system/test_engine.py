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


def test_an_image_is_known_by_one_inspect() -> None:
    runner = FakeRunner({"docker image inspect": Answer("sha256:abc\n")})
    assert make_engine(runner).image_id("localhost/x:1") == "sha256:abc"
    assert runner.lines == ["docker image inspect --format '{{.Id}}' localhost/x:1"]


def test_an_absent_image_has_no_id() -> None:
    runner = FakeRunner({"docker image inspect": Answer(returncode=1, stderr="No such image")})
    assert make_engine(runner).image_id("localhost/x:1") is None


def test_a_root_file_system_is_imported_with_its_changes() -> None:
    runner = FakeRunner({"docker import": Answer("sha256:abc")})
    make_engine(runner).import_image(Path("/t/base.tar"), "localhost/b:1", ["ENV A=1", "ENV B=2"])
    assert runner.lines == ["docker import --change 'ENV A=1' --change 'ENV B=2' /t/base.tar localhost/b:1"]


def test_a_failed_import_says_why() -> None:
    runner = FakeRunner({"docker import": Answer(returncode=1, stderr="no space left on device")})
    with pytest.raises(EnvironmentProblem, match="docker could not import the base image: no space left on device"):
        make_engine(runner).import_image(Path("/t/base.tar"), "localhost/b:1", [])


def _build(runner: FakeRunner, name: EngineName = EngineName.DOCKER, certificates: str = "/s/ca.pem") -> list[str]:
    lines: list[str] = []
    engine = make_engine(runner, name=name)
    status = engine.build_image(
        Path("/ctx"),
        "localhost/x:1",
        platform="linux/amd64",
        secrets={"pip": Path("/s/pip.conf"), "ca": Path(certificates)},
        on_line=lines.append,
    )
    assert status == 0
    return lines


def test_docker_builds_with_buildx() -> None:
    runner = FakeRunner({"docker buildx build": Answer("#1 one\n#2 two\n")})
    assert _build(runner) == ["#1 one", "#2 two"]
    assert runner.lines == [
        "docker buildx build --platform linux/amd64 --tag localhost/x:1 --load --progress=plain --provenance=false "
        "--secret=id=ca,src=/s/ca.pem --secret=id=pip,src=/s/pip.conf /ctx"
    ]


def test_podman_builds_by_itself() -> None:
    runner = FakeRunner({"podman build": Answer()})
    _build(runner, EngineName.PODMAN)
    assert runner.lines == [
        "podman build --platform linux/amd64 --tag localhost/x:1 --layers --format=docker "
        "--secret=id=ca,src=/s/ca.pem --secret=id=pip,src=/s/pip.conf /ctx"
    ]


def test_a_secret_of_a_hostile_path_stays_one_field() -> None:
    runner = FakeRunner({"docker buildx build": Answer()})
    _build(runner, certificates='/s,t "u"/ca.pem')
    assert '--secret=id=ca,"src=/s,t ""u""/ca.pem"' in runner.calls[0].argv


def test_docker_without_buildx_cannot_build() -> None:
    with pytest.raises(EnvironmentProblem, match="docker has no buildx"):
        make_engine(can_build=False).build_image(Path("/c"), "x", platform="p", secrets={}, on_line=print)


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
