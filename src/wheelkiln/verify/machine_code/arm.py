"""Decoding of A64 machine code: a function is a list of words, and each word is looked up by its encoding."""

from __future__ import annotations

import sys
from array import array
from bisect import bisect_right
from collections.abc import Container, Iterator, Sequence

from wheelkiln.verify.machine_code.arm_features import classify
from wheelkiln.verify.machine_code.decoded import Decoded, References
from wheelkiln.verify.machine_code.functions import Function

__all__ = ["ArmDecoder"]

_OUTLINED = 16
"""Words of the largest of libgcc's and compiler-rt's outlined atomics."""
_KNOWN_WORDS = 1 << 20
_BRANCH_MASK, _BRANCH = 0x7C000000, 0x14000000
_REGISTER_MASK, _REGISTER, _EXCEPTION = 0xFE000000, 0xD6000000, 0xD4000000
_INDIRECT_MASK, _INDIRECT = 0xFEFFF000, 0xD61F0000
_COMPARE_MASK, _COMPARE, _TEST = 0x7E000000, 0x34000000, 0x36000000
_CONDITION = 0x54
_PAGE_MASK, _PAGE, _ADD_MASK, _ADD = 0x9F000000, 0x90000000, 0xFFC00000, 0x91000000
_EXCLUSIVE_MASK, _EXCLUSIVE = 0x3FE00000, 0x08400000
"""Branches, as the encoding index of the Arm ARM groups them (C4.1.87), addresses, and exclusive loads."""


class ArmDecoder:
    """Decodes functions; data are the spans that mapping symbols name."""

    def __init__(self, starts: Container[int], data: Sequence[tuple[int, int]]) -> None:
        self.references = References(starts)
        self.asks_cpu = False
        self._data = data
        self._plain: set[int] = set()

    def decode(self, function: Function, code: bytes) -> Decoded:
        """Return what a function needs; code is that between its start and its end."""
        words = array("I", code[: len(code) & ~3])
        if sys.byteorder == "big":
            words.byteswap()
        self._note_references(function, words)
        interesting = self._lookup(set(words))
        if not interesting or (len(words) <= _OUTLINED and _is_outlined_atomic(words, interesting)):
            return Decoded()
        return self._walk(function, words, interesting)

    def _lookup(self, words: set[int]) -> dict[int, str]:
        """Return those of a function's words that need something, or are no instruction."""
        if len(self._plain) > _KNOWN_WORDS:
            self._plain.clear()
        rest = words - self._plain
        found = {word: name for word in rest if (name := classify(word))}
        self._plain.update(rest - found.keys())
        return found

    def _note_references(self, function: Function, words: array[int]) -> None:
        self.references.begin(function)
        for at, word in enumerate(words):
            if word & _BRANCH_MASK == _BRANCH:
                target = function.start + 4 * (at + _offset(word, 26))
                self.references.add(target, is_call=bool(word >> 31))
            elif word & _PAGE_MASK == _PAGE:
                for target in _addresses(word, words[at + 1 : at + 4], function.start + 4 * at):
                    self.references.add(target, is_call=False)

    def _walk(self, function: Function, words: array[int], interesting: dict[int, str]) -> Decoded:
        """Follow the function from its start; a block that only an indirect jump reaches counts if it is clean."""
        seen = bytearray(len(words))
        is_open = function.has_pads or not function.is_entered
        bad = -1
        features: dict[str, int] = {}
        if function.is_entered:
            bad, indirect = _follow(words, interesting, seen, 0, features, function.start)
            is_open |= indirect
        at = seen.find(0) if is_open else -1
        while at >= 0:
            found: dict[str, int] = {}
            end = seen.find(1, at)
            wrong, _ = _follow(words, interesting, seen, at, found, function.start)
            if wrong < 0:
                for name, address in found.items():
                    features.setdefault(name, address)
            else:  # a literal pool, or a table: what is left of this gap does not count
                end = len(words) if end < 0 else end
                seen[at:end] = b"\1" * (end - at)
            at = seen.find(0, at)
        kept = {name: at for name, at in features.items() if not self._is_data(at)}
        return Decoded(kept, -1 if bad < 0 or self._is_data(bad) else bad)

    def _is_data(self, address: int) -> bool:
        at = bisect_right(self._data, (address, 1 << 64)) - 1
        return at >= 0 and self._data[at][0] <= address < self._data[at][1]


def _addresses(word: int, following: array[int], place: int) -> Iterator[int]:
    """Yield the addresses that adrp, with an add soon after it, computes."""
    page = (place >> 12) + ((_offset(word >> 5, 19) << 2) | (word >> 29 & 3))
    register = word & 31
    for other in following:
        if other & _ADD_MASK == _ADD and other >> 5 & 31 == register:
            yield (page << 12) + (other >> 10 & 0xFFF)


def _is_outlined_atomic(words: array[int], interesting: dict[int, str]) -> bool:
    """Tell a function that has an atomic of armv8.1 and, for older CPUs, a loop with exclusive loads beside it."""
    exclusive = any(word & _EXCLUSIVE_MASK == _EXCLUSIVE for word in words)
    return exclusive and set(interesting.values()) == {"lse"}


def _follow(
    words: array[int], interesting: dict[int, str], seen: bytearray, start: int, found: dict[str, int], base: int
) -> tuple[int, bool]:
    """Follow the code from a word on; return the address of what is no instruction, or -1, and if it jumps anywhere."""
    stack, size, bad, indirect = [start], len(words), -1, False
    while stack:
        at = stack.pop()
        while 0 <= at < size and not seen[at]:
            word = words[at]
            seen[at] = 1
            name = interesting.get(word)
            if name == "?":
                bad = base + 4 * at if word >> 16 else bad  # udf, a trap that compilers write, is an end
                break
            if name:
                found.setdefault(name, base + 4 * at)
            if word >> 28 & 1 and word >> 26 & 1:  # all that jumps has both bits
                indirect |= word & _INDIRECT_MASK == _INDIRECT
                step = _step(word, at, stack)
                if not step:
                    break
                at += step
            else:
                at += 1
    return bad, indirect


def _step(word: int, at: int, stack: list[int]) -> int:
    """Return how many words further the code goes on, 0 where it does not, and note where it may go on besides."""
    if word & _BRANCH_MASK == _BRANCH:
        return 1 if word >> 31 else _offset(word, 26)
    if word & _REGISTER_MASK == _REGISTER:
        return int(word >> 21 & 3 == 1)  # blr comes back
    if word & _COMPARE_MASK == _COMPARE or word >> 24 == _CONDITION:
        stack.append(at + _offset(word >> 5, 19))
    elif word & _COMPARE_MASK == _TEST:
        stack.append(at + _offset(word >> 5, 14))
    return int(word & _REGISTER_MASK != _EXCEPTION or word >> 21 & 7 != 1)  # brk does not come back


def _offset(word: int, bits: int) -> int:
    """Return the signed number in the lowest bits."""
    sign = 1 << bits - 1
    return (word & (sign << 1) - 1 ^ sign) - sign
