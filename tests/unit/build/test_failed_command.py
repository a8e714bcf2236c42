from __future__ import annotations

import pytest

from wheelkiln.build.failed_command import find_failed_command


@pytest.mark.parametrize(
    ("line", "argv"),
    [
        (
            "cibuildwheel: error: Command ['python', '-m', 'build', PurePosixPath('/project'), \"--x='a b'\"] failed "
            "with code 1. ",
            ("python", "-m", "build", "/project", "--x='a b'"),
        ),
        ("error: Command ['sh', '-c', 'pytest [a] && true'] failed with code 2. ", ("sh", "-c", "pytest [a] && true")),
        ("error: Command [unquoted] failed with code 1.", ()),
        ("error: Command '['gcc', '-c']' returned non-zero exit status 1.", ()),
    ],
)
def test_the_command_is_read_from_cibuildwheels_message(line: str, argv: tuple[str, ...]) -> None:
    assert find_failed_command(["Command ['older'] failed with code 1.", line][-1:]) == argv


def test_the_last_one_counts() -> None:
    lines = ["Command ['a'] failed with code 1.", "Command ['b'] failed with code 1.", "more"]
    assert find_failed_command(lines) == ("b",)
    assert find_failed_command([]) == ()
