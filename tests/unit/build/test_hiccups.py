from __future__ import annotations

import pytest

from tests.fakes import Answer, FakeRunner
from tests.values import make_engine
from wheelkiln.build.hiccups import HiccupError, check_hiccup, find_hiccup
from wheelkiln.system.engine import EngineName

INIT = (
    "OCI runtime exec failed: exec failed: unable to start container process: "
    "read init-p: connection reset by peer: unknown"
)
_COPYING = "cibuildwheel: error: Command ['docker', 'exec', '-i', 'c', 'sh', '-c', 'cat > /x'] failed with code 126. "
_COMPILING = "cibuildwheel: error: Command ['python', '-m', 'build', PurePosixPath('/project/x')] failed with code 1. "


@pytest.mark.parametrize(
    "line",
    [
        INIT,
        "docker: Error response from daemon: failed to create task for container: failed to create shim task: "
        "OCI runtime create failed: runc create failed: unable to start container process: "
        "error during container init: read init-p: connection reset by peer: unknown.",
        "Error response from daemon: failed to create task for container: context deadline exceeded: unknown",
        "Error response from daemon: ttrpc: closed: unknown",
        'error during connect: Post "http://%2Fvar%2Frun%2Fdocker.sock/v1.45/containers/create": EOF',
        "error waiting for container: unexpected EOF",
        "Error: runc: exec failed: read init-p: connection reset by peer: OCI runtime error",
        "a job's files could not be carried to or from its engine: Error response from daemon: ttrpc: closed: unknown",
    ],
)
def test_what_the_engine_says_of_a_failure_that_passes(line: str) -> None:
    assert find_hiccup(["    + mkdir -p /project", line, "Traceback (most recent call last):"]) == line
    assert find_hiccup([line, _COPYING]) == line


@pytest.mark.parametrize(
    "line",
    [
        "a.c:1:1: error: expected ';'",
        "Error response from daemon: No such container: abc",
        "Error response from daemon: Conflict. The container name is in use",
        'Error response from daemon: Get "https://registry.example/v2/": context deadline exceeded',
        "requests.exceptions.ConnectionError: connection reset by peer",
        "test_reset FAILED: read init-p: connection reset by peer",
        "SyntaxError: unexpected EOF",
        "",
    ],
)
def test_what_is_none(line: str) -> None:
    assert find_hiccup(["    + mkdir -p /project", line]) == ""


def test_a_command_in_the_container_that_failed_is_the_jobs_failure() -> None:
    """Whatever was printed before, or by the removal of the container after it."""
    assert find_hiccup([INIT, _COMPILING]) == ""
    assert find_hiccup([_COMPILING, INIT]) == ""


def test_what_was_long_before_the_end_did_not_end_it() -> None:
    assert find_hiccup([INIT, *(["cc -c a.c"] * 100)]) == ""


def test_an_engine_that_does_not_answer_any_more_is_another_matter() -> None:
    runner = FakeRunner({"docker ps": Answer(returncode=1)})
    check_hiccup(make_engine(runner), [INIT])
    runner.script = {"docker ps": Answer()}
    with pytest.raises(HiccupError, match="the engine failed for a moment: OCI runtime exec failed"):
        check_hiccup(make_engine(runner), [INIT])


def test_in_place_there_is_no_engine_to_fail() -> None:
    check_hiccup(make_engine(FakeRunner(), name=EngineName.NONE), [INIT])
