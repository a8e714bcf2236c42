"""Bytes that differ: the strings in them, times as numbers, and where the first difference lies."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence

from wheelkiln.verify.difference.model import Cause, Difference, Weight, observed
from wheelkiln.verify.difference.signs import differing

__all__ = ["MOST_DIFFERENCES", "compare_bytes", "compare_strings", "first_difference"]

MOST_DIFFERENCES = 12
"""Of one part of one member; the cause shows in the first, or not at all."""
_READ = 64 << 20
_STRING = re.compile(rb"[\x20-\x7e\t]{5,}")
_BLOCK = 1 << 16
_SHOWN = 16
_TIMES = range(1_000_000_000, 2_200_000_000)
"""Seconds from 2001 to 2039."""
_YEAR = 366 * 24 * 3600
_SHORTEST_RANDOM = 8


def compare_bytes(place: str, one: bytes, other: bytes, *, code: bool = False) -> Iterator[Difference]:
    """Tell how two pieces of data differ: by their strings, else by a time or random bytes, else where.

    code says that it is machine code, where numbers and strings are as likely to be instructions.
    """
    one, other = one[:_READ], other[:_READ]
    strings = [] if code else list(compare_strings(place, one, other))
    yield from strings
    if strings and any(entry.cause for entry in strings):
        return
    start = first_difference(one, other)
    if start < 0:
        return
    cause = _read_numbers(one, other, start, code=code)
    shown = (one[start : start + _SHOWN].hex(" "), other[start : start + _SHOWN].hex(" "))
    yield observed(f"{place}, byte {start:#x}", shown, cause=cause, weight=Weight.HINT)


def compare_strings(place: str, one: bytes, other: bytes) -> Iterator[Difference]:
    """Tell which strings only one of two pieces of data has, in pairs as they follow each other."""
    first, second = _STRING.findall(one), _STRING.findall(other)
    only_first, only_second = _without(first, second), _without(second, first)
    if not only_first and not only_second:
        if first != second and Counter(first) == Counter(second):
            moved = next(pair for pair in zip(first, second, strict=True) if pair[0] != pair[1])
            yield observed(f"{place}: the same strings in another order", map(_text, moved), cause=Cause.PARALLEL_ORDER)
        return
    for index in range(min(max(len(only_first), len(only_second)), MOST_DIFFERENCES)):
        yield differing(f"{place}: string", _at(only_first, index), _at(only_second, index))


def first_difference(one: bytes, other: bytes) -> int:
    """Return the first index at which two pieces of data differ, -1 where they are equal."""
    shorter = min(len(one), len(other))
    for start in range(0, shorter, _BLOCK):
        first, second = one[start : start + _BLOCK], other[start : start + _BLOCK]
        if first != second:
            pairs = enumerate(zip(first, second, strict=False))
            return start + next((index for index, pair in pairs if pair[0] != pair[1]), min(len(first), len(second)))
    return -1 if len(one) == len(other) else shorter


def _without(strings: Sequence[bytes], others: Sequence[bytes]) -> list[str]:
    """Return the strings that are not among the others, in their order, each as often as it is too many."""
    left = Counter(strings) - Counter(others)
    found = []
    for string in strings:
        if left[string] > 0:
            left[string] -= 1
            found.append(_text(string))
    return found


def _text(string: bytes) -> str:
    return string.decode("ascii", errors="replace")


def _at(strings: Sequence[str], index: int) -> str:
    return strings[index] if index < len(strings) else ""


def _read_numbers(one: bytes, other: bytes, start: int, *, code: bool) -> Cause | None:
    """Take the first bytes that differ for a time, or for random ones where a whole run of them differs."""
    if len(one) != len(other):
        return None
    for begin in range(max(0, start - 3), start + 1):
        first, second = (int.from_bytes(data[begin : begin + 4], "little") for data in (one, other))
        if first in _TIMES and second in _TIMES and 0 < abs(first - second) < _YEAR:
            return Cause.TIMESTAMP
    return None if code or _run(one, other, start) < _SHORTEST_RANDOM else Cause.RANDOM


def _run(one: bytes, other: bytes, start: int) -> int:
    """Return how many bytes in a row differ, as many as matter."""
    end = start
    while end < min(len(one), start + _SHORTEST_RANDOM) and one[end] != other[end]:
        end += 1
    return end - start
