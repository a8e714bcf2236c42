"""The records of a zip archive, read without trusting any of them (PKWARE APPNOTE 6.3.10).

zipfile is lenient where programs differ: it takes what it finds last, skips what it does not know, and believes the
central directory alone. A wheel that two programs read differently may be checked by one and installed by the other, so
here every record must agree with all others.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import BinaryIO

from wheelkiln.verify.zip_model import Directory, Limits, Member, ZipFaultError

__all__ = ["read_directory"]

_END = struct.Struct("<4s4H2LH")
_END64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR64 = struct.Struct("<4sLQL")
_CENTRAL = struct.Struct("<4s4B4HL2L5H2L")
_LOCAL = struct.Struct("<4s2B4HL2L2H")
_EXTRA = struct.Struct("<2H")
_DESCRIPTORS = tuple(map(struct.Struct, ("<4sLQQ", "<LQQ", "<4s3L", "<3L")))
_MOST_COMMENT = 0xFFFF
_NONE16, _NONE32 = 0xFFFF, 0xFFFFFFFF
_MOST_DIRECTORY = 256 << 20
_ZIP64_EXTRA, _UNICODE_PATH_EXTRA = 0x0001, 0x7075
_ENCRYPTED = 0x0001 | 0x0020 | 0x0040 | 0x2000
_HAS_DESCRIPTOR = 0x0008
_IS_UTF8 = 0x0800
_UNIX = 3
_NEWEST_VERSION = 63
"""In tenths; zipfile refuses later ones."""


@dataclass(frozen=True, slots=True)
class _End:
    count: int
    size: int
    offset: int
    place: int
    comment: bool


@dataclass(frozen=True, slots=True)
class _Header:
    """What both headers of a member have; raw are the bytes of its name."""

    raw: bytes
    flags: int
    method: int
    crc: int
    packed: int
    size: int


def read_directory(file: BinaryIO, limits: Limits) -> Directory:
    """Read all records; raise ZipFaultError with the first that is wrong. Memory is bounded by the limits."""
    end = _read_end(file)
    if end.count > limits.members:
        raise ZipFaultError("zip-size", f"it has {end.count} members, and {limits.members} are allowed")
    if end.size > _MOST_DIRECTORY or end.offset + end.size != end.place:
        raise ZipFaultError("zip-headers", "the central directory is not where the end record says")
    text = _read_at(file, end.offset, end.size)
    pairs = list(_read_central(text, end.count, limits))
    _check_sizes([member for _, member in pairs], limits)
    placed, gaps = _place_members(file, pairs, end.offset)
    return Directory(placed, end.comment, gaps)


def _read_at(file: BinaryIO, place: int, size: int) -> bytes:
    file.seek(place)
    found = file.read(size)
    if len(found) != size:
        raise ZipFaultError("zip", "it is cut off")
    return found


def _read_end(file: BinaryIO) -> _End:
    length = file.seek(0, os.SEEK_END)
    tail_size = min(length, _END.size + _MOST_COMMENT)
    tail = _read_at(file, length - tail_size, tail_size)
    found = tail.rfind(b"PK\5\6")
    if found < 0 or found + _END.size > len(tail):
        raise ZipFaultError("zip", "it is not a zip archive, or it is cut off")
    _, disk, first, here, count, size, offset, comment = _END.unpack_from(tail, found)
    place = length - tail_size + found
    if place + _END.size + comment != length:
        raise ZipFaultError("zip-headers", "something follows the archive's end")
    end = _End(count, size, offset, place, bool(comment))
    end64 = _read_end64(file, end)
    if not end64 and (disk, first, here) != (0, 0, count):
        raise ZipFaultError("zip", "it is a part of a split archive")
    return end64 or end


def _read_end64(file: BinaryIO, end: _End) -> _End | None:
    place = end.place - _LOCATOR64.size
    if place < 0:
        return None
    signature, disk, record, disks = _LOCATOR64.unpack(_read_at(file, place, _LOCATOR64.size))
    if signature != b"PK\6\7":
        return None
    if record + _END64.size != place or disk or disks > 1:
        raise ZipFaultError("zip-headers", "the zip64 end record is not where its locator says")
    fields = _END64.unpack(_read_at(file, record, _END64.size))
    signature, own_size, _, _, disk, first, here, count, size, offset = fields
    if (signature, own_size, disk, first, here) != (b"PK\6\6", _END64.size - 12, 0, 0, count):
        raise ZipFaultError("zip-headers", "the zip64 end record is damaged")
    short = ((end.count, count, _NONE16), (end.size, size, _NONE32), (end.offset, offset, _NONE32))
    if any(plain not in {wide, none} for plain, wide, none in short):
        raise ZipFaultError("zip-headers", "the two end records differ")
    return _End(count, size, offset, record, end.comment)


def _read_central(text: bytes, count: int, limits: Limits) -> Iterator[tuple[_Header, Member]]:
    place = 0
    for _ in range(count):
        if place + _CENTRAL.size > len(text):
            raise ZipFaultError("zip-headers", "the central directory has fewer members than the end record says")
        fields = _CENTRAL.unpack_from(text, place)
        signature, _, system, needs, _, flags, method, _, _, crc, packed, size = fields[:12]
        name_size, extra_size, comment_size, disk, _, attributes, start = fields[12:]
        after = place + _CENTRAL.size + name_size + extra_size + comment_size
        if signature != b"PK\1\2" or after > len(text) or disk not in {0, _NONE16}:
            raise ZipFaultError("zip-headers", "the central directory is damaged")
        raw = text[place + _CENTRAL.size :][:name_size]
        extra = text[place + _CENTRAL.size + name_size :][:extra_size]
        size, packed, start = _widen(extra, (size, packed, start))
        name = _decode(raw, flags, extra, limits)
        _check_way_of_storing(name, flags, needs)
        mode = attributes >> 16 if system == _UNIX else 0
        member = Member(name, method, crc, packed, size, mode, start, comment=bool(comment_size))
        yield _Header(raw, flags, method, crc, packed, size), member
        place = after
    if place != len(text):
        raise ZipFaultError("zip-headers", "the central directory has more than the end record says")


def _check_way_of_storing(name: str, flags: int, needs: int) -> None:
    if flags & _ENCRYPTED:
        raise ZipFaultError("zip", f"the member '{name}' is encrypted")
    if needs > _NEWEST_VERSION:
        raise ZipFaultError("zip-compression", f"the member '{name}' needs version {needs / 10} of the zip format")


def _decode(raw: bytes, flags: int, extra: bytes, limits: Limits) -> str:
    """Return a name; raise ZipFaultError where programs may read different ones from the same header."""
    if len(raw) > limits.name_bytes:
        raise ZipFaultError("zip-size", f"a member's name has {len(raw)} bytes, and {limits.name_bytes} are allowed")
    if any(kind == _UNICODE_PATH_EXTRA for kind, _ in _extras(extra)):
        raise ZipFaultError("zip-headers", f"the member {raw!r} has a second name")
    try:
        return raw.decode("utf-8" if flags & _IS_UTF8 else "cp437")
    except UnicodeDecodeError as error:
        raise ZipFaultError("zip-headers", f"the member's name {raw!r} is not UTF-8, as it says") from error


def _extras(extra: bytes) -> Iterator[tuple[int, bytes]]:
    place = 0
    while place + _EXTRA.size <= len(extra):
        kind, size = _EXTRA.unpack_from(extra, place)
        place += _EXTRA.size + size
        if place > len(extra):
            raise ZipFaultError("zip-headers", "an extra field is longer than its header says")
        yield kind, extra[place - size : place]


def _widen(extra: bytes, values: Sequence[int]) -> Sequence[int]:
    """Return values of 32 bits, with those that stand in the zip64 extra field put in, in its order."""
    wide = [text for kind, text in _extras(extra) if kind == _ZIP64_EXTRA]
    if not wide:
        return values
    if len(wide) > 1 or len(wide[0]) % 8 > 4:  # noqa: PLR2004 - four bytes of it may be a disk's number
        raise ZipFaultError("zip-headers", "a zip64 extra field is damaged")
    given = [struct.unpack_from("<Q", wide[0], place)[0] for place in range(0, len(wide[0]) - 7, 8)]
    missing = sum(value == _NONE32 for value in values)
    if len(given) < missing:
        raise ZipFaultError("zip-headers", "a zip64 extra field has too few values")
    return [given.pop(0) if value == _NONE32 else value for value in values]


def _check_sizes(members: Sequence[Member], limits: Limits) -> None:
    """Refuse a bomb by what its headers say; what they say is held against what is unpacked later."""
    size, packed = sum(member.size for member in members), sum(member.packed for member in members)
    if size > limits.size:
        raise ZipFaultError("zip-size", f"unpacked it has {size} bytes, and {limits.size} are allowed")
    if size > limits.ratio * max(packed, 1 << 16):
        raise ZipFaultError("zip-size", f"{packed} bytes unpack to {size}, more than {limits.ratio} times as many")


def _place_members(
    file: BinaryIO, pairs: Sequence[tuple[_Header, Member]], end: int
) -> tuple[tuple[Member, ...], tuple[tuple[int, int], ...]]:
    """Find the members' data by their local headers; none may overlap another, or the central directory."""
    order = sorted(range(len(pairs)), key=lambda number: pairs[number][1].start)
    placed: dict[int, Member] = {}
    gaps = []
    last = 0
    for position, number in enumerate(order):
        header, member = pairs[number]
        room = pairs[order[position + 1]][1].start if position + 1 < len(order) else end
        if member.start < last:
            raise ZipFaultError("zip-headers", f"the member '{member.name}' overlaps another one")
        if member.start > last:
            gaps.append((last, member.start - last))
        placed[number] = found = _place(file, header, member, room)
        last = found.end
    if end < last:
        raise ZipFaultError("zip-headers", "the last member overlaps the central directory")
    if end > last:
        gaps.append((last, end - last))
    return tuple(placed[number] for number in range(len(pairs))), tuple(gaps)


def _place(file: BinaryIO, header: _Header, member: Member, room: int) -> Member:
    fields = _LOCAL.unpack(_read_at(file, member.start, _LOCAL.size))
    signature, _, _, flags, method, _, _, crc, packed, size, name_size, extra_size = fields
    raw = _read_at(file, member.start + _LOCAL.size, name_size)
    extra = _read_at(file, member.start + _LOCAL.size + name_size, extra_size)
    size, packed = _widen(extra, (size, packed))
    data = member.start + _LOCAL.size + name_size + extra_size
    end = data + member.packed
    if end > room:
        raise ZipFaultError("zip-headers", f"the member '{member.name}' overlaps what follows it")
    told = _Header(raw, flags, method, crc, packed, size)
    if flags & _HAS_DESCRIPTOR and flags == header.flags:
        end += _descriptor_size(file, member, end, room)
        if (crc, packed, size) == (0, 0, 0):  # it was written before they were known
            told = _Header(raw, flags, method, header.crc, header.packed, header.size)
    if signature != b"PK\3\4" or told != header:
        raise ZipFaultError("zip-headers", f"the two headers of the member '{member.name}' differ")
    return replace(member, data=data, end=end)


def _descriptor_size(file: BinaryIO, member: Member, place: int, room: int) -> int:
    """Return the size of what follows the data; of an empty member two forms may fit, and the longer one is meant."""
    for form in _DESCRIPTORS:
        if place + form.size > room:
            continue
        found = form.unpack(_read_at(file, place, form.size))
        told = found[1:] if found[0] == b"PK\7\x08" else found
        if told == (member.crc, member.packed, member.size):
            return form.size
    raise ZipFaultError("zip-headers", f"the data descriptor of the member '{member.name}' is wrong")
