"""Decoding of x86-64 machine code, function by function.

A function is first decoded from its start to its end in one go, which is fast. Only where that meets a feature, or what
is no instruction, is it followed along its jumps: what counts is what can be reached from the start.
"""

from __future__ import annotations

from collections.abc import Container, Iterator

from iced_x86 import Decoder, Instruction

from wheelkiln.verify.machine_code.decoded import Decoded, References
from wheelkiln.verify.machine_code.functions import Function
from wheelkiln.verify.machine_code.x86_features import CODES, Kind, describe

__all__ = ["X86Decoder"]

_NO_FEATURES: frozenset[str] = frozenset()


class X86Decoder:
    """Decodes functions; it remembers what it came to know of instructions, and what functions refer to."""

    def __init__(self, starts: Container[int]) -> None:
        self.references = References(starts)
        self.asks_cpu = False
        self.kinds = [int(Kind.UNKNOWN)] * CODES
        self.features: list[frozenset[str]] = [_NO_FEATURES] * CODES
        self.instruction = Instruction()

    def decode(self, function: Function, code: bytes) -> Decoded:
        """Return what a function needs; code is that between its start and its end."""
        self.references.begin(function)
        decoder = Decoder(64, code, ip=function.start)
        if function.is_entered and not self._scan(decoder, function.start, function.end):
            return Decoded()
        walk = _Walk(self, function, code, decoder)
        return walk.run()

    def _scan(self, decoder: Decoder, start: int, end: int) -> bool:
        """Decode in one go; tell whether there is a reason to look closer."""
        instruction, kinds, decode = self.instruction, self.kinds, decoder.decode_out
        while True:
            decode(instruction)
            kind = kinds[instruction.code]
            if kind == 1:
                continue
            if kind == Kind.BRANCH:
                if not start <= instruction.near_branch_target < end:
                    self.note(kind)
                continue
            kind = kind or self.learn(instruction)
            if kind == Kind.FEATURE:
                return True
            if kind == Kind.INVALID:
                return decoder.can_decode or instruction.len > 0
            self.note(kind)

    def learn(self, instruction: Instruction) -> int:
        """Remember what an instruction is, and return its kind."""
        kind, features = describe(instruction)
        self.kinds[instruction.code] = int(kind)
        self.features[instruction.code] = features
        return int(kind)

    def note(self, kind: int) -> None:
        """Note what the present instruction refers to."""
        if kind in (Kind.CALL, Kind.JUMP, Kind.BRANCH):
            self.references.add(self.instruction.near_branch_target, is_call=kind == Kind.CALL)
        elif kind == Kind.ADDRESS:
            if self.instruction.is_ip_rel_memory_operand:
                self.references.add(self.instruction.ip_rel_memory_address, is_call=False)
        elif kind == Kind.ASKS:
            self.asks_cpu = True


class _Walk:
    """One function, followed along its jumps."""

    def __init__(self, owner: X86Decoder, function: Function, code: bytes, decoder: Decoder) -> None:
        self._owner, self._function, self._decoder = owner, function, decoder
        self._size = len(code)
        self._seen = bytearray(self._size)
        self._runs: list[tuple[int, int]] = []
        self._found: dict[int, int] = {}
        self._is_open = function.has_pads
        self._bad = -1

    def run(self) -> Decoded:
        """Follow the function from its start, and then what only an indirect jump or the unwinder can reach."""
        if self._function.is_entered:
            self._follow(0)
        undecodable = self._bad
        if self._is_open or not self._function.is_entered:
            for start, end in self._gaps():
                self._try(start, end)
        features: dict[str, int] = {}
        for code, at in self._found.items():
            for name in self._owner.features[code]:
                features[name] = min(self._function.start + at, features.get(name, 1 << 64))
        return Decoded(features, -1 if undecodable < 0 else self._function.start + undecodable)

    def _gaps(self) -> Iterator[tuple[int, int]]:
        """Yield the bytes that no run has reached yet."""
        at = 0
        for start, end in [*sorted(self._runs), (self._size, self._size)]:
            if start > at:
                yield at, start
            at = max(at, end)

    def _try(self, start: int, end: int) -> None:
        """Follow the blocks of a gap; one with anything that is no instruction ends it, and does not count."""
        while start < end:
            known, self._bad = dict(self._found), -1
            runs = len(self._runs)
            self._follow(start)
            if self._bad >= 0:
                self._found = known
                return
            start = max((stop for begin, stop in self._runs[runs:] if begin <= start < stop), default=end)

    def _follow(self, start: int) -> None:
        stack = [start]
        while stack:
            at = stack.pop()
            if 0 <= at < self._size and not self._seen[at]:
                self._runs.append((at, self._follow_run(at, stack)))

    def _follow_run(self, at: int, stack: list[int]) -> int:
        """Decode from an offset up to a jump, a return or what was decoded before; return where that is."""
        decoder, owner = self._decoder, self._owner
        instruction, kinds, decode = owner.instruction, owner.kinds, decoder.decode_out
        seen, size, found = self._seen, self._size, self._found
        decoder.position = at
        decoder.ip = self._function.start + at
        while at < size and not seen[at]:
            decode(instruction)
            code = instruction.code
            kind = kinds[code] or owner.learn(instruction)
            seen[at] = 1
            if kind == 1:
                pass
            elif kind == Kind.FEATURE:
                found.setdefault(code, at)
            elif not self._flow(kind, at, stack):
                return at + max(instruction.len, 1)
            at += instruction.len
        return at

    def _flow(self, kind: int, at: int, stack: list[int]) -> bool:
        """Note where an instruction leads; tell whether the next one follows."""
        self._owner.note(kind)
        if kind in (Kind.BRANCH, Kind.JUMP):
            stack.append(self._owner.instruction.near_branch_target - self._function.start)
        elif kind == Kind.INDIRECT_JUMP:
            self._is_open = True
        elif kind in (Kind.INVALID, Kind.STRANGE):
            self._bad = at
        return kind in (Kind.BRANCH, Kind.CALL, Kind.ASKS, Kind.ADDRESS)
