from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.fakes import Answer, Call, FakeRunner
from tests.values import make_engine, make_host
from wheelkiln.errors import EnvironmentProblem
from wheelkiln.system.engine import EngineName
from wheelkiln.system.remote_engine import EngineAddress, RemoteRunner, connect_engine, note_place

USERS = {"DOCKER_HOST": "tcp://mine:1", "DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": "/mine", "HOME": "/h"}


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        (EngineAddress("ssh://ci@graviton"), {"DOCKER_HOST": "ssh://ci@graviton"}),
        (EngineAddress("unix:///run/x.sock"), {"DOCKER_HOST": "unix:///run/x.sock"}),
        (EngineAddress("graviton"), {"DOCKER_CONTEXT": "graviton"}),
        (
            EngineAddress("tcp://h:2376", "/certs"),
            {"DOCKER_HOST": "tcp://h:2376", "DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": "/certs"},
        ),
        (
            EngineAddress("tcp://h:2376"),
            {"DOCKER_HOST": "tcp://h:2376", "DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": "/mine"},
        ),
    ],
)
def test_the_users_own_engine_does_not_get_in_the_way(address: EngineAddress, expected: dict[str, str]) -> None:
    assert address.environment(USERS) == {"HOME": "/h", **expected}


def test_every_child_of_a_remote_runner_has_the_address() -> None:
    runner = FakeRunner({"docker": Answer("x\n"), "python": Answer("y\n")})
    remote = RemoteRunner(runner, EngineAddress("graviton"), {"A": "1"})
    lines: list[str] = []
    remote.capture(["docker", "ps"])
    remote.stream(["python", "-m", "cibuildwheel"], on_line=lines.append, env={"B": "2", "DOCKER_HOST": "tcp://mine"})
    assert [call.env for call in runner.calls] == [
        {"A": "1", "DOCKER_CONTEXT": "graviton"},
        {"B": "2", "DOCKER_CONTEXT": "graviton"},
    ]
    assert lines == ["y"]
    remote.stop()
    assert runner.stopped


def docker(info: str) -> FakeRunner:
    return FakeRunner(
        {
            "docker version": Answer(json.dumps({"Server": {"Version": "26.1"}})),
            "docker info --format '{{json .}}'": Answer(info),
            "docker info --format '{{json .SecurityOptions}}'": Answer("[]"),
            "docker buildx version": Answer(),
        }
    )


def test_an_engine_tells_its_machine() -> None:
    found = connect_engine(docker('{"Architecture": "aarch64", "NCPU": 64}'), EngineAddress("graviton"), {})
    assert (found.machine, found.cpus, found.engine.elsewhere, found.engine.version) == ("aarch64", 64, True, "26.1")


def test_an_engine_that_does_not_tell_its_machine_is_no_worker() -> None:
    with pytest.raises(EnvironmentProblem, match="what machine"):
        connect_engine(docker("{}"), EngineAddress("graviton"), {})


def refuse(_: Call) -> Answer:
    raise AssertionError("docker was asked")


@pytest.mark.parametrize(
    ("address", "elsewhere"),
    [("", False), ("unix:///run/user/1/docker.sock", False), ("tcp://h:2375", True), ("ssh://h", True)],
)
def test_docker_host_says_whether_an_engine_is_elsewhere(address: str, elsewhere: bool) -> None:
    host = make_host(environ={"DOCKER_HOST": address} if address else {}, home=Path("/nowhere"))
    engine = make_engine(FakeRunner({"docker": refuse}))
    assert note_place(engine, host).elsewhere is elsewhere


@pytest.mark.parametrize(("endpoint", "elsewhere"), [("unix:///var/run/docker.sock", False), ("ssh://h", True)])
def test_a_chosen_context_says_so_too(tmp_path: Path, endpoint: str, elsewhere: bool) -> None:
    (tmp_path / ".docker/contexts").mkdir(parents=True)
    engine = make_engine(FakeRunner({"docker context inspect": Answer(f"{endpoint}\n")}))
    assert note_place(engine, make_host(home=tmp_path)).elsewhere is elsewhere


def test_podman_is_taken_as_it_is() -> None:
    engine = make_engine(name=EngineName.PODMAN)
    assert note_place(engine, make_host(environ={"DOCKER_HOST": "tcp://h:1"})) is engine
