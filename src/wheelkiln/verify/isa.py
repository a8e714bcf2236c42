"""Machine code: a wheel needs no more of a CPU than it declares."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from wheelkiln.verify.findings import Finding, Severity
from wheelkiln.verify.machine_code.declared import Declaration
from wheelkiln.verify.machine_code.levels import X86_LEVELS, missing_from, requirement
from wheelkiln.verify.machine_code.model import FileCode, FunctionCode, isa_text
from wheelkiln.verify.machine_code.names import identifiers_of
from wheelkiln.verify.machine_code.read import UnreadableWheelError, read_wheel

__all__ = ["check_isa", "judge_files"]

_SHOWN = 10
_LEAST_CODE = 4096
_LEAST_COVERED = 0.5
_LONGEST = 100


def check_isa(path: Path, declared: Declaration) -> tuple[Finding, ...]:
    """Return what is wrong with a wheel's machine code."""
    try:
        return judge_files(path.name, read_wheel(path), declared)
    except UnreadableWheelError as error:
        return (Finding("zip", Severity.ERROR, path.name, f"a member cannot be unpacked: {error}"),)


def judge_files(subject: str, files: Iterator[FileCode], declared: Declaration) -> tuple[Finding, ...]:
    """Compare files with what is declared; what has no declaration is told once for the whole wheel."""
    found: list[Finding] = []
    undeclared: list[tuple[FileCode, tuple[FunctionCode, ...]]] = []
    for file in files:
        found.extend(_check_readable(subject, file))
        if not file.arch:
            continue
        exceeding = declared.exceeding(file)
        found.extend(_check_note(subject, file, exceeding))
        if exceeding and declared.declares(file.arch):
            found.append(_exceeds(subject, file, exceeding, declared))
        elif exceeding:
            undeclared.append((file, exceeding))
    if undeclared:
        found.append(_undeclared(subject, undeclared, declared))
    return tuple(found)


def _exceeds(subject: str, file: FileCode, exceeding: tuple[FunctionCode, ...], declared: Declaration) -> Finding:
    allowed = declared.allows(file)
    message = (
        f"{file.name} needs {_needs(file, exceeding)} in {_functions(exceeding)}, "
        f"and {declared.text_for(file)} is declared"
    )
    hint = "Compile it for what is declared, or declare what it needs."
    if file.asks_cpu:
        hint = (
            "It asks what it runs on, so it may choose at run time: name such functions in verify.isa.dispatch, "
            "or the file in verify.isa.files."
        )
    return Finding("isa-exceeds", Severity.ERROR, subject, message, hint, tuple(_lines(exceeding, allowed)))


def _undeclared(subject: str, files: list[tuple[FileCode, tuple[FunctionCode, ...]]], declared: Declaration) -> Finding:
    arch = files[0][0].arch
    features = frozenset(name for _, functions in files for one in functions for name in one.names)
    message = (
        f"it needs {isa_text(requirement(arch, features))}, and nothing is declared, which means what every CPU has"
    )
    details = []
    for file, functions in files[:_SHOWN]:
        asks = ", and it asks what it runs on" if file.asks_cpu else ""
        details.append(f"{file.name}: {_needs(file, functions)} in {_functions(functions)}{asks}")
        details.extend(f"  {line}" for line in _lines(functions, declared.allows(file), 3))
    details += _more(len(files), _SHOWN, "files")
    hint = "Declare it: isa of the variant, or verify.isa.baseline. 'wheelkiln isa' shows all of it."
    return Finding("isa-undeclared", Severity.WARNING, subject, message, hint, tuple(details))


def _check_readable(subject: str, file: FileCode) -> Iterator[Finding]:
    if file.problem and not file.is_foreign:
        yield Finding("isa-undecodable", Severity.WARNING, subject, f"{file.name} cannot be decoded: {file.problem}")
    elif file.undecodable:
        places = [f"0x{address:x}" for address in file.undecodable]
        yield Finding(
            "isa-undecodable",
            Severity.WARNING,
            subject,
            f"{file.name} has {len(places)} places that are reached and hold no known instruction",
            details=(*places[:_SHOWN], *_more(len(places), _SHOWN, "places")),
        )
    if file.code > _LEAST_CODE and file.covered < _LEAST_COVERED * file.code:
        share = 100 * file.covered // file.code
        message = f"only {share} % of the code in {file.name} belongs to functions that can be told from data"
        yield Finding("isa-undecodable", Severity.WARNING, subject, message)


def _check_note(subject: str, file: FileCode, exceeding: tuple[FunctionCode, ...]) -> Iterator[Finding]:
    """Compare the property note, by which the loader refuses a library, with the code."""
    if not file.noted_level:
        return
    names = [level for level, _ in X86_LEVELS]
    noted = min(file.noted_level, len(names))
    needed = names.index(file.needs.level) + 1
    at_least = names.index(requirement(file.arch, frozenset(n for one in exceeding for n in one.names)).level) + 1
    if at_least <= noted <= needed:
        return
    needs = names[(needed if noted > needed else at_least) - 1]
    message = f"the property note of {file.name} asks for {names[noted - 1]}, and its code needs {needs}"
    yield Finding("isa-property-note", Severity.WARNING, subject, message)


def _needs(file: FileCode, functions: tuple[FunctionCode, ...]) -> str:
    return isa_text(requirement(file.arch, frozenset(name for one in functions for name in one.names)))


def _functions(functions: tuple[FunctionCode, ...]) -> str:
    return "1 function" if len(functions) == 1 else f"{len(functions)} functions"


def _lines(functions: tuple[FunctionCode, ...], allowed: frozenset[str], most: int = _SHOWN) -> Iterator[str]:
    for one in functions[:most]:
        places = dict(one.features)
        names = ", ".join(f"{name} at 0x{places[name]:x}" for name in missing_from(allowed, one.names))
        yield f"{_title(one)}: {names}"
    yield from _more(len(functions), most, "functions")


def _title(function: FunctionCode) -> str:
    name = identifiers_of(function.name) if function.name else f"function at 0x{function.address:x}"
    return name if len(name) <= _LONGEST else name[: _LONGEST - 3] + "..."


def _more(total: int, shown: int, what: str) -> tuple[str, ...]:
    return (f"and {total - shown} more {what}, {total} in all",) if total > shown else ()
