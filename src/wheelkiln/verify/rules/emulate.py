"""Rules of the emulated CPU: a wheel works on what it is declared for."""

from __future__ import annotations

from wheelkiln.verify.findings import Severity
from wheelkiln.verify.rules.model import Group, Rule

__all__ = ["EMULATE_RULES"]

EMULATE_RULES = (
    Rule(
        "emulate-illegal-instruction",
        Group.EMULATE,
        Severity.ERROR,
        "On a CPU of the declared level it meets an illegal instruction",
        "The wheel was imported on an emulated CPU that has what is declared and no more, and the process died of "
        "SIGILL. The same import went well on a CPU that has more, so the wheel needs a newer CPU than it says.",
        "Compile for the declared level, let the code ask the CPU before it uses more, or declare what it needs in "
        "`isa`. The details name the file, the function and the instruction.",
    ),
    Rule(
        "emulate-broken",
        Group.EMULATE,
        Severity.ERROR,
        "It cannot be imported, whatever the CPU",
        "The import, or the command, fails on the machine's own CPU as well, so its level is not the reason. An "
        "extension module that only raises an exception when it is imported by itself is a warning: not all are meant "
        "to be.",
        "Look at the traceback. A library that is missing in the wheel, or a symbol that is nowhere defined, are "
        "frequent.",
    ),
    Rule(
        "emulate-differs",
        Group.EMULATE,
        Severity.WARNING,
        "It fails on the emulated CPU alone, and not by an illegal instruction",
        "Packages that test the CPU and refuse to be imported on one that is too old end so, and so does what the "
        "emulator cannot do. A program that reads /proc/cpuinfo sees the machine's own CPU there.",
        "Read the message: when the package refuses the CPU, it needs more than is declared. Else try it on such a "
        "CPU, or turn the rule off.",
    ),
)
