"""Wheels that no tool should believe, each with the code of the finding that it must get."""

from __future__ import annotations

import base64
import hashlib
import struct
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

__all__ = ["HOSTILE", "NAME", "Entry", "make_elf", "wheel_bytes", "wheel_entries", "write_hostile"]

NAME = "kern-1.2-py3-none-any.whl"
_INFO = "kern-1.2.dist-info"
_CENTRAL = struct.Struct("<4s4B4HL2L5H2L")
_LOCAL = struct.Struct("<4s2B4HL2L2H")
_LINK, _PIPE = 0o120777, 0o010644


@dataclass(frozen=True)
class Entry:
    """A member: local and central replace fields of its headers, data its packed bytes, at its place in the file."""

    name: bytes
    content: bytes = b""
    mode: int = 0o100644
    method: int = 8
    flags: int = 0
    extra: bytes = b""
    comment: bytes = b""
    data: bytes | None = None
    local: Mapping[str, int | bytes] = field(default_factory=dict)
    central: Mapping[str, int | bytes] = field(default_factory=dict)
    share: int | None = None

    @property
    def packed(self) -> bytes:
        if self.data is not None:
            return self.data
        return _deflate(self.content) if self.method == 8 else self.content


def _deflate(content: bytes) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packer.compress(content) + packer.flush()


def wheel_entries(files: Mapping[str, bytes] | None = None, **parts: str) -> list[Entry]:
    """The members of a good wheel with these files; parts replace METADATA, WHEEL or RECORD."""
    texts = {
        "METADATA": "Metadata-Version: 2.1\nName: kern\nVersion: 1.2\nDescription-Content-Type: text/plain\n\nK.\n",
        "WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        **{name: text for name, text in parts.items() if name != "RECORD"},
    }
    contents = {"kern/__init__.py": b"", **(files or {}), **{f"{_INFO}/{k}": v.encode() for k, v in texts.items()}}
    rows = "".join(f"{name},{_digest(content)},{len(content)}\n" for name, content in contents.items())
    record = parts.get("RECORD", f"{rows}{_INFO}/RECORD,,\n").encode()
    return [Entry(name.encode(), content) for name, content in {**contents, f"{_INFO}/RECORD": record}.items()]


def _digest(content: bytes) -> str:
    return "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode().rstrip("=")


def wheel_bytes(
    entries: Sequence[Entry], *, before: bytes = b"", after: bytes = b"", comment: bytes = b"", **end: int
) -> bytes:
    """Write an archive; end replaces fields of the end record: count, size, offset."""
    body, central = bytearray(before), bytearray()
    places: list[int] = []
    for entry in entries:
        place = len(body) if entry.share is None else places[entry.share]
        places.append(place)
        fields: dict[str, Any] = {
            "name": entry.name,
            "flags": entry.flags,
            "method": entry.method,
            "crc": zlib.crc32(entry.content),
            "packed": len(entry.packed),
            "size": len(entry.content),
            "extra": entry.extra,
            "needs": 20,
        }
        if entry.share is None:
            told = {**fields, **entry.local}
            body += _LOCAL.pack(
                b"PK\3\4", 20, 0, told["flags"], told["method"], 0, 33, told["crc"], told["packed"], told["size"],
                len(told["name"]), len(told["extra"]),
            ) + told["name"] + told["extra"] + entry.packed  # fmt: skip
        told = {**fields, "offset": place, **entry.central}
        central += _CENTRAL.pack(
            b"PK\1\2", 20, 3, told["needs"], 0, told["flags"], told["method"], 0, 33,
            told["crc"], told["packed"], told["size"],
            len(told["name"]), len(told["extra"]), len(entry.comment), 0, 0, entry.mode << 16, told["offset"],
        ) + told["name"] + told["extra"] + entry.comment  # fmt: skip
    count, size = end.get("count", len(entries)), end.get("size", len(central))
    offset = end.get("offset", len(body))
    wide = _zip64_end(count, size, offset, len(body) + len(central)) if count > 0xFFFF else b""
    count = min(count, 0xFFFF)
    last = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, count, count, size, offset, len(comment))
    return bytes(body + central) + wide + last + comment + after


def _zip64_end(count: int, size: int, offset: int, place: int) -> bytes:
    record = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, count, count, size, offset)
    return record + struct.pack("<4sLQL", b"PK\6\7", 0, place, 1)


def make_elf(
    *, search: bytes = b"", needed: bytes = b"", strings: int | None = None, flags: int = 6, tag: int = 29
) -> bytes:
    """A shared library of x86-64 that has nothing but a dynamic section.

    strings replaces its string table's size, tag says where it searches: DT_RUNPATH, or DT_RPATH.
    """
    table = b"\0" + needed + b"\0" + search + b"\0"
    tags = [(1, 1)] if needed else []
    tags += [(tag, 2 + len(needed))] if search else []
    start = 64 + 56 * 3
    tags += [(5, start), (10, len(table) if strings is None else strings), (0, 0)]
    dynamic = b"".join(struct.pack("<qQ", *pair) for pair in tags)
    total = start + len(table) + len(dynamic)
    header = struct.pack("<16sHHLQQQLHHHHHH", b"\x7fELF\2\1\1", 3, 62, 1, 0, 64, 0, 0, 64, 56, 3, 64, 0, 0)
    load = struct.pack("<LLQQQQQQ", 1, 5, 0, 0, 0, total, total, 4096)
    place = start + len(table)
    section = struct.pack("<LLQQQQQQ", 2, 6, place, place, place, len(dynamic), len(dynamic), 8)
    stack = struct.pack("<LLQQQQQQ", 0x6474E551, flags, 0, 0, 0, 0, 0, 16)
    return header + load + section + stack + table + dynamic


def _with(*more: Entry) -> bytes:
    return wheel_bytes([*wheel_entries(), *more])


def _named(name: bytes, **changes: int | bytes) -> Callable[[], bytes]:
    return lambda: _with(Entry(name, b"x", **changes))  # type: ignore[arg-type]


def _changed(**changes: object) -> Callable[[], bytes]:
    def make() -> bytes:
        first, *rest = wheel_entries({"kern/data": b"abcdefgh" * 9})
        return wheel_bytes([replace(first, name=b"kern/__init__.py"), replace(rest[0], **changes), *rest[1:]])  # type: ignore[arg-type]

    return make


def _bomb() -> bytes:
    content = bytes(300 << 20)
    return _with(Entry(b"kern/zeros", content))


def _overlapping() -> bytes:
    """Many members that share one stream, as in a bomb that fits into some kilobytes."""
    stream = Entry(b"kern/zeros", bytes(1 << 20))
    base = len(wheel_entries())
    return _with(stream, *(replace(stream, name=b"kern/z%d" % number, share=base) for number in range(200)))


def _lying_stream() -> bytes:
    """Headers that say ten bytes, of a stream that unpacks to a hundred million."""
    return _with(Entry(b"kern/zeros", b"0123456789", data=_deflate(bytes(100 << 20))))


def _zip64_lie() -> bytes:
    extra = struct.pack("<HHQQ", 1, 16, 1 << 60, 5)
    return _with(Entry(b"kern/big", b"x", extra=extra, central={"size": 0xFFFFFFFF, "packed": 0xFFFFFFFF}))


def _many_members() -> bytes:
    return wheel_bytes([*wheel_entries(), *(Entry(b"kern/%d" % number) for number in range(100_000))])


def _endless_directory() -> bytes:
    return wheel_bytes(wheel_entries(), count=60_000)


def _deep_collisions() -> bytes:
    return _with(Entry("kern/caf\u00e9.py".encode(), flags=0x800), Entry("kern/cafe\u0301.py".encode(), flags=0x800))


def _other_digest() -> bytes:
    entries = wheel_entries({"kern/a.py": b"good"})
    return wheel_bytes([replace(e, content=b"evil") if e.name == b"kern/a.py" else e for e in entries])


def _huge_record_line() -> bytes:
    return wheel_bytes(wheel_entries(RECORD='"' + "a" * 300_000 + '",,\n'))


def _elf(**changes: object) -> Callable[[], bytes]:
    return lambda: wheel_bytes(wheel_entries({"kern/k.so": make_elf(**changes)}))  # type: ignore[arg-type]


def _elf_bytes(content: bytes) -> Callable[[], bytes]:
    return lambda: wheel_bytes(wheel_entries({"kern/k.so": content}))


HOSTILE: Mapping[str, tuple[str, Callable[[], bytes]]] = {
    "a bomb": ("zip-size", _bomb),
    "a bomb by overlapping members": ("zip-size", _overlapping),
    "members that share a stream": (
        "zip-headers",
        lambda: _with(Entry(b"kern/a", b"x"), Entry(b"kern/b", b"x", share=len(wheel_entries()))),
    ),
    "a stream that is longer than it says": ("zip-headers", _lying_stream),
    "a stream that is shorter than it says": ("zip-headers", _changed(data=_deflate(b"short"))),
    "a wrong CRC": ("zip", _changed(local={"crc": 1}, central={"crc": 1})),
    "a size of 2**60 in zip64": ("zip-size", _zip64_lie),
    "a damaged zip64 field": ("zip-headers", _changed(extra=struct.pack("<HHQHHQ", 1, 8, 1, 1, 8, 1))),
    "an extra field without an end": ("zip-headers", _changed(extra=struct.pack("<HH", 9, 4000))),
    "two sizes": ("zip-headers", _changed(local={"size": 1})),
    "two names": ("zip-headers", _changed(local={"name": b"kern/evil"})),
    "a name in an extra field": ("zip-headers", _changed(extra=struct.pack("<HHBL", 0x7075, 9, 1, 0) + b"evil")),
    "a name that is not UTF-8": ("zip-headers", _named(b"kern/\xff\xfe", flags=0x800)),
    "an encrypted member": ("zip", _changed(flags=1)),
    "an unknown compression": ("zip-compression", _named(b"kern/a", method=95)),
    "a version of the format that nobody knows": ("zip-compression", _changed(central={"needs": 201})),
    "bzip2": ("zip-compression", _named(b"kern/a", method=12)),
    "too many members": ("zip-size", _many_members),
    "a directory that is shorter than it says": ("zip-headers", _endless_directory),
    "a directory somewhere else": ("zip-headers", lambda: wheel_bytes(wheel_entries(), offset=7)),
    "bytes before": ("zip-headers", lambda: b"#!/bin/sh\n" + wheel_bytes(wheel_entries())),
    "bytes before that places know of": ("zip-data", lambda: wheel_bytes(wheel_entries(), before=b"#!/bin/sh\n")),
    "bytes after": ("zip-headers", lambda: wheel_bytes(wheel_entries(), after=b"more")),
    "an archive after the archive": ("zip-headers", lambda: wheel_bytes(wheel_entries()) * 2),
    "an archive in the comment": (
        "zip-headers",
        lambda: wheel_bytes(wheel_entries(), comment=wheel_bytes(wheel_entries({"kern/evil.py": b"x"}))),
    ),
    "a comment": ("zip-comment", lambda: wheel_bytes(wheel_entries(), comment=b"hello")),
    "a member twice": ("zip-duplicate", _named(b"kern/__init__.py")),
    "a file that is a directory": ("zip-duplicate", _named(b"kern/__init__.py/evil")),
    "names that differ by case": ("zip-collision", _named(b"Kern/__init__.py")),
    "names that differ by normalisation": ("zip-collision", _deep_collisions),
    "an absolute name": ("zip-path", _named(b"/etc/cron.d/evil")),
    "a name that climbs": ("zip-path", _named(b"kern/../../evil")),
    "a name with a backslash": ("zip-path", _named(b"..\\evil")),
    "a name with a drive": ("zip-path", _named(b"C:/evil")),
    "a name with a NUL": ("zip-path", _named(b"kern/a\0.py")),
    "a name with an escape sequence": ("zip-path", _named(b"kern/\x1b[2J")),
    "a name without parts": ("zip-path", _named(b"kern//a")),
    "a name that is too long": ("zip-size", _named(b"k" * 5000)),
    "a link": ("zip-special", _named(b"kern/link", mode=_LINK)),
    "a pipe": ("zip-special", _named(b"kern/pipe", mode=_PIPE)),
    "a directory with a content": ("zip-special", _named(b"kern/d/", mode=0o040755)),
    "a set-user-id program": ("zip-mode", _named(b"kern/tool", mode=0o104755)),
    "half an archive": ("zip", lambda: wheel_bytes(wheel_entries())[:-40]),
    "nothing": ("zip", lambda: b""),
    "two .dist-info": ("dist-info", _named(b"other-1.dist-info/METADATA")),
    "no .dist-info": ("dist-info", lambda: wheel_bytes([Entry(b"kern/__init__.py")])),
    "a member that is not in RECORD": ("record", _named(b"kern/evil.py")),
    "a member with another digest": ("record", _other_digest),
    "a RECORD that names what is not there": (
        "record",
        lambda: wheel_bytes(wheel_entries(RECORD=f"../../etc/passwd,sha256=x,1\n{_INFO}/RECORD,,\n")),
    ),
    "a RECORD with a line without an end": ("record", _huge_record_line),
    "an empty RECORD": ("record", lambda: wheel_bytes(wheel_entries(RECORD=""))),
    "a RECORD with md5": ("record", lambda: wheel_bytes(wheel_entries(RECORD="kern/__init__.py,md5=x,0\n"))),
    "an ELF file that is cut off": ("elf", _elf_bytes(b"\x7fELF\2\1\1")),
    "an ELF file whose program headers lead out": ("elf", _elf_bytes(make_elf()[:32] + b"\xff" * 8 + make_elf()[40:])),
    "an ELF file whose names lead out": ("elf", _elf(needed=b"libx.so", strings=1)),
    "an ELF file whose names have no end": ("elf", _elf_bytes(make_elf(needed=b"l" * 70_000))),
    "an ELF file that searches the working directory": ("rpath", _elf(search=b"$ORIGIN::lib")),
    "an ELF file that searches /tmp": ("rpath", _elf(search=b"/tmp/lib")),
    "an ELF file that searches outside": ("rpath", _elf(search=b"$ORIGIN/../../../../tmp")),
    "an ELF file without a grafted library": ("library-missing", _elf(needed=b"libz-0123abcd.so.1")),
    "an ELF file with an executable stack": ("executable-stack", _elf(flags=7)),
}  # fmt: skip


def write_hostile(directory: Path, which: str) -> Path:
    """Write one of them under the name of a good wheel."""
    path = directory / NAME
    path.write_bytes(HOSTILE[which][1]())
    return path
