from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from wheelkiln.errors import EnvironmentProblem
from wheelkiln.system.files import (
    free_bytes,
    land_file,
    make_directory,
    naming_storage_errors,
    readable_by_all,
    remove_leftovers,
    sha256_of,
    write_text_atomically,
)


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "no space left on the disk that holds /place"),
        (errno.EDQUOT, "the disk quota is used up for /place"),
        (errno.EROFS, "a read-only file system holds /place"),
        (errno.EACCES, "permission denied for /place"),
        (errno.ENOTDIR, "not a directory on the way to /place"),
    ],
)
def test_storage_errors_name_the_place_and_the_setting(number: int, words: str) -> None:
    with pytest.raises(EnvironmentProblem) as caught, naming_storage_errors(Path("/place"), setting="--output-dir"):
        raise OSError(number, os.strerror(number))
    assert caught.value.message == words
    assert caught.value.hint.endswith("with --output-dir.")


def test_other_errors_pass() -> None:
    with pytest.raises(FileNotFoundError), naming_storage_errors(Path("/place"), setting="x"):
        raise FileNotFoundError(errno.ENOENT, "gone")


def test_a_file_in_the_way_of_a_directory_is_explained(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EnvironmentProblem, match="not a directory on the way to"):
        make_directory(tmp_path / "file" / "inner", setting="x")
    with pytest.raises(EnvironmentProblem, match="a file stands where a directory is needed"):
        make_directory(tmp_path / "file", setting="x")


def test_make_directory_makes_parents_and_accepts_what_is_there(tmp_path: Path) -> None:
    place = make_directory(tmp_path / "a" / "b", setting="x")
    assert place.is_dir()
    assert make_directory(place, setting="x") == place


def test_a_text_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    path.write_text("old and longer")
    write_text_atomically(path, "nü")
    assert path.read_text(encoding="utf-8") == "nü"
    assert os.listdir(tmp_path) == ["file.txt"]  # noqa: PTH208 - hidden files too


def test_a_failed_write_leaves_the_old_text_and_no_part(tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    path.write_text("old")
    with pytest.raises(UnicodeEncodeError):
        write_text_atomically(path, "\ud800")
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["file.txt"]  # noqa: PTH208 - hidden files too


def test_a_written_file_has_the_usual_mode(tmp_path: Path) -> None:
    old = os.umask(0o027)
    try:
        write_text_atomically(tmp_path / "file.txt", "x")
    finally:
        os.umask(old)
    assert (tmp_path / "file.txt").stat().st_mode & 0o777 == 0o640


def test_a_file_lands_under_its_own_name(tmp_path: Path) -> None:
    source = tmp_path / "in" / "x.whl"
    source.parent.mkdir()
    source.write_bytes(b"wheel")
    out = make_directory(tmp_path / "out", setting="x")
    (out / "x.whl").write_bytes(b"an older one")
    assert land_file(source, out) == out / "x.whl"
    assert (out / "x.whl").read_bytes() == b"wheel"
    assert source.exists()
    assert os.listdir(out) == ["x.whl"]  # noqa: PTH208 - hidden files too


def test_a_file_that_cannot_be_read_leaves_nothing(tmp_path: Path) -> None:
    out = make_directory(tmp_path / "out", setting="x")
    with pytest.raises(FileNotFoundError):
        land_file(tmp_path / "absent.whl", out)
    assert os.listdir(out) == []  # noqa: PTH208 - hidden files too


def test_leftovers_are_removed_and_nothing_else(tmp_path: Path) -> None:
    for name in (".wheelkiln-abc.part", ".wheelkiln-abc", "x.part", "x.whl"):
        (tmp_path / name).write_text("")
    remove_leftovers(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".wheelkiln-abc", "x.part", "x.whl"]


def test_sha256_of_a_known_content(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"abc")
    assert sha256_of(tmp_path / "x") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_free_bytes_of_a_place_that_is_not_there_yet(tmp_path: Path) -> None:
    here, there = free_bytes(tmp_path), free_bytes(tmp_path / "a" / "b")
    assert here > 0
    assert abs(here - there) < 1 << 30


@pytest.mark.parametrize(("mode", "copied"), [(0o644, False), (0o600, True)])
def test_a_file_is_readable_by_all(tmp_path: Path, mode: int, copied: bool) -> None:
    path = tmp_path / "kern.tar.gz"
    path.write_bytes(b"sdist")
    path.chmod(mode)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    with readable_by_all(path, scratch) as given:
        assert (given != path) is copied
        assert given.read_bytes() == b"sdist"
        assert given.stat().st_mode & 0o777 == 0o644
    assert list(scratch.iterdir()) == []
    assert path.stat().st_mode & 0o777 == mode
