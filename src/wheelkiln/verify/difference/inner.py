"""How two archives inside of wheels differ: zip, tar and ar, by their members' times, modes and contents."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import lzma
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import IO, Any

from wheelkiln.verify.difference.model import Cause, Difference, Weight, observed

__all__ = ["ArchiveReadError", "compare_archives"]

_MOST_MEMBERS = 20_000
_MOST_BYTES = 256 << 20
_CHUNK = 1 << 20
_AR_MAGIC = b"!<arch>\n"
_AR_HEADER = 60


class ArchiveReadError(Exception):
    """A file is not the archive that it seems to be, or is too large to be looked into."""


@dataclass(frozen=True, slots=True)
class _Member:
    time: str
    mode: int
    owner: str
    digest: str


def compare_archives(one: IO[bytes], other: IO[bytes]) -> Iterator[Difference]:
    """Tell how two archives of one kind differ. Raise ArchiveReadError where they cannot be read."""
    first, second = _read(one), _read(other)
    if list(first) != list(second) and first.keys() == second.keys():
        yield observed("order of the members", _names(first, second), cause=Cause.PARALLEL_ORDER, weight=Weight.DIRECT)
    for name in list(dict.fromkeys((*first, *second)))[:_MOST_MEMBERS]:
        before, after = first.get(name), second.get(name)
        if before is None or after is None:
            yield Difference(name, "" if before is None else "there", "" if after is None else "there")
        elif before != after:
            yield from _compare_members(name, before, after)


def _compare_members(name: str, one: _Member, other: _Member) -> Iterator[Difference]:
    if one.time != other.time:
        yield Difference(f"{name}: time", one.time, other.time, Cause.TIMESTAMP, Weight.DIRECT)
    if one.mode != other.mode:
        yield Difference(f"{name}: mode", f"{one.mode:o}", f"{other.mode:o}", Cause.UMASK, Weight.DIRECT)
    if one.owner != other.owner:
        yield Difference(f"{name}: owner", one.owner, other.owner, Cause.ARCHIVE, Weight.DIRECT)
    if one.digest != other.digest:
        yield Difference(f"{name}: content", one.digest[:16], other.digest[:16])


def _names(one: Mapping[str, _Member], other: Mapping[str, _Member]) -> tuple[str, str]:
    return ", ".join(islice(one, 5)), ", ".join(islice(other, 5))


def _read(file: IO[bytes]) -> Mapping[str, _Member]:
    file.seek(0)
    start = file.read(8)
    file.seek(0)
    read: Callable[[IO[bytes]], Iterator[tuple[str, _Member]]] = (
        _read_ar if start == _AR_MAGIC else _read_zip if start.startswith(b"PK") else _read_tar
    )
    try:
        return dict(islice(read(file), _MOST_MEMBERS))
    except (
        zipfile.BadZipFile,
        tarfile.TarError,
        zlib.error,
        lzma.LZMAError,
        EOFError,
        OSError,
        ValueError,
        NotImplementedError,
        RuntimeError,  # zipfile: an encrypted member
    ) as error:
        raise ArchiveReadError(str(error)) from error


def _read_zip(file: IO[bytes]) -> Iterator[tuple[str, _Member]]:
    with zipfile.ZipFile(file) as archive:
        left = _MOST_BYTES
        for entry in archive.infolist():
            with archive.open(entry) as member:
                digest, left = _digest(member, left)
            yield entry.filename, _Member(_date(entry), entry.external_attr >> 16, str(entry.create_system), digest)


def _date(entry: zipfile.ZipInfo) -> str:
    return "{:04}-{:02}-{:02} {:02}:{:02}:{:02}".format(*entry.date_time)


def _read_tar(file: IO[bytes]) -> Iterator[tuple[str, _Member]]:
    left = _MOST_BYTES
    with tempfile.TemporaryFile() as plain, tarfile.open(fileobj=_unpack(file, plain), mode="r:") as archive:
        for entry in archive:
            content = archive.extractfile(entry) if entry.isreg() else io.BytesIO(entry.linkname.encode())
            assert content is not None
            digest, left = _digest(content, left)
            owner = f"{entry.uid}:{entry.gid} {entry.uname}:{entry.gname}"
            yield entry.name, _Member(str(entry.mtime), entry.mode, owner, digest)


def _unpack(file: IO[bytes], plain: IO[bytes]) -> IO[bytes]:
    """Write a tar file uncompressed, as far as one is looked into: tarfile keeps headers of any size in memory."""
    start = file.read(6)
    file.seek(0)
    openers: dict[bytes, Callable[[IO[bytes]], Any]] = {b"\x1f\x8b": gzip.open, b"BZ": bz2.open, b"\xfd7": lzma.open}
    opener = openers.get(start[:2])
    stream = opener(file) if opener else file
    left = _MOST_BYTES
    while chunk := stream.read(_CHUNK):
        left -= len(chunk)
        if left < 0:
            raise ArchiveReadError(f"it has more than {_MOST_BYTES >> 20} MiB")
        plain.write(chunk)
    plain.seek(0)
    return plain


def _read_ar(file: IO[bytes]) -> Iterator[tuple[str, _Member]]:
    """Read a static library (ar(5)); its index, which is made from the others, counts as a member."""
    file.read(len(_AR_MAGIC))
    seen: dict[str, int] = {}
    left = _MOST_BYTES
    while len(header := file.read(_AR_HEADER)) == _AR_HEADER:
        name, size = header[:16].decode("latin-1").strip(), int(header[48:58])
        if size < 0 or size > left:
            raise ArchiveReadError("its members are too large")
        content = file.read(size + size % 2)[:size]
        left -= size
        seen[name] = seen.get(name, 0) + 1
        owner = header[28:40].decode("latin-1").strip()
        yield (
            name if seen[name] == 1 else f"{name} ({seen[name]})",
            _Member(
                header[16:28].decode("latin-1").strip(),
                int(header[40:48].strip() or b"0", 8),
                owner,
                hashlib.sha256(content).hexdigest(),
            ),
        )


def _digest(stream: IO[bytes], left: int) -> tuple[str, int]:
    content = hashlib.sha256()
    while chunk := stream.read(_CHUNK):
        left -= len(chunk)
        if left < 0:
            raise ArchiveReadError(f"its members have more than {_MOST_BYTES >> 20} MiB")
        content.update(chunk)
    return content.hexdigest(), left
