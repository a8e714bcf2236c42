"""How two files of Python bytecode differ: by the header, by the code, or both. Nothing is loaded."""

from __future__ import annotations

from collections.abc import Iterator

from wheelkiln.verify.difference.content import compare_bytes
from wheelkiln.verify.difference.model import Cause, Difference, Weight

__all__ = ["compare_bytecode"]

_HEADER = 16
"""Magic, flags, and the source's time and size or its hash (PEP 552)."""


def compare_bytecode(one: bytes, other: bytes) -> Iterator[Difference]:
    """Tell whether it is the Python, the source's time or hash, or the code itself."""
    if one[:4] != other[:4]:
        yield Difference("magic: another Python", one[:4].hex(), other[:4].hex(), Cause.IMAGE, Weight.DIRECT)
        return
    if one[4:8] != other[4:8]:
        yield Difference("flags: another kind of invalidation", one[4:8].hex(), other[4:8].hex(), Cause.FLAGS)
    elif int.from_bytes(one[4:8], "little") & 1:
        if one[8:_HEADER] != other[8:_HEADER]:
            yield Difference("hash of the source", one[8:_HEADER].hex(), other[8:_HEADER].hex(), Cause.SOURCE)
    else:
        yield from _compare_stamps(one, other)
    if one[_HEADER:] != other[_HEADER:]:
        yield from compare_bytes("code", one[_HEADER:], other[_HEADER:])


def _compare_stamps(one: bytes, other: bytes) -> Iterator[Difference]:
    for place, start, cause in (("time of the source", 8, Cause.TIMESTAMP), ("size of the source", 12, Cause.SOURCE)):
        first, second = (int.from_bytes(data[start : start + 4], "little") for data in (one, other))
        if first != second:
            yield Difference(place, str(first), str(second), cause, Weight.DIRECT)
