"""What the decoders of all architectures return, and what functions refer to."""

from __future__ import annotations

from array import array
from collections.abc import Container, Iterator
from dataclasses import dataclass, field

from wheelkiln.verify.machine_code.functions import Function

__all__ = ["Decoded", "References"]

_MOST_CALLED, _MOST_PAIRS = 1 << 20, 1 << 24


@dataclass(slots=True)
class Decoded:
    """What one function needs: the first address of each feature; where it cannot be decoded, or -1."""

    features: dict[str, int] = field(default_factory=dict)
    undecodable: int = -1


class References:
    """Which function refers to which, by calls, jumps and addresses; and calls of what is no known function."""

    def __init__(self, starts: Container[int]) -> None:
        self.called: set[int] = set()
        self._starts = starts
        self._pairs = array("Q")
        self._start = self._end = 0
        self._noted: set[int] = set()

    def begin(self, function: Function) -> None:
        """Begin a function: what is added refers from it."""
        self._start, self._end = function.start, function.end
        self._noted.clear()

    def add(self, target: int, *, is_call: bool) -> None:
        """Note that the present function refers to an address."""
        if self._start <= target < self._end:
            return
        if target not in self._starts:
            if is_call and len(self.called) < _MOST_CALLED:
                self.called.add(target)
        elif target not in self._noted and not self.is_full:
            self._noted.add(target)
            self._pairs.extend((self._start, target))

    @property
    def is_full(self) -> bool:
        """Tell whether there are more references than are kept."""
        return len(self._pairs) >= 2 * _MOST_PAIRS

    def to(self, wanted: Container[int]) -> Iterator[tuple[int, int]]:
        """Yield the references to some functions: from where, to where."""
        pairs = iter(self._pairs)
        for source, target in zip(pairs, pairs, strict=True):
            if target in wanted:
                yield source, target
