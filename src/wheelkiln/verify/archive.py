"""A wheel's archive, opened once: what can be read through it was checked, and costs no more than the limits."""

from __future__ import annotations

import stat
import unicodedata
import zlib
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from wheelkiln.verify.findings import Finding
from wheelkiln.verify.rules.made import found
from wheelkiln.verify.zip_model import Directory, Limits, Member, ZipFaultError
from wheelkiln.verify.zip_records import read_directory

__all__ = ["WheelArchive", "check_archive", "open_archive"]

_STORED, _DEFLATED = 0, 8
_CHUNK = 1 << 20
_SET_ID = stat.S_ISUID | stat.S_ISGID | stat.S_ISVTX


@dataclass(frozen=True, slots=True)
class WheelArchive:
    """Members by name, and their contents as streams."""

    name: str
    directory: Directory
    members: Mapping[str, Member]
    _file: BinaryIO

    def chunks(self, member: Member) -> Iterator[bytes]:
        """Yield a member's content in pieces of at most 1 MiB; raise ZipFaultError where its header lied."""
        crc = size = 0
        for chunk in self._unpack(member):
            crc, size = zlib.crc32(chunk, crc), size + len(chunk)
            if size > member.size:
                break
            yield chunk
        if size != member.size:
            raise ZipFaultError("zip-headers", f"the member '{member.name}' has another size than its header says")
        if crc != member.crc:
            raise ZipFaultError("zip", f"the member '{member.name}' is damaged: its CRC is wrong")

    def read(self, member: Member, limit: int) -> bytes:
        """Return the whole content of a member; raise ZipFaultError when it is larger than limit, in bytes."""
        if member.size > limit:
            raise ZipFaultError("zip-size", f"the member '{member.name}' has {member.size} bytes, more than {limit}")
        return b"".join(self.chunks(member))

    def _unpack(self, member: Member) -> Iterator[bytes]:
        packed = self._packed(member)
        if member.method == _STORED:
            yield from packed
            return
        inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        try:
            for piece in packed:
                waiting = piece
                while waiting and not inflater.eof:
                    yield inflater.decompress(waiting, _CHUNK)
                    waiting = inflater.unconsumed_tail
            while not inflater.eof:
                rest = inflater.decompress(inflater.unconsumed_tail, _CHUNK)
                if not rest:
                    break
                yield rest
        except zlib.error as error:
            raise ZipFaultError("zip", f"the member '{member.name}' is damaged: {error}") from error
        if not inflater.eof or inflater.unused_data:
            raise ZipFaultError("zip-headers", f"the packed size of the member '{member.name}' is wrong")

    def _packed(self, member: Member) -> Iterator[bytes]:
        place, left = member.data, member.packed
        while left:
            self._file.seek(place)
            piece = self._file.read(min(left, _CHUNK))
            if not piece:
                raise ZipFaultError("zip", f"the member '{member.name}' is cut off")
            place, left = place + len(piece), left - len(piece)
            yield piece


@contextmanager
def open_archive(path: Path, limits: Limits) -> Iterator[WheelArchive]:
    """Open a wheel; raise ZipFaultError where it is no archive that all programs read alike."""
    with path.open("rb") as file:
        directory = read_directory(file, limits)
        for member in directory.members:
            if member.method not in {_STORED, _DEFLATED}:
                raise ZipFaultError(
                    "zip-compression", f"the member '{member.name}' is compressed by method {member.method}"
                )
        yield WheelArchive(path.name, directory, {member.name: member for member in directory.members}, file)


def check_archive(archive: WheelArchive) -> Iterator[Finding]:
    """Yield what is wrong with names, kinds and places of the members; nothing is unpacked for it."""
    subject, members = archive.name, archive.directory.members
    yield from _check_names(subject, members)
    yield from _check_kinds(subject, members)
    for place, size in archive.directory.gaps:
        yield found("zip-data", subject, f"{size} bytes at {place} belong to no member")
    commented = [member.name for member in members if member.comment]
    if archive.directory.comment or commented:
        yield found("zip-comment", subject, "the archive, or a member of it, has a comment", details=tuple(commented))


def _check_names(subject: str, members: Sequence[Member]) -> Iterator[Finding]:
    alike: defaultdict[str, set[str]] = defaultdict(set)
    seen: set[str] = set()
    for member in members:
        name = member.name
        if name in seen:
            yield found("zip-duplicate", subject, f"the member '{name}' is there twice")
        seen.add(name)
        fault = _fault_of_name(name)
        if fault:
            yield found("zip-path", subject, f"the member {name!r} {fault}")
        alike[unicodedata.normalize("NFC", name).casefold()].add(name)
    files = {name for name in seen if not name.endswith("/")}
    for name in sorted({str(parent) for file in seen for parent in PurePosixPath(file).parents} & files):
        yield found("zip-duplicate", subject, f"'{name}' is a file and a directory")
    for names in alike.values():
        if len(names) > 1:
            yield found("zip-collision", subject, f"names that some systems take for one: {', '.join(sorted(names))}")


def _fault_of_name(name: str) -> str:
    parts = name.removesuffix("/").split("/")
    if name.startswith("/") or ".." in parts or "\\" in name or (len(parts[0]) > 1 and parts[0][1] == ":"):
        return "leaves the wheel"
    if not all(parts) or "." in parts:
        return "is not a plain path"
    if any(unicodedata.category(char) in {"Cc", "Cs", "Zl", "Zp"} for char in name):
        return "has control characters"
    return ""


def _check_kinds(subject: str, members: Sequence[Member]) -> Iterator[Finding]:
    for member in members:
        kind = stat.S_IFMT(member.mode)
        expected = stat.S_IFDIR if member.is_directory else stat.S_IFREG
        if kind not in {0, expected}:
            what = "a symbolic link" if kind == stat.S_IFLNK else "neither a file nor a directory"
            yield found("zip-special", subject, f"the member '{member.name}' is {what}")
        if member.mode & _SET_ID and not member.is_directory:
            yield found("zip-mode", subject, f"the member '{member.name}' has the mode {member.mode & 0o7777:o}")
        if member.is_directory and member.size:
            yield found("zip-special", subject, f"the directory '{member.name}' has a content")
