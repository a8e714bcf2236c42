from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.archives import write_sdist
from wheelkiln.errors import UsageProblem
from wheelkiln.source.archive import read_sdist
from wheelkiln.source.tarball import SdistTree, open_tree


@contextmanager
def _tree(path: Path) -> Iterator[SdistTree]:
    with open_tree(path, path.parent) as tree:
        yield tree


def _write(path: Path, *members: tuple[str, bytes, dict[str, object]]) -> Path:
    with tarfile.open(path, "w:gz", format=tarfile.PAX_FORMAT) as archive:
        for name, content, fields in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            for key, value in fields.items():
                setattr(info, key, value)
            archive.addfile(info, io.BytesIO(content))
    return path


def _members(path: Path) -> list[tarfile.TarInfo]:
    with tarfile.open(path) as archive:
        return archive.getmembers()


def test_an_unchanged_tree_keeps_its_members(tmp_path: Path) -> None:
    source = _write(
        tmp_path / "k.tar.gz",
        ("k-1", b"", {"type": tarfile.DIRTYPE, "mode": 0o755, "mtime": 5}),
        ("k-1/run", b"#!", {"mode": 0o755, "mtime": 1_600_000_000.5}),
        ("k-1/" + "d" * 120 + "/ä.c", b"x", {"mode": 0o640, "mtime": 7}),
        ("k-1/link", b"", {"type": tarfile.SYMTYPE, "linkname": "run"}),
    )
    with _tree(source) as tree:
        made = tree.save(tmp_path / "new.tar.gz", root="new-2")
    assert [member.name for member in _members(made)] == ["new-2", "new-2/run", f"new-2/{'d' * 120}/ä.c", "new-2/link"]
    assert [(member.mode, member.mtime) for member in _members(made)[1:3]] == [(0o755, 1_600_000_000), (0o640, 7)]
    assert _members(made)[3].linkname == "run"
    assert read_sdist(made).digest == read_sdist(source).digest


def test_the_same_changes_give_the_same_bytes(tmp_path: Path) -> None:
    made = []
    for number in (1, 2):
        source = write_sdist(tmp_path / f"k{number}.tar.gz", {"a": "1", "b": "2"})
        with _tree(source) as tree:
            tree.write("c", b"3", mtime=9)
            (tmp_path / str(number)).mkdir()
            made.append(tree.save(tmp_path / str(number) / "new.tar.gz", root="new"))
    assert made[0].read_bytes() == made[1].read_bytes()
    assert made[0].read_bytes()[4:8] == bytes(4)  # gzip's time (RFC 1952)


def test_owners_and_special_bits_do_not_stay(tmp_path: Path) -> None:
    source = _write(tmp_path / "k.tar.gz", ("k/a", b"", {"mode": 0o4755, "uid": 1000, "uname": "dev", "gname": "dev"}))
    with _tree(source) as tree:
        (member,) = _members(tree.save(tmp_path / "new.tar.gz", root="new"))
    assert (member.mode, member.uid, member.uname, member.gname) == (0o755, 0, "", "")


def test_writing_keeps_place_mode_and_time(tmp_path: Path) -> None:
    source = _write(tmp_path / "k.tar.gz", ("k/a", b"1", {"mode": 0o755, "mtime": 7}), ("k/b", b"2", {}))
    with _tree(source) as tree:
        tree.write("a", b"changed", mtime=99)
        assert tree.read("a") == b"changed"
        first, _ = _members(tree.save(tmp_path / "new.tar.gz", root="k"))
    assert (first.name, first.mode, first.mtime) == ("k/a", 0o755, 7)


def test_writing_what_is_there_changes_nothing(tmp_path: Path) -> None:
    with _tree(write_sdist(tmp_path / "k.tar.gz", {"a": "1"})) as tree:
        tree.write("a", b"1", mtime=9)
        assert not tree.changed
        tree.write("a", b"2", mtime=9)
        assert tree.changed


def test_files_move_and_go(tmp_path: Path) -> None:
    with _tree(write_sdist(tmp_path / "k.tar.gz", {"a": "1", "b/c": "2", "b/d": "3", "e": "4"})) as tree:
        tree.move("a", "z")
        tree.move_directory("b", "y")
        tree.remove("e")
        made = tree.save(tmp_path / "new.tar.gz", root="k")
    assert [member.name for member in _members(made)] == ["k/z", "k/y/c", "k/y/d"]


def test_a_hard_link_becomes_a_file(tmp_path: Path) -> None:
    source = _write(
        tmp_path / "k.tar.gz",
        ("./k/a", b"text", {"mode": 0o755}),
        ("./k/b", b"", {"type": tarfile.LNKTYPE, "linkname": "k/a"}),
    )
    with _tree(source) as tree:
        assert tree.read("b") == b"text"
        tree.write("a", b"other", mtime=9)
        made = tree.save(tmp_path / "new.tar.gz", root="k")
    with tarfile.open(made) as archive:
        stream = archive.extractfile("k/b")
        assert stream is not None
        assert stream.read() == b"text"
        assert archive.getmember("k/b").mode == 0o755


@pytest.mark.parametrize(
    "member",
    [
        ("k/b", b"", {"type": tarfile.LNKTYPE, "linkname": "k/absent"}),
        ("k/b", b"", {"type": tarfile.LNKTYPE, "linkname": "k/b"}),
        ("k/pipe", b"", {"type": tarfile.FIFOTYPE}),
        ("k/../../out", b"", {}),
        ("k/link", b"", {"type": tarfile.SYMTYPE, "linkname": "../../out"}),
        ("/etc/passwd", b"", {}),
        ("k", b"", {"type": tarfile.SYMTYPE, "linkname": "x"}),
    ],
    ids=["absent", "itself", "fifo", "outside", "link outside", "absolute", "root"],
)
def test_hostile_members_are_refused(tmp_path: Path, member: tuple[str, bytes, dict[str, object]]) -> None:
    path = _write(tmp_path / "k.tar.gz", member)
    with pytest.raises(UsageProblem), _tree(path):
        pass


def test_a_broken_archive_is_refused(tmp_path: Path) -> None:
    whole = write_sdist(tmp_path / "k.tar.gz", {"a": "1" * 100}).read_bytes()
    (tmp_path / "k.tar.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UsageProblem, match="not a readable sdist"), _tree(tmp_path / "k.tar.gz"):
        pass


def test_obstacles_are_named(tmp_path: Path) -> None:
    source = _write(
        tmp_path / "k.tar.gz",
        ("k/dir/a", b"", {}),
        ("k/out", b"", {"type": tarfile.SYMTYPE, "linkname": "dir"}),
    )
    with _tree(source) as tree:
        assert tree.obstacle("dir/a") == tree.obstacle("new/b") == ""
        assert tree.obstacle("out/a") == "out is a link"
        assert tree.obstacle("out") == "out is a link"
        assert tree.obstacle("dir") == "dir is a directory"
        assert tree.obstacle("dir/a/b") == "dir/a is a file"


def test_a_file_too_large_to_edit_is_not_read(tmp_path: Path) -> None:
    with (
        _tree(write_sdist(tmp_path / "k.tar.gz", {"a": "12345"})) as tree,
        pytest.raises(UsageProblem, match="too many to be rewritten"),
    ):
        tree.read("a", limit=4)


def test_what_a_checkout_leaves_is_taken_out(tmp_path: Path) -> None:
    evened = []
    for umask, mtime in ((0o022, 1_700_000_000), (0o077, 1_800_000_000)):
        members = [
            ("k-1/run", b"#!", {"mode": 0o777 & ~umask, "mtime": mtime}),
            ("k-1/a/b.c", b"x", {"mode": 0o666 & ~umask, "mtime": 5}),
            ("k-1/a", b"", {"type": tarfile.DIRTYPE, "mode": 0o777 & ~umask, "mtime": mtime}),
        ]
        source = _write(tmp_path / f"{umask}.tar.gz", *(members if umask == 0o022 else reversed(members)))
        with _tree(source) as tree:
            assert tree.root == "k-1"
            tree.even_out(1_600_000_000)
            assert tree.changed
            evened.append(tree.save(tmp_path / f"{umask}-evened.tar.gz", root=tree.root))
        assert read_sdist(evened[-1]).digest == read_sdist(source).digest
    assert evened[0].read_bytes() == evened[1].read_bytes()
    told = [(member.name, member.mode, member.mtime) for member in _members(evened[0])]
    assert told == [
        ("k-1/a", 0o755, 1_600_000_000),
        ("k-1/a/b.c", 0o644, 5),
        ("k-1/run", 0o755, 1_600_000_000),
    ]
    with _tree(evened[0]) as tree:
        tree.even_out(1_600_000_000)
        assert not tree.changed
