"""ELF files of a few functions, written byte by byte."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

__all__ = ["Part", "make_elf"]

TEXT = 0x1000
_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
_SECTION = struct.Struct("<IIQQQQIIQQ")


@dataclass(frozen=True)
class Part:
    """A function; size is what its symbol and its frame say, by default all of it."""

    name: str
    code: bytes
    size: int = -1


def make_elf(
    parts: Sequence[Part],
    *,
    machine: int = 62,
    symbols: bool = True,
    frames: bool = False,
    marks: Mapping[str, int] | None = None,
    note: bytes = b"",
) -> bytes:
    """Return a shared library whose .text has these functions, one behind the other."""
    text, places = b"", []
    for part in parts:
        places.append((part, TEXT + len(text)))
        text += part.code
    sections = [(b".text", 1, 6, TEXT, text, 0)]
    if symbols or marks:
        names, table = _symbols(places if symbols else [], marks or {})
        sections += [(b".strtab", 3, 0, 0, names, 0), (b".symtab", 2, 0, 0, table, 2)]
    if frames:
        sections.append((b".eh_frame", 1, 2, 0x100000, _frames(places, 0x100000), 0))
    if note:
        sections.append((b".note.gnu.property", 7, 2, 0x200000, note, 0))
    return _lay_out(machine, sections)


def _symbols(places: Sequence[tuple[Part, int]], marks: Mapping[str, int]) -> tuple[bytes, bytes]:
    names, table = b"\0", b"\0" * 24
    for part, address in places:
        size = part.size if part.size >= 0 else len(part.code)
        table += struct.pack("<IBBHQQ", len(names), 2, 0, 1, address, size)
        names += part.name.encode() + b"\0"
    for name, address in marks.items():
        table += struct.pack("<IBBHQQ", len(names), 0, 0, 1, address, 0)
        names += name.encode() + b"\0"
    return names, table


def _frames(places: Sequence[tuple[Part, int]], address: int) -> bytes:
    common = struct.pack("<IB4sBBBBB", 0, 1, b"zR\0\x01", 0x78, 16, 1, 0x1B, 0)
    found = struct.pack("<I", len(common)) + common
    for part, start in places:
        size = part.size if part.size >= 0 else len(part.code)
        at = len(found)
        found += struct.pack("<IIiIB", 13, at + 4, start - (address + at + 8), size, 0)
    return found + b"\0" * 4


def _lay_out(machine: int, sections: Sequence[tuple[bytes, int, int, int, bytes, int]]) -> bytes:
    names = b"\0" + b"".join(name + b"\0" for name, *_ in sections) + b".shstrtab\0"
    body, rows = b"", [b"\0" * _SECTION.size]
    for name, kind, flags, address, content, link in [*sections, (b".shstrtab", 3, 0, 0, names, 0)]:
        offset = _HEADER.size + len(body)
        rows.append(_SECTION.pack(names.index(name + b"\0"), kind, flags, address, offset, len(content), link, 0, 1, 0))
        body += content
    ident = b"\x7fELF\x02\x01\x01" + b"\0" * 9
    table = _HEADER.size + len(body)
    count = len(rows)
    header = _HEADER.pack(ident, 3, machine, 1, 0, 0, table, 0, 64, 56, 0, _SECTION.size, count, count - 1)
    return header + body + b"".join(rows)
