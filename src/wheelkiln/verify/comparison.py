"""Comparing two wheels member by member."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Mapping
from pathlib import Path

__all__ = ["differing_members"]

_CHUNK = 1 << 20


def differing_members(one: Path, other: Path) -> tuple[str, ...]:
    """Name the members that are not the same in both wheels, or that only one has.

    RECORD, which lists the others' digests, is named only when nothing else differs. Empty: the members are the same,
    and what differs is the archive around them.
    """
    first, second = _read(one), _read(other)
    names = sorted(name for name in first.keys() | second.keys() if first.get(name) != second.get(name))
    content = [name for name in names if not name.endswith(".dist-info/RECORD")]
    return tuple(content or names)


def _read(wheel: Path) -> Mapping[str, tuple[str, int]]:
    with zipfile.ZipFile(wheel) as archive:
        return {
            entry.filename: (_digest(archive, entry), entry.external_attr >> 16)
            for entry in archive.infolist()
            if not entry.is_dir()
        }


def _digest(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> str:
    content = hashlib.sha256()
    with archive.open(entry) as member:
        while chunk := member.read(_CHUNK):
            content.update(chunk)
    return content.hexdigest()
