"""Where functions begin and end, from the unwind tables, which stripped files have too.

A description entry (FDE) of .eh_frame names the addresses that one function, or the cold part of one, takes up (Linux
Standard Base, core, exception frames).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from wheelkiln.verify.machine_code.elf import Buffer

__all__ = ["Frame", "read_frames"]

_SIZES = {0x00: "<Q", 0x02: "<H", 0x03: "<I", 0x04: "<Q", 0x0A: "<h", 0x0B: "<i", 0x0C: "<q"}
"""How addresses are written (DW_EH_PE_*); lengths are the same without a sign."""
_PC_RELATIVE, _OMITTED = 0x10, 0xFF


@dataclass(frozen=True, slots=True)
class Frame:
    """The addresses of one function; has_pads where the unwinder may enter it in the middle."""

    start: int
    end: int
    has_pads: bool


@dataclass(frozen=True, slots=True)
class _Common:
    """What entries share: how addresses are written, and where the pads are named."""

    encoding: int
    pads: int
    augmented: bool


def read_frames(data: Buffer, address: int) -> Iterator[Frame]:
    """Yield the functions of an .eh_frame section that lies at an address; what cannot be read is left out."""
    commons: dict[int, _Common | None] = {}
    at = 0
    while at + 8 <= len(data):
        (length,) = struct.unpack_from("<I", data, at)
        if length in (0, 0xFFFFFFFF):  # an end mark between tables; the 64-bit form is written by no tool
            at += 4
            continue
        end = at + 4 + length
        (back,) = struct.unpack_from("<I", data, at + 4)
        if end > len(data):
            return
        if back:
            frame = _read_frame(data, address, at, end, commons, at + 4 - back)
            if frame is not None:
                yield frame
        at = end


def _read_frame(
    data: Buffer, address: int, at: int, end: int, commons: dict[int, _Common | None], place: int
) -> Frame | None:
    try:
        if place not in commons:
            commons[place] = _read_common(data, place)
        common = commons[place]
        if common is None:
            return None
        form = _SIZES[common.encoding & 15]
        size = struct.calcsize(form)
        start = struct.unpack_from(form, data, at + 8)[0]
        start += address + at + 8 if common.encoding & 0x70 == _PC_RELATIVE else 0
        length = struct.unpack_from(form.upper() if form.islower() else form, data, at + 8 + size)[0]
        has_pads = (
            common.pads != _OMITTED and common.augmented and any(data[at + 9 + 2 * size : min(end, at + 13 + 2 * size)])
        )
    except (struct.error, IndexError, KeyError):
        return None
    return Frame(start, start + length, has_pads) if length > 0 and start >= 0 else None


def _read_common(data: Buffer, at: int) -> _Common | None:
    """Read a common entry (CIE); None for one whose augmentation is not known."""
    if at < 0:
        return None
    text = bytes(data[at + 9 : at + 25]).partition(b"\0")[0]
    if text[:1] not in (b"", b"z"):
        return None
    at += 9 + len(text) + 1
    for _ in range(3 if text else 0):  # the alignment factors, and the return address's register
        at = _skip_number(data, at)
    at = _skip_number(data, at) if text else at
    encoding, pads = 0, _OMITTED
    for letter in text[1:].decode("ascii", errors="replace"):
        if letter == "R":
            encoding = data[at]
            at += 1
        elif letter == "L":
            pads = data[at]
            at += 1
        elif letter == "P":
            at += 1 + struct.calcsize(_SIZES[data[at] & 15])
        elif letter not in "SBG":
            return None
    return _Common(encoding, pads, bool(text))


def _skip_number(data: Buffer, at: int) -> int:
    """Return what follows a number of up to 64 bits (LEB128)."""
    for length in range(1, 11):
        if not data[at + length - 1] & 0x80:
            return at + length
    raise IndexError
