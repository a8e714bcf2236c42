from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path

import pytest
from link_store import Entry, Store, parse_size

_KEY = "ab" * 32


def _entry(content: bytes, **inputs: str) -> Entry:
    return Entry(
        inputs, ["libm"], ["/lib/libm.so"], hashlib.sha256(content).hexdigest(), 0o755, "out", "warn \udce9", "c: a.o\n"
    )


def _store(root: Path, limit: int = 0, namespace: str = "kern") -> Store:
    return Store(str(root), namespace, limit)


def _any(entry: Entry) -> bool:
    return bool(entry)


def test_what_was_kept_is_found(tmp_path: Path) -> None:
    entry = _entry(b"elf", a="1")
    _store(tmp_path).keep(_KEY, entry, b"elf")
    assert _store(tmp_path).find(_KEY, _any) == (entry, b"elf")
    assert _store(tmp_path).find("cd" * 32, _any) is None
    assert _store(tmp_path, namespace="other").find(_KEY, _any) is None


def test_the_entry_that_serves_is_chosen(tmp_path: Path) -> None:
    store = _store(tmp_path)
    for number in ("1", "2", "3"):
        store.keep(_KEY, _entry(number.encode(), libc=number), number.encode())
    found = store.find(_KEY, lambda entry: entry.inputs == {"libc": "2"})
    assert found is not None
    assert found[1] == b"2"
    assert store.find(_KEY, lambda entry: entry.inputs == {"libc": "4"}) is None


def test_only_the_newest_entries_of_a_key_are_kept(tmp_path: Path) -> None:
    store = _store(tmp_path)
    for number in range(12):
        store.keep(_KEY, _entry(b"x", libc=str(number)), b"x")
    assert store.find(_KEY, lambda entry: entry.inputs == {"libc": "11"})
    assert not store.find(_KEY, lambda entry: entry.inputs == {"libc": "0"})


@pytest.mark.parametrize("pattern", ["*.json", "*.out"])
@pytest.mark.parametrize("damage", [b"", b"cut", b"\0" * 100])
def test_damaged_files_are_as_good_as_none(tmp_path: Path, pattern: str, damage: bytes) -> None:
    store = _store(tmp_path)
    store.keep(_KEY, _entry(b"elf"), b"elf")
    (path,) = tmp_path.rglob(pattern)
    path.write_bytes(damage)
    assert store.find(_KEY, _any) is None
    store.keep(_KEY, _entry(b"elf"), b"elf")
    assert store.find(_KEY, _any) is not None


def test_one_changed_byte_of_an_entry_is_noticed(tmp_path: Path) -> None:
    store = _store(tmp_path)
    store.keep(_KEY, _entry(b"elf", libc="aaaa"), b"elf")
    (path,) = tmp_path.rglob("*.json")
    path.write_bytes(path.read_bytes().replace(b"aaaa", b"aaab"))
    assert store.find(_KEY, _any) is None


def test_what_was_used_longest_ago_goes_first(tmp_path: Path) -> None:
    store = _store(tmp_path)
    for letter in "abc":
        store.keep(letter * 64, _entry(letter.encode() * 1000), letter.encode() * 1000)
    for age, path in enumerate(sorted(tmp_path.rglob("*.*"), key=lambda path: path.suffix)):
        os.utime(path, (time.time() - 1000 - age,) * 2)
    assert store.find("a" * 64, _any) is not None
    _store(tmp_path, limit=3500).keep("d" * 64, _entry(b"d" * 1000), b"d" * 1000)
    kept = [letter for letter in "abcd" if store.find(letter * 64, _any)]
    assert "a" in kept
    assert "d" in kept
    assert len(kept) < 4
    assert sum(path.stat().st_size for path in tmp_path.rglob("*.*")) <= 3500


def test_what_killed_programs_left_goes_away_when_it_is_old(tmp_path: Path) -> None:
    old, new = tmp_path / "old.part", tmp_path / "new.part"
    for path in (old, new):
        path.touch()
    os.utime(old, (time.time() - 7200,) * 2)
    _store(tmp_path).keep(_KEY, _entry(b"elf"), b"elf")
    assert (old.exists(), new.exists()) == (False, True)


def test_a_failed_write_leaves_nothing_half(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fchmod", fail)
    with pytest.raises(OSError, match="No space"):
        _store(tmp_path).keep(_KEY, _entry(b"elf"), b"elf")
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("namespace", ["../../etc", "", "/abs", ".hidden", "a" * 200, "a/b"])
def test_a_namespace_never_leaves_the_directory(tmp_path: Path, namespace: str) -> None:
    _store(tmp_path / "links", namespace=namespace).keep(_KEY, _entry(b"elf"), b"elf")
    (place,) = (tmp_path / "links").iterdir()
    assert place.name == hashlib.sha256(namespace.encode()).hexdigest()
    assert _store(tmp_path / "links", namespace=namespace).find(_KEY, _any)


def test_a_namespace_has_a_directory_that_people_can_find(tmp_path: Path) -> None:
    _store(tmp_path, namespace="kern-x86_64-default").keep(_KEY, _entry(b"elf"), b"elf")
    assert [path.name for path in tmp_path.iterdir()] == ["kern-x86_64-default"]


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("10G", 10**10), ("500M", 5 * 10**8), ("5Gi", 5 * 2**30), ("1.5k", 1500), ("1Ki", 1024), ("2T", 2 * 10**12),
        ("3", 3 * 10**9), ("", 0), ("0", 0), ("nonsense", 0),
    ],
)  # fmt: skip
def test_sizes(text: str, size: int) -> None:
    assert parse_size(text) == size
