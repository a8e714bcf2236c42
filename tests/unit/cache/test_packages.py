from __future__ import annotations

from pathlib import Path

import pytest

from wheelkiln.cache.lock import LockedEnvironment, Pin
from wheelkiln.cache.packages import copy_packages, find_packages

LOCKED = LockedEnvironment(
    "cp312", "manylinux_x86_64", (), (), (Pin("numpy==2.2.6"), Pin("Some.Name==1.0"), Pin("x @ https://h/x.whl"))
)
WANTED = [
    "numpy-2.2.6-cp312-cp312-manylinux_2_17_x86_64.whl",
    "numpy-2.2.6.tar.gz",
    "some_name-1.0-py3-none-any.whl",
    "some_name-1.0.0-cp39-abi3-manylinux_2_17_x86_64.whl",
]
OTHERS = [
    "numpy-2.2.6-cp311-cp311-manylinux_2_17_x86_64.whl",
    "numpy-2.2.6-cp312-cp312-manylinux_2_17_aarch64.whl",
    "numpy-2.2.5-cp312-cp312-manylinux_2_17_x86_64.whl",
    "numpy_financial-2.2.6-py3-none-any.whl",
    "numpy-broken.whl",
    "other-1.0.tar.gz",
    "README",
]


@pytest.fixture
def index(tmp_path: Path) -> Path:
    files = tmp_path / "index" / "files"
    files.mkdir(parents=True)
    for name in (*WANTED, *OTHERS):
        (files / name).write_text(name)
    return tmp_path / "index"


def test_only_what_is_pinned_and_fits_is_found(index: Path) -> None:
    assert sorted(path.name for path in find_packages(LOCKED, [index])) == sorted(WANTED)


def test_what_is_found_is_copied(index: Path, tmp_path: Path) -> None:
    assert copy_packages(LOCKED, [index], tmp_path / "job/packages")
    assert {path.read_text() for path in (tmp_path / "job/packages").iterdir()} == set(WANTED)


def test_nothing_is_made_where_nothing_is_found(tmp_path: Path) -> None:
    assert not copy_packages(LOCKED, [tmp_path], tmp_path / "packages")
    assert not (tmp_path / "packages").exists()
