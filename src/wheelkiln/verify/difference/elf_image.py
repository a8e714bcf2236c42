"""One ELF file, read as far as a comparison asks for it, with limits."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from elftools.elf.elffile import ELFFile

__all__ = ["DYNAMIC_TAGS", "ElfImage"]

_MOST_SECTIONS = 4096
_MOST_SYMBOLS = 400_000
_MOST_BYTES = 64 << 20
"""Of one section; what lies behind is compared, but not looked into."""
_CHUNK = 1 << 20
_COMPRESSED = 0x800
_EXECUTABLE = 0x4
_ZLIB = b"\x01"
"""The first byte of a compressed section's header, where the standard library can read what follows."""
DYNAMIC_TAGS = {"DT_NEEDED": "needed", "DT_SONAME": "soname", "DT_RPATH": "rpath", "DT_RUNPATH": "runpath"}
"""Tags of the dynamic section that are texts, and what the library calls their values."""


class ElfImage:
    """One ELF file, read as far as it is asked for."""

    def __init__(self, file: IO[bytes]) -> None:
        from elftools.elf.elffile import ELFFile

        self._file = file
        self.elf: ELFFile = ELFFile(file)
        self.sections: Mapping[str, Any] = _name_sections(self.elf)

    def content(self, name: str) -> bytes:
        """Return the beginning of a section, as much as is looked into."""
        section = self.sections[name]
        raw = b"".join(islice(self.chunks(name), _MOST_BYTES // _CHUNK))
        if not section["sh_flags"] & _COMPRESSED:
            return raw
        if raw[:1] != _ZLIB:
            return raw
        header = 24 if self.elf.elfclass == 64 else 12  # noqa: PLR2004 - Elf64_Chdr, Elf32_Chdr (gABI)
        return zlib.decompressobj().decompress(raw[header:], _MOST_BYTES)

    def chunks(self, name: str) -> Iterator[bytes]:
        """Yield all of a section's bytes in the file; one without bytes there (.bss) gives its size."""
        section = self.sections[name]
        left = section["sh_size"]
        if section["sh_type"] == "SHT_NOBITS":
            yield str(left).encode()
            return
        self._file.seek(section["sh_offset"])
        while left > 0 and (chunk := self._file.read(min(_CHUNK, left))):
            left -= len(chunk)
            yield chunk

    def is_code(self, name: str) -> bool:
        return bool(self.sections[name]["sh_flags"] & _EXECUTABLE)

    def symbols(self) -> list[Any]:
        """Return the symbols of the larger table that is there."""
        table: Any = self.sections.get(".symtab") or self.sections.get(".dynsym")
        return list(islice(table.iter_symbols(), _MOST_SYMBOLS)) if hasattr(table, "iter_symbols") else []

    def dynamic(self) -> Mapping[str, tuple[str, ...]]:
        """Return the texts of the dynamic section, by their tags."""
        section: Any = self.sections.get(".dynamic")
        found: dict[str, list[str]] = {tag: [] for tag in DYNAMIC_TAGS}
        if hasattr(section, "iter_tags"):
            for entry in islice(section.iter_tags(), _MOST_SECTIONS):
                if entry.entry.d_tag in found:
                    found[entry.entry.d_tag].append(str(getattr(entry, DYNAMIC_TAGS[entry.entry.d_tag])))
        return {tag: tuple(values) for tag, values in found.items()}


def _name_sections(elf: ELFFile) -> dict[str, Any]:
    """Name each section; a second one of a name gets a number."""
    found: dict[str, Any] = {}
    for number, section in enumerate(islice(elf.iter_sections(), _MOST_SECTIONS)):
        name = str(section.name)
        if name:
            found[f"{name}#{number}" if name in found else name] = section
    return found
