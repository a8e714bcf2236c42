"""A file, or the members of a wheel, to what their machine code needs."""

from __future__ import annotations

import lzma
import mmap
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Protocol

from wheelkiln.verify.machine_code.decoded import Decoded, References
from wheelkiln.verify.machine_code.elf import Buffer, Elf, ElfError, ForeignElfError, Section, read_elf
from wheelkiln.verify.machine_code.functions import Function, Known, find_functions, gap_of, gaps, known_addresses
from wheelkiln.verify.machine_code.model import UNKNOWN, Caller, FileCode, FunctionCode

__all__ = ["UnreadableWheelError", "read_file", "read_wheel"]

_ROUNDS = 8
"""How often functions are looked for that only newly found ones call."""
_STEPS = 3
"""How many functions may stand between one that needs something and one whose name says that it is dispatched."""
_MAX_UNDECODABLE = 1000
_MAX_FILE = 8 << 30
_ELF, _ARCHIVE = b"\x7fELF", b"!<ar"
_UNREADABLE = (
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError, NotImplementedError, RuntimeError, ValueError),
)
"""What zipfile raises for damaged, truncated, encrypted and unknown members."""
_TEXTS = frozenset(
    {".py", ".pyi", ".h", ".hpp", ".txt", ".md", ".json", ".cuh", ".cmake", ".pyx", ".pxd", ".c", ".f90"}
)


class UnreadableWheelError(Exception):
    """The wheel is no zip archive, or a member cannot be unpacked."""


def read_wheel(path: Path) -> Iterator[FileCode]:
    """Yield the machine code of each member that has some, by its name in the wheel.

    A member is unpacked to a file, because it may be larger than the memory; nothing of it is executed.
    """
    try:
        with zipfile.ZipFile(path) as wheel, tempfile.TemporaryDirectory() as place:
            for member in sorted(wheel.infolist(), key=lambda one: one.filename):
                if not member.is_dir() and PurePosixPath(member.filename).suffix not in _TEXTS:
                    yield from _read_member(wheel, member, Path(place) / "member")
    except _UNREADABLE as error:
        raise UnreadableWheelError(str(error)) from error


def _read_member(wheel: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path) -> Iterator[FileCode]:
    with wheel.open(member) as file:
        magic = file.read(4)
        if magic not in (_ELF, _ARCHIVE):
            return
        if member.file_size > _MAX_FILE:
            yield FileCode(member.filename, problem=f"it has {member.file_size} bytes, which is too many")
            return
        with target.open("wb") as out:
            out.write(magic)
            shutil.copyfileobj(file, out, 1 << 20)
    yield read_file(target, member.filename)


def read_file(path: Path, name: str) -> FileCode:
    """Return the machine code of an ELF file; whatever is wrong with it is a problem, not an error."""
    with path.open("rb") as file:
        try:
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except ValueError:
            return FileCode(name, problem="it is empty")
    with mapped, memoryview(mapped) as data:
        if bytes(data[:4]) == _ARCHIVE:
            return FileCode(name, problem="it is a static library, which is not looked into", is_foreign=True)
        if bytes(data[:4]) != _ELF:
            return FileCode(name, problem="it is no ELF file")
        try:
            return _read(data, name)
        except ElfError as error:
            return FileCode(name, problem=str(error), is_foreign=isinstance(error, ForeignElfError))


def _read(data: Buffer, name: str) -> FileCode:
    elf = read_elf(data)
    reader = _Reader(elf, known_addresses(elf))
    for section in elf.code:
        if not section.name.startswith(".plt"):
            reader.read_section(section)
    functions, callers = reader.finished()
    return FileCode(
        name,
        elf.arch,
        functions,
        callers,
        reader.total,
        reader.code,
        reader.covered,
        tuple(sorted(reader.undecodable)[:_MAX_UNDECODABLE]),
        asks_cpu=reader.decoder.asks_cpu or _asks_system(elf),
        noted_level=elf.needed_level() if elf.arch == "x86_64" else 0,
    )


def _asks_system(elf: Elf) -> bool:
    """Tell whether it asks the C library what the CPU can do, as programs for aarch64 have to."""
    names = elf.find(".dynstr")
    raw = bytes(elf.bytes_of(names)) if names else b""
    return any(b"\0" + name + b"\0" in raw for name in (b"getauxval", b"__getauxval", b"__cpu_model", b"elf_aux_info"))


class _Decoder(Protocol):
    """Decodes functions, and notes what they refer to."""

    references: References
    asks_cpu: bool

    def decode(self, function: Function, code: bytes) -> Decoded: ...


class _Reader:
    """The functions of one file, decoded section by section."""

    def __init__(self, elf: Elf, known: Known) -> None:
        self.functions: list[FunctionCode] = []
        self.undecodable: list[int] = []
        self.total = self.code = self.covered = 0
        self._elf, self._known = elf, known
        self._starts = sorted(known.ends)
        self.decoder = _make_decoder(elf.arch, known)

    def read_section(self, section: Section) -> None:
        """Decode the functions that are known, then those that they call and nothing else tells of."""
        self.code += section.size
        taken: list[tuple[int, int]] = []
        self._decode(section, find_functions(section, self._starts, self._known), taken)
        for _ in range(_ROUNDS):
            free = list(gaps(section, taken))
            found = sorted(address for address in self.decoder.references.called if gap_of(free, address))
            self.decoder.references.called.clear()
            if not found:
                break
            entered = {gap_of(free, address) for address in found}
            new = (
                function
                for start, end in sorted(gap for gap in entered if gap)
                for function in find_functions(replace(section, address=start, size=end - start), found, self._known)
            )
            self._decode(section, new, taken)

    def finished(self) -> tuple[tuple[FunctionCode, ...], dict[int, Caller]]:
        """Return the functions by address, and what refers to them, through others that need nothing as well."""
        found: dict[int, set[int]] = {}
        waiting = {one.address for one in self.functions}
        pointers = {*self._known.exported, *(self._elf.pointers() if waiting else ())}
        for _ in range(_STEPS):
            found |= {at: {UNKNOWN} if at in pointers or self.decoder.references.is_full else set() for at in waiting}
            for source, target in self.decoder.references.to(waiting):
                found[target].add(source)
            waiting = {source for address in waiting for source in found[address] if source not in found} - {UNKNOWN}
        done = tuple(
            replace(one, referrers=tuple(sorted(found.pop(one.address))))
            for one in sorted(self.functions, key=lambda one: one.address)
        )
        callers = {at: Caller(self._name(at), tuple(sorted(referrers))) for at, referrers in found.items()}
        callers |= {at: Caller(self._name(at), (UNKNOWN,)) for at in waiting}
        return done, callers

    def _name(self, address: int) -> str:
        place = self._known.names.get(address)
        return "" if place is None else self._elf.text_at(place)

    def _decode(self, section: Section, functions: Iterator[Function], taken: list[tuple[int, int]]) -> None:
        contents = self._elf.bytes_of(section)
        for function in functions:
            code = bytes(contents[function.start - section.address : function.end - section.address])
            decoded = self.decoder.decode(function, code)
            taken.append((function.start, function.end))
            self.total += function.is_entered
            self.covered += len(code)
            if decoded.undecodable >= 0:
                self.undecodable.append(decoded.undecodable)
            if decoded.features:
                features = tuple(sorted(decoded.features.items()))
                self.functions.append(FunctionCode(self._name(function.named_by), function.start, len(code), features))


def _make_decoder(arch: str, known: Known) -> _Decoder:
    if arch == "x86_64":
        from wheelkiln.verify.machine_code.x86 import X86Decoder

        return X86Decoder(known.ends)
    from wheelkiln.verify.machine_code.arm import ArmDecoder

    return ArmDecoder(known.ends, known.data)
