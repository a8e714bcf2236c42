"""ELF files made by hand: sections with any content, and functions with their symbols."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence

__all__ = ["make_elf"]

_PROGBITS, _SYMTAB, _STRTAB = 1, 2, 3
_ALLOC, _CODE = 0x2, 0x6


def make_elf(sections: Mapping[str, bytes], functions: Sequence[tuple[str, bytes]] = ()) -> bytes:
    """Return a 64-bit x86 library: the sections in their order, then .text with the functions, and their symbols."""
    text = b"".join(body for _, body in functions)
    names = b"\0" + b"".join(name.encode() + b"\0" for name, _ in functions)
    symbols, place, at = bytes(24), 1, 0
    number = len(sections) + 1
    for name, body in functions:
        symbols += struct.pack("<IBBHQQ", place, 0x12, 0, number, at, len(body))
        place, at = place + len(name) + 1, at + len(body)
    tables = {".symtab": (symbols, _SYMTAB), ".strtab": (names, _STRTAB)} if functions else {}
    entries = [(name, content, _PROGBITS, _ALLOC) for name, content in sections.items()]
    entries += [(".text", text, _PROGBITS, _CODE)] if functions else []
    entries += [(name, content, kind, 0) for name, (content, kind) in tables.items()]
    return _lay_out(entries)


def _lay_out(entries: Sequence[tuple[str, bytes, int, int]]) -> bytes:
    labels = b"\0" + b"".join(name.encode() + b"\0" for name, *_ in entries) + b".shstrtab\0"
    body, headers, label = b"", bytes(64), 1
    for number, (name, content, kind, flags) in enumerate([*entries, (".shstrtab", labels, _STRTAB, 0)], 1):
        link, size = (number + 1, 24) if kind == _SYMTAB else (0, 0)
        offset = 64 + len(body)
        headers += struct.pack("<IIQQQQIIQQ", label, kind, flags, 0, offset, len(content), link, 0, 1, size)
        body, label = body + content, label + len(name) + 1
    count = len(entries) + 2
    start = b"\x7fELF\x02\x01\x01" + bytes(9)
    start += struct.pack("<HHIQQQIHHHHHH", 3, 62, 1, 0, 0, 64 + len(body), 0, 64, 0, 0, 64, count, count - 1)
    return start + body + headers
