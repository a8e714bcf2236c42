"""An sdist with changes laid over it, written anew: nothing of it is unpacked to disk."""

from __future__ import annotations

import gzip
import io
import shutil
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import IO

from wheelkiln.errors import UsageProblem
from wheelkiln.source.archive import check_member, whole_seconds
from wheelkiln.system.files import PART_PREFIX, PART_SUFFIX

__all__ = ["MAX_EDITED_BYTES", "SdistTree", "open_tree"]

MAX_EDITED_BYTES = 64 << 20
"""No file that people edit is larger, and all edited files are in memory at once."""
_COMPRESSION = 6


@dataclass(frozen=True, slots=True)
class _Entry:
    """A member: member is where its content is, unless content has it. A symbolic link has a linkname."""

    type: bytes
    mode: int
    mtime: int
    member: tarfile.TarInfo | None = None
    content: bytes | None = None
    linkname: str = ""


class SdistTree:
    """The files of an sdist by their path below its one directory; reads see what was written before."""

    def __init__(self, archive: tarfile.TarFile, entries: dict[str, _Entry], title: str) -> None:
        self._archive = archive
        self._entries = entries
        self.title = title
        self.root = next((PurePosixPath(name).parts[0] for name in archive.getnames()), "")
        self.changed = False

    @property
    def files(self) -> tuple[str, ...]:
        return tuple(path for path, entry in self._entries.items() if entry.type == tarfile.REGTYPE)

    def is_file(self, path: str) -> bool:
        entry = self._entries.get(path)
        return entry is not None and entry.type == tarfile.REGTYPE

    def has_directory(self, path: str) -> bool:
        return any(name.startswith(f"{path}/") for name in self._entries)

    def obstacle(self, path: str) -> str:
        """Tell why no file can be written at path: a link, a directory or a file on the way. Empty when one can."""
        for parent in PurePosixPath(path).parents[:-1]:
            entry = self._entries.get(parent.as_posix())
            if entry is not None and entry.type != tarfile.DIRTYPE:
                return f"{parent} is {'a link' if entry.type == tarfile.SYMTYPE else 'a file'}"
        entry = self._entries.get(path)
        if entry is not None and entry.type == tarfile.SYMTYPE:
            return f"{path} is a link"
        return f"{path} is a directory" if self.has_directory(path) else ""

    def size(self, path: str) -> int:
        """Return a file's size in bytes."""
        entry = self._entries[path]
        if entry.content is not None:
            return len(entry.content)
        assert entry.member is not None
        return entry.member.size

    def read(self, path: str, *, limit: int = MAX_EDITED_BYTES) -> bytes:
        """Return a file's content; raise UsageProblem when it has more than limit bytes."""
        entry = self._entries[path]
        if entry.content is not None:
            return entry.content
        content = self._stream(entry).read(limit + 1)
        if len(content) > limit:
            raise UsageProblem(f"{path} of {self.title} has more than {limit} bytes, too many to be rewritten")
        return content

    def read_text(self, path: str) -> str:
        """Return a file as text that write_text writes back byte for byte; empty when there is no such file."""
        return self.read(path).decode("utf-8", errors="surrogateescape") if self.is_file(path) else ""

    def write(self, path: str, content: bytes, *, mtime: int, executable: bool | None = None) -> None:
        """Replace or create a file; an existing one keeps its time, and its mode unless executable says otherwise."""
        known = self._entries.get(path)
        if known is not None and known.content is None and executable is None and self.read(path) == content:
            return
        base = known or _Entry(tarfile.REGTYPE, 0o644, mtime)
        mode = base.mode if executable is None else (base.mode & ~0o111) | (0o111 if executable else 0)
        self._entries[path] = replace(base, mode=mode, content=content)
        self.changed = True

    def write_text(self, path: str, text: str, *, mtime: int) -> None:
        self.write(path, text.encode("utf-8", errors="surrogateescape"), mtime=mtime)

    def remove(self, path: str) -> None:
        del self._entries[path]
        self.changed = True

    def move(self, path: str, target: str) -> None:
        """Rename a member in its place, so that the order of members does not change."""
        self._entries = {target if name == path else name: entry for name, entry in self._entries.items()}
        self.changed = True

    def move_directory(self, path: str, target: str) -> None:
        """Rename a directory with all that is below it."""

        def renamed(name: str) -> str:
            return target + name[len(path) :] if name == path or name.startswith(f"{path}/") else name

        self._entries = {renamed(name): entry for name, entry in self._entries.items()}
        self.changed = True

    def even_out(self, latest: int) -> None:
        """Take out what a checkout leaves: modes by its umask, times after latest (in seconds since 1970), an order."""
        ordered = sorted(self._entries.items(), key=lambda item: () if item[0] == "." else PurePosixPath(item[0]).parts)
        evened = {path: _even(entry, latest) for path, entry in ordered}
        if evened != self._entries or list(evened) != list(self._entries):
            self._entries = evened
            self.changed = True

    def save(self, target: Path, *, root: str) -> Path:
        """Write the sdist with the top directory root: the same tree gives the same bytes."""
        part = target.with_name(f"{PART_PREFIX}{target.name}{PART_SUFFIX}")
        with (
            part.open("wb") as raw,
            gzip.GzipFile(filename="", fileobj=raw, mode="wb", compresslevel=_COMPRESSION, mtime=0) as packed,
            tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive,
        ):
            for path, entry in self._entries.items():
                self._add(archive, f"{root}/{path}" if path != "." else root, entry)
        return part.replace(target)

    def _add(self, archive: tarfile.TarFile, name: str, entry: _Entry) -> None:
        info = tarfile.TarInfo(name)
        info.type, info.mode, info.mtime, info.linkname = entry.type, entry.mode, entry.mtime, entry.linkname
        if entry.type != tarfile.REGTYPE:
            archive.addfile(info)
            return
        if entry.content is not None:
            info.size = len(entry.content)
            archive.addfile(info, io.BytesIO(entry.content))
            return
        assert entry.member is not None
        info.size = entry.member.size
        archive.addfile(info, self._stream(entry))

    def _stream(self, entry: _Entry) -> IO[bytes]:
        assert entry.member is not None
        stream = self._archive.extractfile(entry.member)
        assert stream is not None
        return stream


@contextmanager
def open_tree(sdist: Path, work_dir: Path) -> Iterator[SdistTree]:
    """Open an sdist that read_sdist has accepted; a file without a name in work_dir has it uncompressed meanwhile.

    Raise UsageProblem when a member is not what an sdist may hold.
    """
    try:
        with tempfile.TemporaryFile(dir=work_dir) as plain:
            with gzip.open(sdist, "rb") as packed:
                shutil.copyfileobj(packed, plain, 1 << 20)
            plain.seek(0)
            with tarfile.open(fileobj=plain, mode="r:") as archive:
                yield SdistTree(archive, _read_entries(archive, sdist), sdist.name)
    except (tarfile.TarError, EOFError, gzip.BadGzipFile) as error:
        raise UsageProblem(f"{sdist.name} is not a readable sdist: {error}") from error


def _read_entries(archive: tarfile.TarFile, sdist: Path) -> dict[str, _Entry]:
    entries: dict[str, _Entry] = {}
    files: dict[str, tarfile.TarInfo] = {}
    for member in archive:
        name = check_member(member, sdist)
        inner = PurePosixPath(*name.parts[1:]).as_posix()
        if inner == "." and not member.isdir():
            raise UsageProblem(f"{sdist.name} is not an sdist: {member.name!r} is no directory")
        target = files.get(PurePosixPath(member.linkname).as_posix()) if member.islnk() else member
        entries[inner] = _make_entry(member, target, sdist)
        if target is not None and target.isfile():
            files[name.as_posix()] = target
    return entries


def _even(entry: _Entry, latest: int) -> _Entry:
    mode = 0o755 if entry.type == tarfile.DIRTYPE or entry.mode & 0o100 else 0o644
    return replace(entry, mode=entry.mode if entry.type == tarfile.SYMTYPE else mode, mtime=min(entry.mtime, latest))


def _make_entry(member: tarfile.TarInfo, target: tarfile.TarInfo | None, sdist: Path) -> _Entry:
    """A hard link becomes a file of its own, or a patch of the one would change the other."""
    mtime = whole_seconds(member.mtime)
    if member.isdir():
        return _Entry(tarfile.DIRTYPE, member.mode & 0o777, mtime)
    if member.issym():
        return _Entry(tarfile.SYMTYPE, member.mode & 0o777, mtime, linkname=member.linkname)
    if target is None or not target.isfile():
        raise UsageProblem(f"{sdist.name} holds a member that is no file: {member.name!r}")
    return _Entry(tarfile.REGTYPE, target.mode & 0o777, mtime, member=target)
