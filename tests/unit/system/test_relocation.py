"""Fixed paths are moved where they stand by themselves, and named as they were on the way back."""

from __future__ import annotations

import pytest

from wheelkiln.system.relocation import FIXED_PATHS, Relocation

MOVED = Relocation("/home/u/.cache/w/in-place/ab")


@pytest.mark.parametrize("path", FIXED_PATHS)
def test_every_fixed_path_is_moved_by_itself_and_as_a_beginning(path: str) -> None:
    assert MOVED.forward(path) == f"{MOVED.root}{path}"
    assert MOVED.forward(f"'{path}/a b'") == f"'{MOVED.root}{path}/a b'"


@pytest.mark.parametrize(
    ("text", "moved"),
    [
        ("cd /project", "cd {root}/project"),
        ("--outdir=/tmp/cibuildwheel/built_wheel", "--outdir={root}/tmp/cibuildwheel/built_wheel"),
        ("PATH=/opt/python/cp312-cp312/bin:/usr/bin", "PATH={root}/opt/python/cp312-cp312/bin:/usr/bin"),
        ("-Cbuild-dir=/tmp/wheelkiln/build", "-Cbuild-dir={root}/tmp/wheelkiln/build"),
        ('glob.glob("/tmp/cibuildwheel/*.whl")', 'glob.glob("{root}/tmp/cibuildwheel/*.whl")'),
        ("/srv/project /projects /tmp/wheelkiln-of-user-0 ./output", None),
    ],
)
def test_what_only_looks_like_one_stays(text: str, moved: str | None) -> None:
    expected = moved.replace("{root}", MOVED.root) if moved else text
    assert MOVED.forward(text) == expected
    assert MOVED.back(expected) == text


def test_moving_twice_does_not_move_again() -> None:
    once = MOVED.forward("/opt/python/cp312-cp312/bin/python")
    assert MOVED.forward(once) == once


def test_an_empty_root_moves_nothing() -> None:
    assert Relocation("").forward("/project") == "/project"
    assert Relocation("").back("/project") == "/project"
