"""Rules of machine code: a wheel needs no more of a CPU than it says."""

from __future__ import annotations

from wheelkiln.verify.findings import Severity
from wheelkiln.verify.rules.model import Group, Rule

__all__ = ["ISA_RULES"]


def _rule(code: str, severity: Severity, title: str, why: str, remedy: str) -> Rule:
    return Rule(code, Group.ISA, severity, title, why, remedy)


ISA_RULES = (
    _rule(
        "isa-exceeds",
        Severity.ERROR,
        "Machine code needs more than is declared",
        "A CPU ends a program with SIGILL at an instruction that it does not know. Everybody with such a CPU installs "
        "the wheel, because no tag of it tells.",
        "Look for `-march` and `-m` flags in the project's build files. Where the program asks what it runs on, and "
        "only then runs such functions, name them in `verify.isa.dispatch`, or their file in `verify.isa.files`: "
        "[machine code](../how-to/machine-code.md).",
    ),
    _rule(
        "isa-undeclared",
        Severity.WARNING,
        "Machine code needs more than every CPU has, and nothing is declared",
        "Without a declaration a wheel is for every CPU of its architecture: x86-64 or armv8-a as they began.",
        "Declare it with `isa` of a variant or with `verify.isa.baseline`, or compile for less.",
    ),
    _rule(
        "isa-property-note",
        Severity.WARNING,
        "The GNU property note and the code disagree",
        "The loader refuses a library whose note asks for a level that the CPU does not have (x86-64 psABI). A note "
        "that asks for too much keeps CPUs out that could run it; one that asks for too little lets others in, which "
        "then crash.",
        "Leave out the linker's `-z x86-64-vN`, or give it the level of the flags.",
    ),
    _rule(
        "isa-undecodable",
        Severity.WARNING,
        "Machine code cannot be decoded",
        "What a file needs cannot be told: it is damaged, has no functions that could be told from data, or "
        "instructions that are newer than the decoder.",
        "Look at the file with `wheelkiln isa` and `objdump -d`. A newer wheelkiln may know the instructions.",
    ),
)
