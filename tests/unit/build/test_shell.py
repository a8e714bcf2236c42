from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.fakes import Answer, FakeRunner, Script
from tests.values import make_engine
from wheelkiln.build.command_environment import command_environment
from wheelkiln.build.shell import Shell, open_shell
from wheelkiln.build.states import KeptState
from wheelkiln.errors import EnvironmentProblem

_CONFIG = """
[tool.cibuildwheel]
environment = { PATH = "/opt/more:$PATH", TOOLS = "$(ls /tools)", TOKEN = "$TOKEN_OF_HOST" }
environment-pass = ["TOKEN_OF_HOST"]
"""


def _state(root: Path, **changes: object) -> KeptState:
    place = root / "states/0a"
    (place / "mount").mkdir(parents=True)
    (place / "cibuildwheel.toml").write_text(_CONFIG)
    values: dict[str, object] = {
        "place": place,
        "project": "kern",
        "version": "1.2",
        "directory": "/k",
        "job": "cp312-manylinux_x86_64",
        "identifier": "cp312-manylinux_x86_64",
        "engine": "docker",
        "image": "localhost/wheelkiln-state:0-0a",
        "create_args": (
            "--user=1000:1000",
            f"--mount=type=bind,source={place}/mount,target=/opt/wheelkiln/mnt/job",
            f"--mount=type=bind,source={root}/gone,target=/tmp/wheelkiln/env,readonly",
            "--network=none",
        ),
        "passed": ("PIP_INDEX_URL", "HTTP_PROXY"),
        "stage": "compile",
        "command": ("python", "-m", "build", "a b"),
        "size": 1,
        "time": 1.0,
        "run": "r",
    }
    return KeptState(**{**values, **changes})  # type: ignore[arg-type]


def _runner(**answers: Script) -> FakeRunner:
    script: dict[str, Script] = {
        "docker run": Answer("warning: x\nc0ffee\n"),
        "docker exec c0ffee env -0": Answer("PATH=/bin\0HOME=/home/builder\0"),
        "docker exec --env": Answer("gcc\n"),
        "docker exec --interactive": Answer(returncode=3),
        "docker ps": Answer("c0ffee\n"),
        "docker rm": Answer(),
    }
    return FakeRunner(script | {name.replace("_", " "): answer for name, answer in answers.items()})


def _open(
    stack: ExitStack, root: Path, runner: FakeRunner, state: KeptState, host: Mapping[str, str] | None = None
) -> tuple[Shell, list[str]]:
    said: list[str] = []
    host = {"PATH": "/usr/bin", "TOKEN_OF_HOST": "secret", **(host or {})}
    passed = {"PIP_INDEX_URL": "https://u:pw@host/"}
    return stack.enter_context(open_shell(state, make_engine(runner), root, host, passed, said.append)), said


def test_a_container_of_the_state_is_started_and_goes_with_the_context(tmp_path: Path) -> None:
    runner = _runner()
    with ExitStack() as stack:
        _open(stack, tmp_path, runner, _state(tmp_path))
        started = next(call for call in runner.calls if call.argv[1] == "run")
        assert "docker rm" not in "\n".join(runner.lines)
    run_label = next(part for part in started.argv if part.startswith("--label=io.wheelkiln.run="))
    assert started.argv[-4:] == ("localhost/wheelkiln-state:0-0a", "tail", "-f", "/dev/null")
    assert "--network=none" in started.argv, "as the job was"
    assert "--env=PIP_INDEX_URL" in started.argv
    assert "--env=HTTP_PROXY" not in started.argv, "it has no value now"
    assert started.env is not None
    assert started.env["PIP_INDEX_URL"] == "https://u:pw@host/"
    assert "pw@host" not in started.line
    assert runner.lines[-2:] == [
        f"docker ps -aq --no-trunc --filter label=io.wheelkiln.run={run_label.rpartition('=')[2]}",
        "docker rm --force --volumes c0ffee",
    ]


def test_the_shell_has_the_environment_of_the_command_that_failed(tmp_path: Path) -> None:
    with ExitStack() as stack:
        shell, _ = _open(stack, tmp_path, _runner(), _state(tmp_path))
    assert shell.cwd == "/project"
    assert shell.environment == {
        "PATH": "/opt/more:/opt/python/cp312-cp312/bin:/bin:/opt/wheelkiln/mnt/job/bin",
        "TOOLS": "gcc",
        "TOKEN_OF_HOST": "secret",
        "TOKEN": "secret",
        "CIBUILDWHEEL_BUILD_IDENTIFIER": "cp312-manylinux_x86_64",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_ROOT_USER_ACTION": "ignore",
    }


def test_a_command_is_run_there_and_its_status_is_returned(tmp_path: Path) -> None:
    runner = _runner()
    host = {"TOKEN_OF_HOST": "secret", "PATH": "/usr/bin"}
    with ExitStack() as stack:
        shell, _ = _open(stack, tmp_path, runner, _state(tmp_path))
        assert shell.run(["ls", "-l"], host, tty=False) == 3
        call = runner.calls[-1]
        assert call.argv[:4] == ("docker", "exec", "--interactive", "--workdir=/project")
        assert call.argv[-3:] == ("c0ffee", "ls", "-l")
        assert "--env=TOKEN_OF_HOST" in call.argv, "a value that this process has is not put into a command line"
        assert call.env == host, "the engine's client keeps the PATH of this machine"
        shell.run(["bash"], host, tty=True)
        assert runner.calls[-1].argv[3] == "--tty"


def test_what_is_gone_is_left_out_and_said(tmp_path: Path) -> None:
    runner = _runner()
    with ExitStack() as stack:
        _, said = _open(stack, tmp_path, runner, _state(tmp_path))
    assert said == [f"{tmp_path}/gone is no longer there, so the shell does without it"]
    assert f"{tmp_path}/gone" not in "\n".join(runner.lines)


def test_what_failed_can_be_run_again(tmp_path: Path) -> None:
    state = _state(tmp_path, command=("sh", "-c", "echo again; exit 4"))
    with ExitStack() as stack:
        _open(stack, tmp_path, _runner(), state)
    text = (state.mount / "bin/wheelkiln-again").read_text()
    assert text.splitlines()[-2:] == ["cd /project", "sh -c 'echo again; exit 4'"]


def test_one_that_is_not_known_says_so(tmp_path: Path) -> None:
    state = _state(tmp_path, command=())
    with ExitStack() as stack:
        _open(stack, tmp_path, _runner(), state)
    assert "not known" in (state.mount / "bin/wheelkiln-again").read_text()


def test_a_failed_test_is_looked_into_where_it_ran(tmp_path: Path) -> None:
    runner = _runner(docker_exec_c0ffee_sh=Answer("/tmp/tmp.x/venv\n/tmp/tmp.old/venv\n"))
    with ExitStack() as stack:
        shell, _ = _open(stack, tmp_path, runner, _state(tmp_path, stage="test"))
    assert shell.cwd == "/tmp/tmp.x/test_cwd"
    assert shell.environment["PATH"].startswith("/tmp/tmp.x/venv/bin:/opt/more:")
    assert shell.environment["VIRTUAL_ENV"] == "/tmp/tmp.x/venv"


def test_a_state_that_cannot_be_started(tmp_path: Path) -> None:
    runner = _runner(docker_run=Answer(returncode=125, stderr="No such image\n"))
    with ExitStack() as stack, pytest.raises(EnvironmentProblem, match="of the kept state: No such image"):
        _open(stack, tmp_path, runner, _state(tmp_path))
    assert runner.lines[-1].startswith("docker rm")


def test_the_users_variables_count(tmp_path: Path) -> None:
    config = tmp_path / "cibuildwheel.toml"
    config.write_text("[tool.cibuildwheel]\n")

    def refuse(command: Sequence[str], environ: Mapping[str, str]) -> str:
        raise AssertionError((command, environ))

    found = command_environment(config, "cp310-musllinux_x86_64", {"CIBW_ENVIRONMENT": "A=b"}, {}, refuse)
    assert found["A"] == "b"
    assert found["PATH"] == "/opt/python/cp310-cp310/bin:"
