"""Two wheels as archives: their members, in what order, and what is written about each besides its content."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from wheelkiln.errors import VerificationError
from wheelkiln.verify.difference.model import Cause, Difference, Weight, observed
from wheelkiln.verify.difference.signs import printable
from wheelkiln.verify.tags import UNREADABLE

__all__ = ["MOST_BYTES", "Archive", "compare_archive", "is_same_member", "open_archive"]

_MOST_MEMBERS = 100_000
MOST_BYTES = 8 << 30
"""Of all members together, in one wheel."""
_CHUNK = 1 << 20
_QUARTER = 15 * 60
_ONLY_QUARTERS_UP_TO = 26 * 3600


@dataclass(frozen=True, slots=True)
class Archive:
    """An open wheel, and its members by their names; of several of one name the last counts, as for installers."""

    name: str
    zip: zipfile.ZipFile
    entries: Mapping[str, zipfile.ZipInfo]


@contextmanager
def open_archive(path: Path) -> Iterator[Archive]:
    """Open a wheel. Raise VerificationError where it is no zip file, or one that is too large to be compared."""
    try:
        with zipfile.ZipFile(path) as archive:
            entries = {entry.filename: entry for entry in archive.infolist() if not entry.is_dir()}
            size = sum(entry.file_size for entry in entries.values())
            if len(archive.infolist()) > _MOST_MEMBERS or size > MOST_BYTES:
                raise VerificationError(
                    f"{path.name} has more than {_MOST_MEMBERS} members or {MOST_BYTES >> 30} GiB",
                    hint="It is not looked into; compare what was unpacked with other tools.",
                )
            yield Archive(path.name, archive, entries)
    except UNREADABLE as error:
        raise VerificationError(
            f"{path.name} cannot be read as a wheel: {error}", hint="Build or fetch it again."
        ) from error


def is_same_member(one: Archive, other: Archive, names: tuple[str, str]) -> bool:
    """Tell whether a member has the same content in both wheels."""
    first, second = one.entries[names[0]], other.entries[names[1]]
    if first.file_size != second.file_size or first.CRC != second.CRC:
        return False
    with one.zip.open(first) as left, other.zip.open(second) as right:
        while True:
            chunk, twin = left.read(_CHUNK), right.read(_CHUNK)
            if chunk != twin:
                return False
            if not chunk:
                return True


def compare_archive(one: Archive, other: Archive) -> Iterator[Difference]:
    """Tell how the archives differ around their members' contents: each kind once, with an example."""
    common = [name for name in one.entries if name in other.entries]
    order = [name for name in other.entries if name in one.entries]
    if common != order:
        at = next(index for index, pair in enumerate(zip(common, order, strict=True)) if pair[0] != pair[1])
        yield Difference(
            f"order of the members, from number {at + 1}",
            printable(common[at]),
            printable(order[at]),
            Cause.MEMBER_ORDER,
            Weight.DIRECT,
        )
    yield from _compare_times(one, other, common)
    for what, read, cause in _FIELDS:
        yield from _compare_field(one, other, common, (what, read, cause))
    if one.zip.comment != other.zip.comment:
        comments = (printable(archive.zip.comment[:160].decode("latin-1")) for archive in (one, other))
        yield observed("comment of the archive", comments, cause=Cause.ARCHIVE, weight=Weight.DIRECT)


def _compare_times(one: Archive, other: Archive, common: Sequence[str]) -> Iterator[Difference]:
    """Times that are all off by whole quarters of an hour are the same moments in another time zone."""
    changed = [name for name in common if one.entries[name].date_time != other.entries[name].date_time]
    if not changed:
        return
    shifts = {_shift(one.entries[name], other.entries[name]) for name in changed}
    in_zone = len(shifts) == 1 and all(shift % _QUARTER == 0 and abs(shift) <= _ONLY_QUARTERS_UP_TO for shift in shifts)
    cause = Cause.LOCALE_TIMEZONE if in_zone else Cause.TIMESTAMP
    times = (_time(archive.entries[changed[0]]) for archive in (one, other))
    yield observed(f"times of members: {_counted(changed)}", times, cause=cause, weight=Weight.DIRECT)


def _shift(one: zipfile.ZipInfo, other: zipfile.ZipInfo) -> int:
    """Return the seconds between two times; what is no time at all (the format allows a month 0) is off by one."""
    try:
        return int((datetime(*one.date_time) - datetime(*other.date_time)).total_seconds())  # noqa: DTZ001
    except ValueError:
        return 1


def _time(entry: zipfile.ZipInfo) -> str:
    return "{:04}-{:02}-{:02} {:02}:{:02}:{:02}".format(*entry.date_time)


def _compare_field(
    one: Archive,
    other: Archive,
    common: Sequence[str],
    field: tuple[str, Callable[[zipfile.ZipInfo], str], Cause],
) -> Iterator[Difference]:
    what, read, cause = field
    changed = [name for name in common if read(one.entries[name]) != read(other.entries[name])]
    if changed:
        values = (read(archive.entries[changed[0]]) for archive in (one, other))
        yield observed(f"{what} of members: {_counted(changed)}", values, cause=cause, weight=Weight.DIRECT)


def _counted(names: Sequence[str]) -> str:
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return f"{printable(names[0])}{more}"


_FIELDS: tuple[tuple[str, Callable[[zipfile.ZipInfo], str], Cause], ...] = (
    ("modes", lambda entry: f"{entry.external_attr >> 16:o}", Cause.UMASK),
    ("compression", lambda entry: f"method {entry.compress_type}", Cause.ARCHIVE),
    ("system", lambda entry: str(entry.create_system), Cause.ARCHIVE),
    ("version and flags", lambda entry: f"{entry.create_version} {entry.flag_bits:#x}", Cause.ARCHIVE),
    ("attributes", lambda entry: f"{entry.external_attr & 0xFFFF:#x} {entry.internal_attr:#x}", Cause.ARCHIVE),
    ("extra fields", lambda entry: entry.extra[:40].hex(), Cause.ARCHIVE),
    ("comment", lambda entry: printable(entry.comment[:80].decode("latin-1")), Cause.ARCHIVE),
)
