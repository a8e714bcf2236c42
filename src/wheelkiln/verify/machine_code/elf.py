"""Reading of 64-bit ELF files: sections, symbols and property notes, all bounds checked.

pyelftools needs 20 us for a symbol and reads names without a limit. A large library has half a million symbols, and a
hostile file has what it likes: this reader unpacks whole tables, and believes no number before it has checked it
(System V ABI, chapters 4 and 5).
"""

from __future__ import annotations

import re
import struct
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["Buffer", "Elf", "ElfError", "ForeignElfError", "Section", "Symbol", "read_elf"]

Buffer = memoryview

_MAX_SECTIONS = 1 << 16
_MAX_SYMBOLS = 1 << 23
_MAX_NAME = 1024
_MAX_TABLES = 64
_MAX_NOTE = 1 << 20
_IDENT = re.compile(rb"\x7fELF[\x01\x02][\x01\x02]\x01")
_HEADER = struct.Struct("<16xHHIQQQIHHHHHH")
_SECTION = struct.Struct("<IIQQQQIIQQ")
_SEGMENT = struct.Struct("<IIQQQQQQ")
_PT_LOAD, _PF_X = 1, 1
_SYMBOL = struct.Struct("<IBBHQQ")
_RELA = struct.Struct("<QQq")
_RELATIVE = (8, 1027)
"""R_X86_64_RELATIVE and R_AARCH64_RELATIVE."""
_MACHINES = {62: "x86_64", 183: "aarch64"}
_SHF_ALLOC, _SHF_EXECINSTR = 2, 4
_SHT_SYMTAB, _SHT_RELA, _SHT_NOTE, _SHT_NOBITS, _SHT_DYNSYM = 2, 4, 7, 8, 11
_STB_LOCAL = 0
_STT_NOTYPE = 0
_KINDS = (_STT_NOTYPE, 2, 10)
"""Of symbols: without a type, functions, functions that choose a function (STT_FUNC, STT_GNU_IFUNC)."""
_NT_GNU_PROPERTY_TYPE_0 = 5
_X86_ISA_1_NEEDED = 0xC0008002
_WORD = 4


class ElfError(Exception):
    """The file is not what its header says, or not of a kind that is read here."""


class ForeignElfError(ElfError):
    """The file is for a machine that is not decoded here."""


@dataclass(frozen=True, slots=True)
class Section:
    """A section with contents, which lies in the file."""

    name: str
    kind: int
    address: int
    offset: int
    size: int
    link: int
    is_code: bool

    @property
    def end(self) -> int:
        """Return the first address behind it."""
        return self.address + self.size


@dataclass(frozen=True, slots=True)
class Symbol:
    """A symbol of a section with code; size is 0 where it is not told. place is where its name is in the file."""

    place: int
    address: int
    size: int
    is_function: bool
    is_exported: bool


@dataclass(frozen=True, slots=True)
class Elf:
    """An ELF file of an architecture that can be decoded."""

    data: Buffer
    arch: str
    entry: int
    relocatable: bool
    sections: tuple[Section, ...]

    @property
    def code(self) -> tuple[Section, ...]:
        """Return the sections with machine code, by address."""
        return tuple(sorted((one for one in self.sections if one.is_code), key=lambda one: one.address))

    def bytes_of(self, section: Section) -> Buffer:
        """Return the contents of a section."""
        return self.data[section.offset : section.offset + section.size]

    def find(self, name: str) -> Section | None:
        """Return the first section of a name."""
        return next((one for one in self.sections if one.name == name), None)

    def symbols(self) -> Iterator[Symbol]:
        """Yield the symbols of code, of .symtab and .dynsym: functions, and marks such as $d without a type."""
        code = self.code
        starts = [section.address for section in code]
        left = _MAX_SYMBOLS
        for table in self.sections:
            if table.kind not in (_SHT_SYMTAB, _SHT_DYNSYM) or table.link >= len(self.sections):
                continue
            raw = self.bytes_of(table)
            raw = raw[: min(len(raw) // _SYMBOL.size, left) * _SYMBOL.size]
            left -= len(raw) // _SYMBOL.size
            for symbol in self._symbols(table, raw, self.sections[table.link]):
                at = bisect_right(starts, symbol.address) - 1
                if at >= 0 and symbol.address < code[at].end:
                    yield symbol

    def _symbols(self, table: Section, raw: Buffer, names: Section) -> Iterator[Symbol]:
        for name, info, _other, index, value, size in _SYMBOL.iter_unpack(raw):
            kind = info & 15
            if not index or kind not in _KINDS or name >= names.size:
                continue
            place = names.offset + name
            if kind == _STT_NOTYPE and self.data[place] != ord("$"):
                continue
            shift = self.sections[index].address if self.relocatable and index < len(self.sections) else 0
            is_exported = table.kind == _SHT_DYNSYM and info >> 4 != _STB_LOCAL
            yield Symbol(place, value + shift, size, kind != _STT_NOTYPE, is_exported)

    def text_at(self, place: int) -> str:
        """Return the name that stands at a place in the file."""
        return _text(self.data, place)

    def pointers(self) -> Iterator[int]:
        """Yield the addresses that the loader writes into data: tables of functions, and what runs on loading."""
        tables = [one for one in self.sections if one.kind == _SHT_RELA and not self.relocatable]
        for section in tables[:_MAX_TABLES]:
            raw = self.bytes_of(section)
            for _place, info, addend in _RELA.iter_unpack(raw[: len(raw) // _RELA.size * _RELA.size]):
                if info & 0xFFFFFFFF in _RELATIVE:
                    yield addend

    def needed_level(self) -> int:
        """Return the x86-64 level that the GNU property note says is needed, from 1 on, and 0 without one."""
        found = 0
        notes = [one for one in self.sections if one.kind == _SHT_NOTE and one.size < _MAX_NOTE]
        for section in notes[:_MAX_TABLES]:
            found |= _needed(bytes(self.bytes_of(section)))
        return found.bit_length()


def read_elf(data: Buffer) -> Elf:
    """Read the header and the section table; raise ElfError for what cannot be decoded."""
    if not _IDENT.match(bytes(data[:7])):
        raise ForeignElfError("it only begins like an ELF file")
    if len(data) < _HEADER.size:
        raise ElfError("it is cut off in its header")
    if bytes(data[4:6]) != b"\2\1":
        raise ForeignElfError("it is for another kind of machine: 32 bits, or the other byte order")
    kind, machine, _version, entry, phoff, shoff, _flags, _ehsize, phsize, phnum, shsize, shnum, names = (
        _HEADER.unpack_from(data)
    )
    arch = _MACHINES.get(machine)
    if arch is None:
        raise ForeignElfError(f"it is for another kind of machine (ELF's number {machine})")
    if shoff:
        rows = _section_rows(data, shoff, shsize, shnum)
        table = rows[names] if names < len(rows) else None
        texts = data[table[4] : table[4] + table[5]] if table else data[:0]
        sections = _sections(data, rows, texts, relocatable=kind == 1)
    else:
        sections = tuple(_code_segments(data, phoff, phsize, phnum))
    if sum(section.size for section in sections if section.is_code) > len(data):
        raise ElfError("its sections overlap")
    return Elf(data, arch, entry, kind == 1, sections)


_Row = tuple[int, ...]


def _section_rows(data: Buffer, offset: int, size: int, count: int) -> list[_Row]:
    if size != _SECTION.size or offset + size > len(data):
        raise ElfError("its section table is cut off")
    if count == 0:  # more than fit into the header (System V ABI, section header 0)
        count = _SECTION.unpack_from(data, offset)[5]
    if count > _MAX_SECTIONS:
        raise ElfError(f"it says that it has {count} sections")
    if offset + count * size > len(data):
        raise ElfError("its section table is cut off")
    return list(_SECTION.iter_unpack(data[offset : offset + count * size]))


def _sections(data: Buffer, rows: list[_Row], texts: Buffer, *, relocatable: bool) -> tuple[Section, ...]:
    """Return all sections; those without contents are empty. Sections of object files get addresses of their own."""
    found, free = [], 0
    for name, kind, flags, told, offset, size, link, _info, _align, _entry in rows:
        address = told
        inside = kind not in (0, _SHT_NOBITS) and offset + size <= len(data)
        is_code = inside and bool(flags & _SHF_EXECINSTR and flags & _SHF_ALLOC and size)
        if kind not in (0, _SHT_NOBITS) and not inside:
            raise ElfError("a section lies outside of the file: it is cut off")
        if relocatable and is_code:
            address, free = free, free + (size + 4095 & ~4095)
        found.append(Section(_text(texts, name, 256), kind, address, offset, size if inside else 0, link, is_code))
    return tuple(found)


def _code_segments(data: Buffer, offset: int, size: int, count: int) -> Iterator[Section]:
    """Yield the segments with code of a file without sections; nothing says where its functions are."""
    if count and (size != _SEGMENT.size or offset + count * size > len(data)):
        raise ElfError("its segment table is cut off")
    for kind, flags, place, address, _paddr, length, _memory, _align in _SEGMENT.iter_unpack(
        data[offset : offset + count * size]
    ):
        if kind == _PT_LOAD and flags & _PF_X and place + length <= len(data):
            yield Section("", 0, address, place, length, 0, is_code=length > 0)


def _text(names: Buffer, offset: int, limit: int = _MAX_NAME) -> str:
    return bytes(names[offset : offset + limit]).partition(b"\0")[0].decode("utf-8", errors="replace")


def _needed(note: bytes) -> int:
    """Return the bits of GNU_PROPERTY_X86_ISA_1_NEEDED (x86-64 psABI, program property)."""
    found, at = 0, 0
    while at + 12 <= len(note):
        name_size, size, kind = struct.unpack_from("<III", note, at)
        start = at + 12 + (name_size + 3 & ~3)
        if kind == _NT_GNU_PROPERTY_TYPE_0 and note[at + 12 : at + 16] == b"GNU\0":
            found |= _property(note[start : start + size])
        at = start + (size + 7 & ~7 if kind == _NT_GNU_PROPERTY_TYPE_0 else size + 3 & ~3)
    return found


def _property(text: bytes) -> int:
    at, found = 0, 0
    while at + 8 <= len(text):
        kind, size = struct.unpack_from("<II", text, at)
        if kind == _X86_ISA_1_NEEDED and size == _WORD and at + 12 <= len(text):
            found |= struct.unpack_from("<I", text, at + 8)[0]
        at += 8 + (size + 7 & ~7)
    return found
