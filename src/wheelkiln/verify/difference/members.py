"""Members that differ, each looked into by what it is."""

from __future__ import annotations

import re
import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import IO

from wheelkiln.verify.difference.archive import Archive, is_same_member
from wheelkiln.verify.difference.bytecode import compare_bytecode
from wheelkiln.verify.difference.content import MOST_DIFFERENCES, compare_bytes
from wheelkiln.verify.difference.elf import NotElfError, compare_elf
from wheelkiln.verify.difference.inner import ArchiveReadError, compare_archives
from wheelkiln.verify.difference.model import Cause, Difference, MemberDifference, Presence, Weight
from wheelkiln.verify.difference.records import RECORD_NAME, compare_records
from wheelkiln.verify.difference.text import compare_headers, compare_json, compare_lines

__all__ = ["compare_members"]

_MOST_LOOKED_INTO = 200
_MOST_IN_MEMORY = 32 << 20
_MOST_ON_DISK = 2 << 30
_CHUNK = 1 << 20
_SNIFFED = 512
_ARCHIVE_STARTS = (b"PK\x03\x04", b"!<arch>\n", b"\x1f\x8b", b"BZh", b"\xfd7zXZ")
_GRAFTED = re.compile(r"^(?P<start>[^/]+\.libs/.+)-[0-9a-f]{8}(?P<end>\.so.*)$")
_WHEEL_CAUSES = {"Generator": Cause.REQUIREMENT, "Wheel-Version": Cause.REQUIREMENT}
_METADATA_CAUSES = {
    "Metadata-Version": Cause.REQUIREMENT,
    "Name": Cause.SOURCE,
    "Version": Cause.SOURCE,
    "Requires-Dist": Cause.SOURCE,
    "Requires-Python": Cause.SOURCE,
}


@dataclass(frozen=True, slots=True)
class _Pair:
    """One member of both wheels, unpacked."""

    name: str
    one: IO[bytes]
    other: IO[bytes]
    start: bytes


def compare_members(one: Archive, other: Archive) -> Iterator[MemberDifference]:
    """Yield the members that only one wheel has, or whose content or mode differs, in the order of their names."""
    looked_into = 0
    for first, second in _pair_names(one, other):
        if not first or not second:
            yield _alone(first, second)
            continue
        name = first
        told = [] if first == second else [Difference("name", first, second, None, Weight.CONSEQUENCE)]
        told += _compare_modes(one.entries[first], other.entries[second])
        if is_same_member(one, other, (first, second)):
            if told:
                yield MemberDifference(name, differences=tuple(told))
            continue
        looked_into += 1
        if looked_into > _MOST_LOOKED_INTO:
            yield MemberDifference(name, differences=tuple(told), note="not looked into: too many members differ")
            continue
        found = _look_into(one, other, (first, second))
        yield MemberDifference(name, kind=found.kind, differences=(*told, *found.differences), note=found.note)


def _pair_names(one: Archive, other: Archive) -> Iterator[tuple[str, str]]:
    """Pair the members by their names, and grafted libraries by theirs without the digest that auditwheel adds."""
    grafted = {_without_digest(name): name for name in other.entries if name not in one.entries}
    taken = set()
    pairs = []
    for name in one.entries:
        twin = name if name in other.entries else grafted.get(_without_digest(name), "")
        taken.add(twin)
        pairs.append((name, twin))
    pairs += [("", name) for name in other.entries if name not in taken]
    yield from sorted(pairs, key=lambda pair: pair[0] or pair[1])


def _without_digest(name: str) -> str:
    return _GRAFTED.sub(r"\g<start>\g<end>", name)


def _alone(first: str, second: str) -> MemberDifference:
    """A member that only one wheel has; with another dist-info directory it is another version, or project."""
    name, presence = (first, Presence.FIRST) if first else (second, Presence.SECOND)
    if not name.endswith(".dist-info/METADATA"):
        return MemberDifference(name, presence)
    found = Difference("only one has it: another project or version", first, second, Cause.SOURCE, Weight.RECORD)
    return MemberDifference(name, presence, "headers", (found,))


def _compare_modes(one: zipfile.ZipInfo, other: zipfile.ZipInfo) -> Iterator[Difference]:
    modes = one.external_attr >> 16, other.external_attr >> 16
    if modes[0] != modes[1]:
        yield Difference("mode", f"{modes[0]:o}", f"{modes[1]:o}", Cause.UMASK, Weight.DIRECT)


def _look_into(one: Archive, other: Archive, names: tuple[str, str]) -> MemberDifference:
    entries = one.entries[names[0]], other.entries[names[1]]
    if max(entry.file_size for entry in entries) > _MOST_ON_DISK:
        return MemberDifference(names[0], note=f"not looked into: it has more than {_MOST_ON_DISK >> 30} GiB")
    with _unpacked(one, entries[0]) as first, _unpacked(other, entries[1]) as second:
        return _compare_pair(_Pair(names[0], first, second, first.read(_SNIFFED)))


@contextmanager
def _unpacked(archive: Archive, entry: zipfile.ZipInfo) -> Iterator[IO[bytes]]:
    """Unpack a member into memory, or a file without a name."""
    with tempfile.SpooledTemporaryFile(_MOST_IN_MEMORY) as target, archive.zip.open(entry) as member:
        while chunk := member.read(_CHUNK):
            target.write(chunk)
        target.seek(0)
        yield target


def _compare_pair(pair: _Pair) -> MemberDifference:
    """Choose by the content first: a name can be anything."""
    try:
        if pair.start.startswith(b"\x7fELF"):
            return MemberDifference(pair.name, kind="elf", differences=compare_elf(pair.one, pair.other))
        if pair.start.startswith(_ARCHIVE_STARTS) or pair.name.endswith(".tar"):
            return _made(pair, "archive", compare_archives(pair.one, pair.other))
    except (NotElfError, ArchiveReadError) as error:
        return _made(pair, "data", _compare_data(pair), note=f"it cannot be read as what it seems to be: {error}")
    if pair.name.endswith(".pyc"):
        return _made(pair, "bytecode", compare_bytecode(*_read_both(pair)))
    texts = _read_texts(pair)
    if texts is None:
        return _made(pair, "data", _compare_data(pair))
    return _compare_texts(pair, *texts)


def _compare_texts(pair: _Pair, one: str, other: str) -> MemberDifference:
    directory, _, name = pair.name.rpartition("/")
    if directory.endswith(".dist-info"):
        causes: Mapping[str, Mapping[str, Cause]] = {"WHEEL": _WHEEL_CAUSES, "METADATA": _METADATA_CAUSES}
        if name == RECORD_NAME:
            return MemberDifference(pair.name, kind="record", differences=tuple(compare_records(one, other)))
        if name in causes:
            return _made(pair, "headers", compare_headers(one, other, causes[name]))
        if name == "RECORD":
            return _made(pair, "digests", _compare_digests(one, other))
    if name.endswith(".json"):
        return _made(pair, "json", compare_json(one, other))
    return _made(pair, "text", compare_lines(one, other))


def _compare_digests(one: str, other: str) -> Iterator[Difference]:
    """RECORD follows from the other members, but for its order."""
    lines = sorted(one.splitlines()), sorted(other.splitlines())
    if lines[0] == lines[1]:
        yield Difference("the same lines in another order", "", "", Cause.MEMBER_ORDER, Weight.HINT)
    else:
        yield Difference("digests of the other members", "", "", None, Weight.CONSEQUENCE)


def _compare_data(pair: _Pair) -> Iterator[Difference]:
    return compare_bytes("content", *_read_both(pair))


def _read_both(pair: _Pair) -> tuple[bytes, bytes]:
    found = []
    for file in (pair.one, pair.other):
        file.seek(0)
        found.append(file.read(_MOST_IN_MEMORY))
    return found[0], found[1]


def _read_texts(pair: _Pair) -> tuple[str, str] | None:
    if b"\0" in pair.start:
        return None
    try:
        one, other = (content.decode("utf-8") for content in _read_both(pair))
    except UnicodeDecodeError:
        return None
    return one, other


def _made(pair: _Pair, kind: str, differences: Iterable[Difference], note: str = "") -> MemberDifference:
    return MemberDifference(pair.name, kind=kind, differences=tuple(islice(differences, MOST_DIFFERENCES)), note=note)
