"""What is known of the machine code of a file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from wheelkiln.plan.isa import Isa
from wheelkiln.verify.machine_code.levels import requirement

__all__ = ["UNKNOWN", "Caller", "FileCode", "FunctionCode", "isa_text"]


UNKNOWN = -1


@dataclass(frozen=True, slots=True)
class FunctionCode:
    """A function that needs more than the architecture's first CPUs have: each feature, and where it first stands.

    referrers are the addresses of the functions that call it, jump to it or take its address; UNKNOWN stands for other
    files and for data.
    """

    name: str
    address: int
    size: int
    features: tuple[tuple[str, int], ...]
    referrers: tuple[int, ...] = ()

    @property
    def names(self) -> frozenset[str]:
        """Return the features without their addresses."""
        return frozenset(name for name, _ in self.features)

    @property
    def title(self) -> str:
        """Return the name, or the address of what has none."""
        return self.name or f"0x{self.address:x}"


@dataclass(frozen=True, slots=True)
class Caller:
    """A function that refers to one that needs something, and the addresses of what refers to it in turn."""

    name: str
    referrers: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class FileCode:
    """The machine code of one file.

    functions are those that need something, callers those that refer to them and need nothing, by their addresses. code
    and covered are bytes: all of the sections with code, and those of the functions that were found. undecodable are
    addresses that are reached and hold nothing that is known. asks_cpu says that it asks what it runs on. noted_level
    is the x86-64 level of its property note, 0 without one. problem says why the file could not be read at all;
    is_foreign that it is of a kind that is not looked into.
    """

    name: str
    arch: str = ""
    functions: tuple[FunctionCode, ...] = ()
    callers: Mapping[int, Caller] = field(default_factory=dict)
    total_functions: int = 0
    code: int = 0
    covered: int = 0
    undecodable: tuple[int, ...] = ()
    asks_cpu: bool = False
    noted_level: int = 0
    problem: str = ""
    is_foreign: bool = False

    @property
    def features(self) -> frozenset[str]:
        """Return all that any function needs."""
        return frozenset(name for function in self.functions for name, _ in function.features)

    @property
    def needs(self) -> Isa:
        """Return the lowest level that has what it can have of the features, and the others."""
        return requirement(self.arch, self.features)


def isa_text(isa: Isa) -> str:
    """Write a level with its features as gcc's -march does."""
    return "+".join((isa.level, *isa.features)) if isa.level else " ".join(isa.features)
