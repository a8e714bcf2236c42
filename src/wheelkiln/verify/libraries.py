"""The native code of a wheel: where it looks for libraries, and what it brings from the machine that built it."""

from __future__ import annotations

import posixpath
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath

from wheelkiln.verify.contents import Contents
from wheelkiln.verify.dist_info import DistInfo
from wheelkiln.verify.elf import ElfFile
from wheelkiln.verify.findings import Finding
from wheelkiln.verify.rules.made import found

__all__ = ["check_libraries", "check_purelib"]

_MACHINES = {
    "x86_64": 62,
    "i686": 3,
    "aarch64": 183,
    "armv7l": 40,
    "ppc64le": 21,
    "s390x": 22,
    "riscv64": 243,
    "loongarch64": 258,
}
_EXTENSION = re.compile(r"\.(abi3|cpython-[\w-]+|pypy[\w-]+)\.so$|\.so$")
_GRAFTED = re.compile(r"-[0-9a-f]{8}\.(so|[0-9])|-[0-9a-f]{8}\.so")
_DATA = re.compile(r"^[^/]+\.data/(platlib|purelib)/")
_MOST_ROOTS = 5
_ORIGIN = re.compile(r"^(\$ORIGIN|\$\{ORIGIN\})(?=/|$)")


def check_libraries(contents: Contents, platforms: Sequence[str], subject: str) -> Iterator[Finding]:
    """Yield what is wrong with the ELF files of a wheel with these platform tags."""
    broken = {name: why for name, why in contents.broken.items() if _EXTENSION.search(name)}
    for name, why in broken.items():
        yield found("elf", subject, f"'{name}' cannot be loaded: {why}")
    if contents.elf_files and list(platforms) == ["any"]:
        names = tuple(elf.name for elf in contents.elf_files)
        yield found("elf-in-any", subject, f"it is for any platform, and has ELF files: {names[0]}", details=names[1:])
    yield from _check_machines(contents.elf_files, platforms, subject)
    yield from _check_search_paths(contents.elf_files, subject)
    yield from _check_needed(contents.elf_files, subject)
    yield from _check_build_paths(contents.elf_files, subject)
    for code, message, having in (
        (
            "executable-stack",
            "asks for an executable stack",
            [e.name for e in contents.elf_files if e.executable_stack],
        ),
        ("text-relocations", "has text relocations", [e.name for e in contents.elf_files if e.text_relocations]),
    ):
        for name in having:
            yield found(code, subject, f"'{name}' {message}")


def check_purelib(info: DistInfo, contents: Contents, subject: str) -> Iterator[Finding]:
    """Yield a wheel that says it is pure, and has extension modules at its root."""
    pure = str(info.wheel["Root-Is-Purelib"]).strip().lower() == "true"
    modules = [elf.name for elf in contents.elf_files if _EXTENSION.search(elf.name) and not _DATA.match(elf.name)]
    if pure and modules:
        yield found(
            "purelib", subject, f"Root-Is-Purelib is true, and it has '{modules[0]}'", details=tuple(modules[1:])
        )


def _check_machines(elf_files: Sequence[ElfFile], platforms: Sequence[str], subject: str) -> Iterator[Finding]:
    wanted = {number for arch, number in _MACHINES.items() for tag in platforms if tag.endswith(f"_{arch}")}
    for elf in elf_files:
        if wanted and elf.machine not in wanted and _EXTENSION.search(elf.name):
            yield found(
                "elf-machine",
                subject,
                f"'{elf.name}' is for another machine than the platform tag (e_machine {elf.machine})",
            )


def _check_search_paths(elf_files: Sequence[ElfFile], subject: str) -> Iterator[Finding]:
    faults = [(elf, _fault_of_entry(elf, entry)) for elf in elf_files for entry in elf.search]
    yield from _together("rpath", subject, [f"'{elf.name}' searches {fault}" for elf, fault in faults if fault])


def _together(code: str, subject: str, messages: Sequence[str]) -> Iterator[Finding]:
    """Yield one finding for a wheel, however often it is in it."""
    if messages:
        yield found(code, subject, f"{messages[0]}{_more(len(messages) - 1)}", details=tuple(messages[1:]))


def _fault_of_entry(elf: ElfFile, entry: str) -> str:
    if not entry:
        return "the working directory, because its search path has an empty entry"
    if entry.startswith("/"):
        return f"an absolute directory, '{entry}'"
    if not _ORIGIN.match(entry):
        return f"a directory relative to the working directory, '{entry}'"
    place = _resolve(elf, entry)
    return f"outside of where wheels are installed, '{entry}'" if place.startswith("..") else ""


def _resolve(elf: ElfFile, entry: str) -> str:
    """Return the directory of a wheel's root that an entry with $ORIGIN stands for."""
    own = posixpath.dirname(_DATA.sub("", elf.name))
    return posixpath.normpath(posixpath.join(own, _ORIGIN.sub(".", entry)))


def _check_needed(elf_files: Sequence[ElfFile], subject: str) -> Iterator[Finding]:
    """A library that the wheel has must be found from where it is needed; one with auditwheel's hash must be there.

    An RPATH is handed on, and which library is loaded by which cannot be known: any counts for all.
    """
    handed = {_resolve(elf, entry) for elf in elf_files if elf.hands_on for entry in elf.search if _ORIGIN.match(entry)}
    places: defaultdict[str, set[str]] = defaultdict(set)
    for elf in elf_files:
        path = PurePosixPath(_DATA.sub("", elf.name))
        places[path.name].add(str(path.parent))
    missing, unreached = [], []
    for elf in elf_files:
        searched = {_resolve(elf, entry) for entry in elf.search if _ORIGIN.match(entry)}
        for needed in elf.needed:
            if needed not in places and _GRAFTED.search(needed):
                missing.append(f"'{elf.name}' needs '{needed}', which the wheel does not have")
            elif needed in places and not places[needed] & (searched | handed):
                unreached.append(f"'{elf.name}' needs '{needed}' and does not search where it is")
    yield from _together("library-missing", subject, missing)
    yield from _together("library-unreached", subject, unreached)


def _check_build_paths(elf_files: Sequence[ElfFile], subject: str) -> Iterator[Finding]:
    """One finding for a wheel: the directories, and for each file the first of the names that it has."""
    having = [elf for elf in elf_files if elf.build_paths]
    if not having:
        return
    roots = sorted({_root_of(path) for elf in having for path in elf.build_paths})
    details = [f"{elf.name}: {elf.build_paths[0]}{_more(len(elf.build_paths) - 1)}" for elf in having]
    count = f"{len(having)} ELF file{' names' if len(having) == 1 else 's name'}"
    where = ", ".join(roots[:_MOST_ROOTS]) + _more(len(roots) - _MOST_ROOTS)
    yield found("build-path", subject, f"{count} files of the machine that built it: {where}", details=tuple(details))


def _root_of(path: str) -> str:
    return "/".join(path.split("/")[:3]) if path.count("/") > 2 else path.rpartition("/")[0]  # noqa: PLR2004 - /tmp/x/


def _more(count: int) -> str:
    return f", and {count} more" if count > 0 else ""
