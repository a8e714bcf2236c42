"""What two runs of one wheel mean: on a CPU of the declared level, and on one that has more."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from wheelkiln.verify.findings import Finding, Severity

__all__ = ["Ending", "Fault", "Setting", "Trial", "judge", "parse_trial"]

_SDE_REFUSAL = re.compile(r"not valid for specified chip.*", re.IGNORECASE)
_UNSUPPORTED = re.compile(r"doesn't support requested feature: \S*?\.([a-z0-9_.-]+) ")
_IMPORTING = re.compile(r'File "(<frozen importlib|/opt/wheelkiln/mnt/|[^"]*/importlib/__init__\.py")|^[ ^~]+$')
_CHILD = "uncaught target signal 4 "
"""What qemu says of a process that it ends; one that the command has started is not seen otherwise."""
_NO_MODULE = "does not define module export function"
_TRAPS = ("0f0b", "0fb9", "0fff")
"""ud2, ud1 and ud0, which compilers put where a program shall stop (Intel SDM, UD)."""
_SHOWN = 4
_MAX_LINE = 300


@dataclass(frozen=True, slots=True)
class Fault:
    """Where a process met an illegal instruction: file and offset, function and instruction as objdump names them."""

    file: str
    offset: int
    function: str
    instruction: str
    code: str

    @property
    def is_trap(self) -> bool:
        return self.code.startswith(_TRAPS)

    @property
    def text(self) -> str:
        where = f" in {self.function}" if self.function else ""
        return f"{self.file}: {self.instruction or self.code}{where}, at {self.offset:#x}"


@dataclass(frozen=True, slots=True)
class Ending:
    """How one import, or the command (an empty subject), ended: ok, exception, exit, signal or timeout."""

    subject: str
    ended: str
    signal: str = ""
    missing: str = ""
    output: str = ""
    fault: Fault | None = None

    @property
    def ok(self) -> bool:
        return self.ended == "ok"

    @property
    def is_illegal(self) -> bool:
        """Whether the CPU did not know an instruction; one that is never known stands where a program shall stop."""
        stopped = self.signal == "SIGILL" or _CHILD in self.output or bool(_SDE_REFUSAL.search(self.output))
        return not self.ok and stopped and not (self.fault and self.fault.is_trap)

    @property
    def what(self) -> str:
        return f"importing {self.subject}" if self.subject else "the command"

    @property
    def how(self) -> str:
        if self.ended == "timeout":
            return "did not end in time"
        if self.ended == "signal":
            return f"died of {self.signal}"
        return f"failed ({self.last_line})" if self.last_line else "failed"

    @property
    def last_line(self) -> str:
        return next(iter(reversed(self.lines)), "")

    @property
    def lines(self) -> tuple[str, ...]:
        """What was printed, without the lines of the import system, which are in every traceback."""
        kept = [line.rstrip() for line in self.output.splitlines() if line.strip() and not _IMPORTING.search(line)]
        return tuple("".join(c if c.isprintable() else "?" for c in line)[:_MAX_LINE] for line in kept)


@dataclass(frozen=True, slots=True)
class Trial:
    """All endings. emulated is None where nothing was emulated; trouble says why nothing could be tried at all.

    start is how the bare interpreter ended on the emulated CPU.
    """

    control: tuple[Ending, ...] = ()
    emulated: tuple[Ending, ...] | None = None
    start: Ending | None = None
    trouble: str = ""

    @property
    def unsupported(self) -> tuple[str, ...]:
        """Features that the emulator says that it has not."""
        return tuple(dict.fromkeys(_UNSUPPORTED.findall(self.start.output))) if self.start else ()


@dataclass(frozen=True, slots=True)
class Setting:
    """What a trial was of: the wheel, what is declared, the CPU that was emulated, and what users import of it."""

    wheel: str
    declared: str
    cpu: str
    top: tuple[str, ...]
    control: str = "this machine's own CPU"


def parse_trial(line: str) -> Trial:
    """Read the program's report; raise ValueError where it is none, as when a wheel has meddled with it."""
    try:
        table = json.loads(line)
        emulated = table.get("emulated")
        return Trial(
            control=tuple(map(_parse_ending, table.get("control", ()))),
            emulated=None if emulated is None else tuple(map(_parse_ending, emulated)),
            start=_parse_ending({"subject": "", **table["start"]}) if "start" in table else None,
            trouble=str(table.get("trouble", "")),
        )
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"it is no report: {error}") from error


def _parse_ending(table: dict[str, Any]) -> Ending:
    fault = table.get("fault")
    return Ending(
        subject=str(table["subject"]),
        ended=str(table["ended"]),
        signal=str(table.get("signal", "")),
        missing=str(table.get("missing") or ""),
        output=str(table.get("output", "")),
        fault=Fault(
            str(fault["file"]),
            int(fault["offset"]),
            str(fault["function"]),
            str(fault["instruction"]),
            str(fault["code"]),
        )
        if fault
        else None,
    )


def judge(trial: Trial, setting: Setting) -> tuple[tuple[Finding, ...], tuple[str, ...]]:
    """Return what is wrong with the wheel, and what could not be told of it."""
    emulated = {ending.subject: ending for ending in trial.emulated or ()}
    findings: list[Finding] = []
    notes: list[str] = []
    for control in trial.control:
        other = emulated.get(control.subject)
        note = _untold(control, other, setting)
        if note is None:
            findings += _compare(control, other, setting)
        elif note:
            notes.append(note)
    return tuple(_merge(findings)), tuple(dict.fromkeys(notes))


def _untold(control: Ending, emulated: Ending | None, setting: Setting) -> str | None:
    """Say why nothing follows from two endings, None where something does, nothing where it is not worth a word."""
    own = {name.partition(".")[0] for name in setting.top}
    for ending in (control, emulated):
        if ending and ending.missing and ending.missing.partition(".")[0] not in own:
            return f"{ending.what} needs {ending.missing}, which is not installed: not checked"
        if ending and _NO_MODULE in ending.output:
            return ""
    if control.is_illegal and (emulated is None or emulated.ok):
        told = "on the emulated one it works" if emulated else "nothing was emulated, so it is not checked"
        return f"{control.what} needs more than {setting.control} has; {told}"
    return None


def _compare(control: Ending, emulated: Ending | None, setting: Setting) -> Iterator[Finding]:
    if emulated and emulated.is_illegal:
        yield _illegal(control, emulated, setting)
    elif not control.ok:
        also = "" if emulated is None or not emulated.ok else f"; on an emulated {setting.cpu} it works"
        yield Finding(
            "emulate-broken",
            _severity(control, setting),
            setting.wheel,
            f"{control.what} {control.how} on {setting.control}{also}",
            "That is no matter of the CPU's level.",
            control.lines[-_SHOWN:],
        )
    elif emulated and not emulated.ok:
        yield Finding(
            "emulate-differs",
            Severity.WARNING,
            setting.wheel,
            f"{emulated.what} {emulated.how} on an emulated {setting.cpu} ({setting.declared}), and works on "
            f"{setting.control}",
            "It may test the CPU itself and refuse this one, or the emulator may be at fault: try it on such a CPU.",
            emulated.lines[-_SHOWN:],
        )


def _severity(ending: Ending, setting: Setting) -> Severity:
    """Not every extension module is meant to be imported by itself; what users import is, and none may crash."""
    meant = not ending.subject or ending.subject in setting.top or ending.ended != "exception"
    return Severity.ERROR if meant else Severity.WARNING


def _illegal(control: Ending, emulated: Ending, setting: Setting) -> Finding:
    compared = f"{setting.control} does not know it either" if control.is_illegal else f"{setting.control} knows it"
    refusal = _SDE_REFUSAL.search(emulated.output)
    details = [emulated.fault.text] if emulated.fault else [refusal[0][:_MAX_LINE]] if refusal else []
    return Finding(
        "emulate-illegal-instruction",
        Severity.ERROR,
        setting.wheel,
        f"{emulated.what} meets an instruction that a CPU of {setting.declared} (emulated: {setting.cpu}) does not "
        f"have; {compared}",
        "Compile it for the declared level, choose such code by what the CPU has, or declare more in `isa`.",
        tuple(details),
    )


def _merge(findings: Sequence[Finding]) -> Iterator[Finding]:
    """Make one finding of those that have one cause: a package that dies lets no module of its own be imported."""
    groups: dict[tuple[str, tuple[str, ...]], list[Finding]] = {}
    for finding in findings:
        groups.setdefault((finding.code, finding.details[-1:] or (finding.message,)), []).append(finding)
    for group in groups.values():
        worst = min(group, key=lambda finding: finding.severity is not Severity.ERROR)
        more = len(group) - 1
        yield replace(worst, details=(*worst.details, *([f"and {more} more"] if more else [])))
