"""What an ELF file says of itself (System V gABI, chapters 4 and 5), read with every place and length checked.

Only what the loader reads is read: program headers and the dynamic section. Section headers may say anything.
"""

from __future__ import annotations

import mmap
import re
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

__all__ = ["MAGIC", "BadElfError", "ElfFile", "read_elf"]

MAGIC = b"\x7fELF"
_IDENT_SIZE = 16
_MOST_SEGMENTS = 4096
_MOST_DYNAMIC = 1 << 16
_MOST_STRING = 1 << 16
_PT_LOAD, _PT_DYNAMIC, _PT_GNU_STACK = 1, 2, 0x6474E551
_PF_X = 1
_DT_NEEDED, _DT_STRTAB, _DT_STRSZ, _DT_SONAME, _DT_RPATH = 1, 5, 10, 14, 15
_DT_TEXTREL, _DT_RUNPATH, _DT_FLAGS = 22, 29, 30
_DF_TEXTREL = 4
_BUILD_ROOTS = (b"/home/", b"/root/", b"/tmp/", b"/project/", b"/Users/", b"/builds/", b"/__w/", b"/io/")
_BUILD_FILE = re.compile(
    rb"(?<![\w./+@-])/[\w.+@/-]{1,240}?\.(?:c|cc|cpp|cxx|h|hh|hpp|pyx|pyi?|rs|f|f90|o|a|so|s|S|cu|go)(?![\w.+@/-])"
)
_MOST_ATTEMPTS = 100_000
_MOST_BUILD_PATHS = 200


class BadElfError(ValueError):
    """The file cannot be an ELF file that anything could load."""


@dataclass(frozen=True, slots=True)
class ElfFile:
    """A file of a wheel: machine is its e_machine, search the entries of RUNPATH, else of RPATH.

    hands_on tells that it is RPATH, which counts for the libraries that a library needs, too.

    build_paths are names of files of the machine that it was built on, as they stand in it.
    """

    name: str
    machine: int
    soname: str
    needed: tuple[str, ...]
    search: tuple[str, ...]
    hands_on: bool
    executable_stack: bool
    text_relocations: bool
    build_paths: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Segment:
    kind: int
    flags: int
    offset: int
    address: int
    size: int


def read_elf(name: str, handle: int) -> ElfFile:
    """Read an open file; raise BadElfError where it is none."""
    try:
        with mmap.mmap(handle, 0, access=mmap.ACCESS_READ) as data:
            return _read(name, data)
    except (struct.error, OverflowError) as error:
        raise BadElfError("it is cut off, or a place in it lies outside of it") from error


def _read(name: str, data: mmap.mmap) -> ElfFile:
    if len(data) < _IDENT_SIZE or data[4] not in {1, 2} or data[5] not in {1, 2}:
        raise BadElfError("its header is damaged")
    order, wide = "<>"[data[5] - 1], data[4] == 2  # noqa: PLR2004 - ELFCLASS64
    machine, segments = _read_segments(data, order, wide=wide)
    entries = list(_read_dynamic(data, segments, order + ("qQ" if wide else "lL")))
    strings = _Strings(data, segments, entries)
    run_path, search_path = list(strings.all_of(_DT_RUNPATH)), list(strings.all_of(_DT_RPATH))
    return ElfFile(
        name=name,
        machine=machine,
        soname=next(strings.all_of(_DT_SONAME), ""),
        needed=tuple(strings.all_of(_DT_NEEDED)),
        search=_search_path(run_path or search_path),
        hands_on=not run_path,
        executable_stack=any(segment.kind == _PT_GNU_STACK and segment.flags & _PF_X for segment in segments),
        text_relocations=any(
            tag == _DT_TEXTREL or (tag == _DT_FLAGS and value & _DF_TEXTREL) for tag, value in entries
        ),
        build_paths=tuple(_find_build_paths(data)),
    )


def _search_path(values: Sequence[str]) -> tuple[str, ...]:
    return tuple(values[0].split(":")) if values and values[0] else ()


def _read_segments(data: mmap.mmap, order: str, *, wide: bool) -> tuple[int, list[_Segment]]:
    header = struct.unpack_from(order + ("HHLQQQLHHH" if wide else "HHLLLLLHHH"), data, _IDENT_SIZE)
    machine, place, size, count = header[1], header[4], header[8], header[9]
    form = struct.Struct(order + ("LLQQQQQQ" if wide else "LLLLLLLL"))
    if count > _MOST_SEGMENTS or (count and size != form.size):
        raise BadElfError("its program headers are damaged")
    segments = []
    for number in range(count):
        fields = form.unpack_from(data, place + number * size)
        if wide:
            kind, flags, offset, address, _, length = fields[:6]
        else:
            kind, offset, address, _, length, _, flags = fields[:7]
        segments.append(_Segment(kind, flags, offset, address, length))
    return machine, segments


def _read_dynamic(data: mmap.mmap, segments: Sequence[_Segment], form: str) -> Iterator[tuple[int, int]]:
    found = next((segment for segment in segments if segment.kind == _PT_DYNAMIC), None)
    if found is None:
        return
    pair = struct.Struct(form)
    for number in range(min(found.size // pair.size, _MOST_DYNAMIC)):
        tag, value = pair.unpack_from(data, found.offset + number * pair.size)
        if tag == 0:
            return
        yield tag, value


class _Strings:
    """The strings that dynamic entries refer to."""

    def __init__(self, data: mmap.mmap, segments: Sequence[_Segment], entries: Sequence[tuple[int, int]]) -> None:
        values = dict(reversed(entries))
        self._data, self._entries = data, entries
        self._size = values.get(_DT_STRSZ, 0)
        self._start = _offset_of(values.get(_DT_STRTAB, 0), segments)

    def all_of(self, wanted: int) -> Iterator[str]:
        for tag, value in self._entries:
            if tag == wanted:
                yield self._at(value)

    def _at(self, place: int) -> str:
        if self._start is None or place >= self._size:
            raise BadElfError("a name in its dynamic section lies outside of its strings")
        begin = self._start + place
        end = self._data.find(b"\0", begin, min(self._start + self._size, begin + _MOST_STRING))
        if end < 0:
            raise BadElfError("a name in its dynamic section has no end")
        return self._data[begin:end].decode("utf-8", errors="replace")


def _offset_of(address: int, segments: Sequence[_Segment]) -> int | None:
    for segment in segments:
        if segment.kind == _PT_LOAD and segment.address <= address < segment.address + segment.size:
            return address - segment.address + segment.offset
    return None


def _find_build_paths(data: mmap.mmap) -> list[str]:
    """Return names of source and object files below directories that builds run in.

    Plain searches first: they are many times as fast as one pattern for all, and most files have nothing.
    """
    seen: dict[bytes, None] = {}
    for root in _BUILD_ROOTS:
        place = data.find(root)
        for _ in range(_MOST_ATTEMPTS):
            if place < 0 or len(seen) >= _MOST_BUILD_PATHS:
                break
            match = _BUILD_FILE.match(data, place)
            if match:
                seen[match[0]] = None
            place = data.find(root, place + len(root))
    return [path.decode("ascii", errors="replace") for path in seen]
