"""How two ELF files differ, section by section."""

from __future__ import annotations

import struct
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, zip_longest
from typing import IO

from wheelkiln.verify.difference.content import (
    MOST_DIFFERENCES,
    compare_bytes,
    compare_strings,
)
from wheelkiln.verify.difference.elf_image import DYNAMIC_TAGS, ElfImage
from wheelkiln.verify.difference.model import Cause, Difference, Weight, observed
from wheelkiln.verify.difference.signs import differing, printable

__all__ = ["NotElfError", "compare_elf"]

_NAMED = 5
_LAST = 99
_BUILD_ID = ".note.gnu.build-id"
_FOLLOWING = (
    ".gnu.hash",
    ".hash",
    ".gnu.version",
    ".eh_frame",
    ".rel",
    ".got",
    ".plt",
    ".gnu_debuglink",
    ".shstrtab",
    ".dynamic",
)
"""Sections that are made from the others."""
_SYMBOLS = (".symtab", ".strtab", ".dynsym", ".dynstr")
_NOTE_HEADER = 16
"""Three sizes, and the name GNU (gABI: note section)."""


class NotElfError(Exception):
    """A file is no ELF file, or a damaged one."""


@dataclass(frozen=True, slots=True)
class _Function:
    name: str
    place: int
    size: int


def compare_elf(one: IO[bytes], other: IO[bytes]) -> tuple[Difference, ...]:
    """Tell how two ELF files differ. Raise NotElfError where one of them cannot be read as such."""
    from elftools.common.exceptions import ELFError

    try:
        return tuple(_compare(ElfImage(one), ElfImage(other)))
    except (
        ELFError,
        ArithmeticError,
        AssertionError,
        AttributeError,
        LookupError,
        MemoryError,
        OSError,
        TypeError,
        ValueError,
        struct.error,
        zlib.error,
    ) as error:  # the library meets hostile files with whatever goes wrong first
        raise NotElfError(f"{type(error).__name__}: {error}") from error


def _compare(one: ElfImage, other: ElfImage) -> Iterator[Difference]:
    if one.elf.header.e_machine != other.elf.header.e_machine:
        yield Difference("machine", str(one.elf.header.e_machine), str(other.elf.header.e_machine), Cause.IMAGE)
        return
    yield from _compare_lists(one, other)
    common = [name for name in one.sections if name in other.sections]
    changed = [name for name in common if not _is_same(one, other, name)]
    for name in sorted(changed, key=_interest):
        if name == _BUILD_ID:
            ids = (one.content(name)[_NOTE_HEADER:].hex(), other.content(name)[_NOTE_HEADER:].hex())
            yield observed("build id", ids, cause=Cause.BUILD_ID_ONLY, weight=Weight.CONSEQUENCE)
        elif not name.startswith((*_FOLLOWING, *_SYMBOLS)):
            yield from islice(_compare_section(one, other, name), MOST_DIFFERENCES)
    if any(name.startswith((*_SYMBOLS, ".dynamic")) for name in changed):
        yield from _compare_dynamic(one, other)
        yield from _compare_symbols(one, other)
    following = ", ".join(printable(name) for name in changed if name.startswith(_FOLLOWING))
    if following:
        yield Difference(f"what follows: {following}", "", "", None, Weight.CONSEQUENCE)


def _compare_lists(one: ElfImage, other: ElfImage) -> Iterator[Difference]:
    names = list(one.sections), list(other.sections)
    if names[0] != names[1] and sorted(names[0]) == sorted(names[1]):
        yield observed("order of the sections", map(_listed, names), cause=Cause.PARALLEL_ORDER, weight=Weight.DIRECT)
    only_one = [name for name in names[0] if name not in other.sections]
    only_other = [name for name in names[1] if name not in one.sections]
    if only_one or only_other:
        debug = any(name.startswith((".debug_", ".symtab")) for name in (*only_one, *only_other))
        yield Difference(
            "sections of one only", _listed(only_one), _listed(only_other), Cause.FLAGS if debug else None, Weight.HINT
        )


def _interest(name: str) -> int:
    """Put first what shows causes: what the compiler says of itself, then data, then code."""
    if name == _BUILD_ID:
        return _LAST
    order = (".comment", ".GCC.command.line", ".note", ".debug_line_str", ".debug_str", ".rodata", ".data")
    return next((index for index, start in enumerate(order) if name.startswith(start)), len(order))


def _is_same(one: ElfImage, other: ElfImage, name: str) -> bool:
    if one.sections[name]["sh_size"] != other.sections[name]["sh_size"]:
        return False
    return all(first == second for first, second in zip_longest(one.chunks(name), other.chunks(name)))


def _compare_section(one: ElfImage, other: ElfImage, name: str) -> Iterator[Difference]:
    shown, contents = printable(name), (one.content(name), other.content(name))
    if name == ".comment":
        for entry in compare_strings(shown, *contents):
            yield Difference(entry.place, entry.one, entry.other, Cause.COMPILER, Weight.DIRECT)
    elif name == ".note.gnu.property":
        yield Difference(shown, contents[0].hex(), contents[1].hex(), Cause.FLAGS, Weight.DIRECT)
    elif name.startswith(".debug_"):
        strings = [entry for entry in compare_strings(shown, *contents) if entry.cause]
        yield from strings
        if not strings:
            sizes = (f"{len(content)} bytes" for content in contents)
            yield observed(shown, sizes, cause=None, weight=Weight.CONSEQUENCE)
    elif one.is_code(name):
        yield from _compare_code(one, other, name, contents)
    else:
        yield from compare_bytes(shown, *contents)


def _compare_code(one: ElfImage, other: ElfImage, name: str, contents: tuple[bytes, bytes]) -> Iterator[Difference]:
    """Name the functions that differ; where they lie in another order, that is what differs."""
    first, second = (_functions(image, name) for image in (one, other))
    names = [entry.name for entry in first], [entry.name for entry in second]
    if names[0] != names[1] and Counter(names[0]) == Counter(names[1]):
        place = f"{name}: the same functions in another order"
        at = _first_of(*names)
        parts = (_listed(listed[at:]) for listed in names)
        yield observed(place, parts, cause=Cause.PARALLEL_ORDER, weight=Weight.DIRECT)
        return
    there = {entry.name: entry for entry in second}
    changed = [
        (entry, there[entry.name])
        for entry in first
        if entry.name in there and _body(contents[0], entry) != _body(contents[1], there[entry.name])
    ]
    resized = [pair for pair in changed if pair[0].size != pair[1].size]
    for before, after in (resized or changed)[:_NAMED]:
        sizes = (f"{before.size} bytes", f"{after.size} bytes")
        more = f", one of {len(changed)}" if len(changed) > 1 else ""
        # The same functions became other code: by another compiler, which .comment would show, or by other flags.
        yield observed(f"{printable(name)}: {printable(before.name)}{more}", sizes, Cause.FLAGS if resized else None)
    yield from compare_bytes(printable(name), *contents, code=True)


def _functions(image: ElfImage, name: str) -> list[_Function]:
    section = image.sections[name]
    start, end = section["sh_addr"], section["sh_addr"] + section["sh_size"]
    found = [
        _Function(str(symbol.name), symbol["st_value"] - start, symbol["st_size"])
        for symbol in image.symbols()
        if symbol["st_info"]["type"] == "STT_FUNC" and symbol["st_size"] and start <= symbol["st_value"] < end
    ]
    return sorted(found, key=lambda entry: (entry.place, entry.name))


def _body(content: bytes, function: _Function) -> bytes:
    return content[function.place : function.place + function.size]


def _compare_dynamic(one: ElfImage, other: ElfImage) -> Iterator[Difference]:
    first, second = one.dynamic(), other.dynamic()
    for tag in DYNAMIC_TAGS:
        if first[tag] != second[tag]:
            texts = (", ".join(values) for values in (first[tag], second[tag]))
            ordered = Counter(first[tag]) == Counter(second[tag])
            yield differing(tag.removeprefix("DT_"), *texts, guess=Cause.PARALLEL_ORDER if ordered else None)


def _compare_symbols(one: ElfImage, other: ElfImage) -> Iterator[Difference]:
    first, second = ([str(symbol.name) for symbol in image.symbols()] for image in (one, other))
    if first == second:
        return
    if Counter(first) == Counter(second):
        at = _first_of(first, second)
        yield Difference(
            "the same symbols in another order", _listed(first[at:]), _listed(second[at:]), Cause.PARALLEL_ORDER
        )
        return
    left, right = Counter(first) - Counter(second), Counter(second) - Counter(first)
    yield differing("symbols of one only", _listed(list(left)), _listed(list(right)))


def _first_of(one: Sequence[str], other: Sequence[str]) -> int:
    return next((index for index, pair in enumerate(zip(one, other, strict=False)) if pair[0] != pair[1]), 0)


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(printable(name)[:80] for name in names[:_NAMED]) + more
