"""A zip archive as values: its members, what it may hold, and what is wrong with it."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Directory", "Limits", "Member", "ZipFaultError"]


class ZipFaultError(ValueError):
    """The archive is not one that all programs read alike; code is that of the rule."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Limits:
    """What an archive may hold: sizes in bytes, ratio is unpacked to packed size of all members together."""

    size: int = 16 << 30
    members: int = 100_000
    ratio: int = 200
    name_bytes: int = 1024


@dataclass(frozen=True, slots=True)
class Member:
    """A member: mode is the Unix mode, 0 where none is given. start and end are places in the file, data the first."""

    name: str
    method: int
    crc: int
    packed: int
    size: int
    mode: int
    start: int
    data: int = 0
    end: int = 0
    comment: bool = False

    @property
    def is_directory(self) -> bool:
        return self.name.endswith("/")


@dataclass(frozen=True, slots=True)
class Directory:
    """All members in the order of the central directory; gaps are places and lengths of bytes that belong to none."""

    members: tuple[Member, ...]
    comment: bool
    gaps: tuple[tuple[int, int], ...]
