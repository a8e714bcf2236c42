from __future__ import annotations

import pytest

from tests.values import make_config
from wheelkiln.build.explain import explain_failure, relevant_lines


@pytest.mark.parametrize(
    ("line", "stage", "message", "hint"),
    [
        ("a.c:1:10: fatal error: numa.h: No such file or directory", "compile", "numa.h", "image.packages"),
        ("/usr/bin/ld: cannot find -lnuma: No such file", "compile", "did not find a library: numa", "image.packages"),
        (
            'ValueError: Cannot repair wheel, because required library "libx.so.1" could not be located',
            "repair",
            "libx.so.1",
            "repair.library-dirs",
        ),
        (
            'auditwheel: cannot repair "x" to "y" ABI because of too-recent versioned symbols',
            "repair",
            "newer",
            "policy",
        ),
        ("write error: No space left on device", "compile", "disk was full", "Free some space"),
        ("E: Could not open lock file, are you root?", "before-all", "refused", "container.user"),
        ("mkdir: cannot create directory '/x': Permission denied", "compile", "refused", "unprivileged"),
        ("error: Failed to fetch: `https://index.example/simple/`", "environment", "could not reach", "network"),
        ("  x No solution found when resolving dependencies:", "environment", "could not be resolved", "release"),
        (
            "Error: unable to start container f6d9: /usr/bin/slirp4netns failed: Permission denied",
            "start",
            "could not start the container: /usr/bin/slirp4netns",
            "doctor",
        ),
        ("FAILED tests/test_x.py::test_y - assert 1 == 2", "test", "testing the wheel", "--no-test"),
    ],
)
def test_a_known_failure_is_explained(line: str, stage: str, message: str, hint: str) -> None:
    said, advice = explain_failure(["before", line, "after"], stage, make_config())
    assert message in said
    assert hint in advice


def test_a_failed_test_is_only_looked_for_in_the_test_stage() -> None:
    lines = ["test_x.c failed"]
    assert explain_failure(lines, "compile", make_config())[0] == "failed while compiling"
    assert explain_failure(lines, "test", make_config())[0] == "failed while testing the wheel"


@pytest.mark.parametrize(
    ("stage", "message"),
    [
        ("compile", "failed while compiling"),
        ("environment", "failed while installing the build requirements"),
        ("repair", "failed while repairing the wheel with auditwheel"),
        ("copy", "failed while copying the source into the container"),
        ("", "failed while starting the build"),
    ],
)
def test_an_unknown_failure_says_where_it_was(stage: str, message: str) -> None:
    assert explain_failure(["strange"], stage, make_config()) == (message, "The log has the whole output.")


def test_a_container_without_network_is_suspected() -> None:
    hint = explain_failure(["strange"], "compile", make_config({"container": {"network": "none"}}))[1]
    assert "has no network" in hint


def test_braces_in_a_log_are_no_format() -> None:
    message, _ = explain_failure(["fatal error: {x}.h: No such file or directory"], "compile", make_config())
    assert message == "the compiler did not find a header: {x}.h"


def test_the_first_error_and_what_stands_around_it_is_shown() -> None:
    lines = [f"line {number}" for number in range(100)]
    lines[50] = "a.c:1: error: unknown type"
    assert relevant_lines(lines) == ("line 49", "a.c:1: error: unknown type", *(f"line {n}" for n in range(51, 56)))


def test_without_an_error_the_end_is_shown() -> None:
    assert relevant_lines([f"line {number}" for number in range(100)])[-1] == "line 99"
    assert len(relevant_lines([f"line {number}" for number in range(100)])) == 12
    assert relevant_lines(["only"]) == ("only",)
    assert relevant_lines([]) == ()


def test_many_errors_are_cut() -> None:
    assert len(relevant_lines(["error: x"] * 500)) == 24


def test_shell_traces_and_tracebacks_are_noise() -> None:
    lines = ["    + sh -c 'echo error: x'", "Traceback (most recent call last):", "error: real"]
    assert relevant_lines(lines) == ("error: real",)


def test_the_projects_own_command_is_named() -> None:
    message, hint = explain_failure(["sh: 1: ./deps.sh: not found"], "before-all", make_config())
    assert message == "failed while running the project's before-all"
    assert "--project-settings ignore" in hint
