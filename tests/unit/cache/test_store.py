from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from wheelkiln.cache.store import StoredWheel, WheelStore, store_of

_NAME = "kern-1.2-cp312-cp312-linux_x86_64.whl"


def _wheel(directory: Path, content: bytes = b"wheel", name: str = _NAME) -> tuple[Path, str]:
    directory.mkdir(exist_ok=True)
    path = directory / name
    path.write_bytes(content)
    return path, hashlib.sha256(content).hexdigest()


def _store(tmp_path: Path, *contents: bytes) -> WheelStore:
    """A store whose wheels were used in the order of contents."""
    store = store_of(tmp_path / "cache")
    for number, content in enumerate(contents):
        path, digest = _wheel(tmp_path / "made", content)
        store.put(path, digest)
        path.unlink()
        os.utime(store.root / digest[:2] / digest, (number + 1, number + 1))
    return store


def _parts(root: Path) -> list[Path]:
    return list(root.rglob("*.part"))


def test_a_wheel_is_found_again_where_its_digest_says(tmp_path: Path) -> None:
    store = _store(tmp_path)
    path, digest = _wheel(tmp_path / "house")
    store.put(path, digest)
    kept = tmp_path / "cache/wheels" / digest[:2] / digest / _NAME
    assert store.find(_NAME, digest) == kept
    assert kept.samefile(path), "a link costs no space"
    assert not _parts(tmp_path)


def test_a_wheel_is_brought_out_over_what_lies_there(tmp_path: Path) -> None:
    store = _store(tmp_path, b"wheel")
    other, _ = _wheel(tmp_path / "house", b"something else")
    assert store.take(_NAME, hashlib.sha256(b"wheel").hexdigest(), tmp_path / "house")
    assert other.read_bytes() == b"wheel"
    assert not _parts(tmp_path)


def test_what_another_user_wrote_is_copied_not_linked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = _store(tmp_path, b"wheel")
    digest = hashlib.sha256(b"wheel").hexdigest()
    monkeypatch.setattr(os, "geteuid", lambda: 4000)
    assert store.take(_NAME, digest, tmp_path / "made")
    taken, kept = tmp_path / "made" / _NAME, store.find(_NAME, digest)
    assert kept is not None
    assert not kept.samefile(taken)
    assert taken.read_bytes() == b"wheel"


def test_a_file_with_another_mode_is_copied_not_linked(tmp_path: Path) -> None:
    store = _store(tmp_path, b"wheel")
    kept = store.find(_NAME, hashlib.sha256(b"wheel").hexdigest())
    assert kept is not None
    kept.chmod(0o400)
    assert store.take(_NAME, kept.parent.name, tmp_path / "made")
    assert (tmp_path / "made" / _NAME).stat().st_mode & 0o200


def test_where_links_cannot_be_made_files_are_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    store = _store(tmp_path, b"wheel")
    assert store.take(_NAME, hashlib.sha256(b"wheel").hexdigest(), tmp_path / "made")
    assert (tmp_path / "made" / _NAME).read_bytes() == b"wheel"
    assert not _parts(tmp_path)


@pytest.mark.parametrize("damage", [b"", b"whee", b"wheeL", b"wheel and more"])
def test_a_damaged_wheel_is_removed_and_not_brought_out(tmp_path: Path, damage: bytes) -> None:
    store = _store(tmp_path, b"wheel")
    digest = hashlib.sha256(b"wheel").hexdigest()
    (store.root / digest[:2] / digest / _NAME).write_bytes(damage)
    assert store.find(_NAME, digest) is None
    assert not store.take(_NAME, digest, tmp_path / "made")
    assert list((tmp_path / "made").iterdir()) == []
    assert list(store.root.iterdir()) == []


def test_a_wheel_that_is_not_there(tmp_path: Path) -> None:
    store = _store(tmp_path)
    (tmp_path / "house").mkdir()
    assert store.find(_NAME, "a" * 64) is None
    assert not store.take(_NAME, "a" * 64, tmp_path / "house")
    assert list((tmp_path / "house").iterdir()) == []


def test_what_is_not_what_it_is_said_to_be_is_not_kept(tmp_path: Path) -> None:
    store = _store(tmp_path)
    path, _ = _wheel(tmp_path / "house")
    store.put(path, "a" * 64)
    assert store.wheels() == ()
    assert not _parts(tmp_path)


def test_a_damaged_wheel_of_another_size_is_replaced(tmp_path: Path) -> None:
    store = _store(tmp_path, b"wheel")
    path, digest = _wheel(tmp_path / "house")
    (store.root / digest[:2] / digest / _NAME).write_bytes(b"half")
    store.put(path, digest)
    assert store.find(_NAME, digest)


def test_the_longest_unused_go_first(tmp_path: Path) -> None:
    store = _store(tmp_path, b"first", b"second!", b"third")
    assert [wheel.size for wheel in store.wheels()] == [5, 7, 5]
    assert store.excess(17) == ()
    assert [wheel.size for wheel in store.excess(16)] == [5]
    assert [wheel.size for wheel in store.excess(10)] == [5, 7]
    assert len(store.excess(0)) == 3
    store.take(_NAME, hashlib.sha256(b"first").hexdigest(), tmp_path / "made")
    assert [wheel.path.read_bytes() for wheel in store.excess(16)] == [b"second!"]


def test_putting_what_is_there_is_a_use(tmp_path: Path) -> None:
    store = _store(tmp_path, b"first", b"second")
    path, digest = _wheel(tmp_path / "house", b"first")
    store.put(path, digest)
    assert [wheel.size for wheel in store.wheels()] == [6, 5]


def test_removing_twice_is_removing_once(tmp_path: Path) -> None:
    store = _store(tmp_path, b"wheel")
    (wheel,) = store.wheels()
    store.remove(wheel)
    store.remove(wheel)
    assert store.wheels() == ()


def test_parts_of_killed_runs_are_no_wheels_and_go_in_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = _store(tmp_path, b"wheel")
    place = store.wheels()[0].path.parent
    part = place / ".wheelkiln-x.part"
    part.write_bytes(b"half")
    assert len(store.wheels()) == 1
    store.remove_leftovers()
    assert part.exists(), "another run may be writing it"
    later = part.stat().st_ctime + 2 * 86400
    monkeypatch.setattr("time.time", lambda: later)
    store.remove_leftovers()
    assert not part.exists()
    assert isinstance(store.wheels()[0], StoredWheel)
