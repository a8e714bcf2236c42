"""Which addresses are functions: all that tells code from data in a section with both.

Symbols with sizes name functions, unwind tables name those of stripped files. Where two overlap, the one that begins
later has the bytes, and what lies behind its end is a part of the outer one that is not known to be entered at its
start. So no byte is in two functions, and a hostile file costs no more than its size.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from wheelkiln.verify.machine_code.elf import Elf, Section
from wheelkiln.verify.machine_code.unwind import read_frames

__all__ = ["Function", "Known", "find_functions", "gap_of", "gaps", "known_addresses"]

_BARE_CODE = (".init", ".fini")
"""Sections that are functions as a whole; those of .plt only jump."""
_LARGEST = 64 << 20
"""Bytes of a function that are looked at in one go; each costs two."""


@dataclass(frozen=True, slots=True)
class Function:
    """Addresses of one function. It is entered at its start if it is_entered, and elsewhere too if it has_pads.

    named_by is the address whose name it has.
    """

    named_by: int
    start: int
    end: int
    is_entered: bool = True
    has_pads: bool = False


@dataclass(slots=True)
class Known:
    """What a file tells of the addresses where functions start: ends, names, which have pads, which are exported.

    Names are the places where they stand in the file. data are the spans that mapping symbols call data.
    """

    ends: dict[int, int]
    names: dict[int, int]
    pads: set[int]
    exported: set[int]
    data: tuple[tuple[int, int], ...]


def known_addresses(elf: Elf) -> Known:
    """Gather symbols, frames and single entries of a file."""
    known = Known({}, {}, set(), set(), data=())
    _add_symbols(known, elf)
    frames = elf.find(".eh_frame")
    if frames and not elf.relocatable:
        for frame in read_frames(elf.bytes_of(frames), frames.address):
            _add(known, frame.start, frame.end)
            if frame.has_pads:
                known.pads.add(frame.start)
    for section in elf.code:
        if section.name in _BARE_CODE:
            _add(known, section.address, section.end)
    if elf.entry:
        _add(known, elf.entry, elf.entry)
    return known


def _add_symbols(known: Known, elf: Elf) -> None:
    marks: set[tuple[int, bool]] = set()
    for symbol in elf.symbols():
        if symbol.is_function:
            _add(known, symbol.address, symbol.address + symbol.size)
            known.names.setdefault(symbol.address, symbol.place)
            if symbol.is_exported:
                known.exported.add(symbol.address)
        elif (name := elf.text_at(symbol.place)).split(".", 1)[0] in ("$d", "$x"):
            marks.add((symbol.address, name.startswith("$d")))
    known.data = tuple(_data_spans(sorted(marks)))


def _add(known: Known, start: int, end: int) -> None:
    known.ends[start] = max(end, known.ends.get(start, start))


def _data_spans(marks: list[tuple[int, bool]]) -> Iterator[tuple[int, int]]:
    """Yield what lies between $d and the next $x (ELF for the Arm 64-bit architecture, mapping symbols)."""
    begun = None
    for address, is_data in marks:
        if is_data and begun is None:
            begun = address
        elif not is_data and begun is not None:
            yield begun, address
            begun = None
    if begun is not None:
        yield begun, 1 << 64


def find_functions(section: Section, starts: Sequence[int], known: Known) -> Iterator[Function]:
    """Yield the functions of a section that start at the given addresses, in order, none of them overlapping.

    One without a size, as assemblers write them, goes on to the next start.
    """
    first, last = bisect_left(starts, section.address), bisect_left(starts, section.end)
    outer: list[tuple[int, int]] = []  # ends of functions that go on behind the present one, with their starts
    for number in range(first, last):
        start = starts[number]
        following = starts[number + 1] if number + 1 < last else section.end
        told = known.ends.get(start, start)
        wanted = told if told > start else following
        end = min(wanted, following, start + _LARGEST)
        yield Function(start, start, end, has_pads=start in known.pads)
        if wanted > end:
            outer.append((wanted, start))
        while outer and outer[-1][0] <= end:
            outer.pop()
        while outer and end < following:
            rest = min(outer[-1][0], following, end + _LARGEST)
            yield Function(outer[-1][1], end, rest, is_entered=False)
            end = rest
            while outer and outer[-1][0] <= end:
                outer.pop()


def gaps(section: Section, taken: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Yield what of a section is not taken."""
    at = section.address
    for start, end in sorted(taken):
        if start > at:
            yield at, start
        at = max(at, end)
    if at < section.end:
        yield at, section.end


def gap_of(spans: list[tuple[int, int]], address: int) -> tuple[int, int] | None:
    """Return the one of sorted spans that an address lies in."""
    at = bisect_right(spans, (address, 1 << 64)) - 1
    return spans[at] if at >= 0 and spans[at][0] <= address < spans[at][1] else None
