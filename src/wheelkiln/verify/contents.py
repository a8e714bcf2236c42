"""One pass over all that a wheel holds: digests for RECORD, and what its ELF files say of themselves."""

from __future__ import annotations

import base64
import hashlib
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import IO

from wheelkiln.verify.archive import WheelArchive
from wheelkiln.verify.elf import MAGIC, BadElfError, ElfFile, read_elf
from wheelkiln.verify.zip_model import Member

__all__ = ["Contents", "Digest", "read_contents"]


@dataclass(frozen=True, slots=True)
class Digest:
    """A member's size in bytes, and its digest as RECORD writes it: ``sha256=`` and URL-safe base64 without padding."""

    size: int
    text: str


@dataclass(frozen=True, slots=True)
class Contents:
    """What was found: broken are ELF files that cannot be read, by name, with the reason."""

    digests: Mapping[str, Digest]
    elf_files: tuple[ElfFile, ...]
    broken: Mapping[str, str]


def read_contents(archive: WheelArchive, algorithms: Mapping[str, str]) -> Contents:
    """Read every member once; algorithms are those that RECORD has for members, where it is not SHA-256.

    Raise ZipFaultError for a member that cannot be unpacked. An ELF file lies in a temporary file while it is read.
    """
    digests: dict[str, Digest] = {}
    elf_files: list[ElfFile] = []
    broken: dict[str, str] = {}
    for member in archive.directory.members:
        if member.is_directory:
            continue
        algorithm = algorithms.get(member.name, "sha256")
        with ExitStack() as stack:
            hasher = hashlib.new(algorithm)
            spool = None
            for number, chunk in enumerate(_pieces(archive, member)):
                hasher.update(chunk)
                if number == 0 and chunk.startswith(MAGIC):
                    spool = stack.enter_context(tempfile.TemporaryFile())
                if spool:
                    spool.write(chunk)
            encoded = base64.urlsafe_b64encode(hasher.digest()).decode().rstrip("=")
            digests[member.name] = Digest(member.size, f"{algorithm}={encoded}")
            if spool:
                _keep_elf(member.name, spool, elf_files, broken)
    return Contents(digests, tuple(elf_files), broken)


def _pieces(archive: WheelArchive, member: Member) -> Iterator[bytes]:
    """Yield a content whose first piece has the whole magic number: a stream may begin with one of a byte."""
    head = b""
    for chunk in archive.chunks(member):
        head += chunk
        if len(head) >= len(MAGIC):
            yield head
            head = b""
    if head:
        yield head


def _keep_elf(name: str, spool: IO[bytes], elf_files: list[ElfFile], broken: dict[str, str]) -> None:
    spool.flush()
    try:
        elf_files.append(read_elf(name, spool.fileno()))
    except BadElfError as error:
        broken[name] = str(error)
