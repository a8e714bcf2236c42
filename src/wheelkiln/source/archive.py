"""Reading an sdist without unpacking it to disk: its files' texts, its digest, its times, with limits."""

from __future__ import annotations

import hashlib
import posixpath
import tarfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from wheelkiln.errors import UsageProblem
from wheelkiln.source.facts import ProjectFiles

__all__ = ["ZIP_EPOCH", "SdistContent", "check_member", "read_sdist", "whole_seconds"]

_MAX_MEMBERS = 200_000
_MAX_BYTES = 8 << 30
_MAX_TEXT = 4 << 20
_CHUNK = 1 << 20
_ROOT_FILES = {
    "pyproject.toml": "pyproject",
    "setup.cfg": "setup_cfg",
    "setup.py": "setup_py",
    "PKG-INFO": "pkg_info",
}
_GENERATED = ("PKG-INFO", "setup.cfg")
ZIP_EPOCH = 315_532_800
"""1980-01-01, the oldest time that a wheel's zip format can hold (PKWARE APPNOTE 4.4.6)."""
_LATEST = 4_354_819_200
"""2108-01-01, the first time that it cannot hold."""


@dataclass(frozen=True, slots=True)
class SdistContent:
    """What is in an sdist.

    digest covers the members' names, modes and contents but not their times, so that two sdists of the same tree
    are one source. paths are relative to the archive's one directory; newest is the latest modification time of
    a file that was not written by the sdist's own making, in seconds since 1970.
    """

    files: ProjectFiles
    digest: str
    newest: int
    size: int
    paths: frozenset[str]


def read_sdist(path: Path) -> SdistContent:
    """Read an sdist; raise UsageProblem when it is not one, or is hostile."""
    try:
        with tarfile.open(path, "r:gz") as archive:
            return _read_members(archive, path)
    except (tarfile.TarError, EOFError, OSError) as error:
        if isinstance(error, OSError) and error.errno:
            raise
        raise UsageProblem(f"{path.name} is not a readable sdist: {error}") from error


def _read_members(archive: tarfile.TarFile, path: Path) -> SdistContent:
    texts: dict[str, str] = {}
    entries: list[str] = []
    names: set[str] = set()
    roots: set[str] = set()
    total = newest = 0
    for count, member in enumerate(archive):
        name = check_member(member, path)
        roots.add(name.parts[0])
        inner = PurePosixPath(*name.parts[1:]).as_posix()
        total += member.size
        if count >= _MAX_MEMBERS or total > _MAX_BYTES:
            raise UsageProblem(f"{path.name} has more than {_MAX_MEMBERS} members or {_MAX_BYTES >> 30} GiB")
        entries.append(_entry(archive, member, inner))
        if not member.isfile():
            continue
        names.add(inner)
        if inner not in _GENERATED and ".egg-info/" not in inner:
            newest = max(newest, whole_seconds(member.mtime))
        if inner in _ROOT_FILES:
            texts[_ROOT_FILES[inner]] = _read_text(archive, member)
    if len(roots) != 1:
        raise UsageProblem(f"{path.name} is not an sdist: it does not hold exactly one directory (PEP 625)")
    digest = hashlib.sha256("\n".join(sorted(entries)).encode()).hexdigest()
    return SdistContent(
        files=ProjectFiles(**texts),
        digest=digest,
        newest=max(newest, ZIP_EPOCH),
        size=path.stat().st_size,
        paths=frozenset(names),
    )


def whole_seconds(mtime: float) -> int:
    """Read a member's time; pax headers can hold any number, and words such as ``inf`` and ``nan``."""
    return int(mtime) if 0 <= mtime < _LATEST else 0


def check_member(member: tarfile.TarInfo, path: Path) -> PurePosixPath:
    """Refuse what leaves the sdist's directory, and devices (PEP 706's rules; Python before 3.11.4 has no filters)."""
    name = PurePosixPath(member.name)
    if not name.parts:
        raise UsageProblem(f"{path.name} holds a member without a name")
    target = name
    if member.issym():
        target = name.parent / member.linkname
    elif member.islnk():
        target = PurePosixPath(member.linkname)
    inside = not posixpath.normpath(target).startswith(("/", ".."))
    if name.is_absolute() or ".." in name.parts or not inside or member.isdev():
        raise UsageProblem(
            f"{path.name} holds a dangerous member: {member.name!r}", hint="It was not unpacked; do not build it."
        )
    return name


def _entry(archive: tarfile.TarFile, member: tarfile.TarInfo, inner: str) -> str:
    if member.isdir():
        return f"d {inner}"
    if not member.isfile():
        return f"l {inner} {member.linkname}"
    stream = archive.extractfile(member)
    assert stream is not None
    content = hashlib.sha256()
    while chunk := stream.read(_CHUNK):
        content.update(chunk)
    mode = "x" if member.mode & 0o100 else "-"
    return f"f{mode} {inner} {content.hexdigest()}"


def _read_text(archive: tarfile.TarFile, member: tarfile.TarInfo) -> str:
    stream = archive.extractfile(member)
    assert stream is not None
    return stream.read(_MAX_TEXT).decode("utf-8", errors="replace")
