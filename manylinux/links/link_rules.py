"""Which links can be kept: what a command line says, without looking at any file but response files.

Options are let through by a list. An option that is not on it may write a second file or read one that nobody
knows of, so its link is left to the linker.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

__all__ = ["Link", "Refused", "expand_response_files", "is_probe", "parse_link"]


class Refused(Exception):
    """This link is left to the linker alone; an empty reason is for what is no LTO link at all."""


class Link(NamedTuple):
    """arguments are those after the compiler, response files replaced by what they hold.

    listing is the dependency file that the command itself asks the linker for (CMake does), or empty.
    """

    compiler: str
    arguments: tuple[str, ...]
    output: str
    listing: str = ""


_NOT_A_LINK = {"-c", "-E", "-S", "-M", "-MM", "-fsyntax-only"}
_PLAIN = {
    "-ansi", "-no-canonical-prefixes", "-no-pie", "-nodefaultlibs", "-nostartfiles", "-nostdlib", "-nostdlib++",
    "-pie", "-pipe", "-pthread", "-rdynamic", "-s", "-shared", "-shared-libgcc", "-static", "-static-libgcc",
    "-static-libstdc++", "-static-pie", "-w",
}  # fmt: skip
_WITH_VALUE = {"-D", "-I", "-L", "-U", "-idirafter", "-include", "-iquote", "-isystem", "-target", "-u", "-z"}
_BEGINNINGS = (
    "--gcc-toolchain=", "--sysroot=", "--target=", "-D", "-I", "-L", "-O", "-U", "-W", "-f", "-g", "-isystem", "-l",
    "-m", "-pedantic", "-rtlib=", "-std=", "-stdlib=", "-unwindlib=",
)  # fmt: skip
_REFUSED_BEGINNINGS = (
    # a second output, or a report
    "-fcallgraph-info", "-fdump", "-fmem-report", "-fopt-info", "-fsave-optimization-record", "-fstack-usage",
    "-ftime-report", "-ftime-trace", "-flto-report", "-fproc-stat-report", "-gsplit-dwarf",
    # instrumented programs, and code that follows a profile in some other file
    "-fauto-profile", "-fbranch-probabilities", "-fcoverage", "-fprofile", "-fcs-profile", "-ftest-coverage",
    "-fmemory-profile",
    # further programs and their files
    "-fcompare-debug", "-foffload", "-fplugin", "-fpass-plugin", "-fthinlto", "-fmodule", "-Wa,", "-Wp,",
    "-fltrans", "-fwpa", "-mllvm",
    # a file by its whole name, looked for in many places
    "-l:",
)  # fmt: skip
_LINKER_OPTIONS = {
    "Bdynamic", "Bgroup", "Bstatic", "Bsymbolic", "Bsymbolic-functions", "Bsymbolic-non-weak-functions", "E", "S",
    "X", "add-needed", "allow-multiple-definition", "allow-shlib-undefined", "as-needed", "build-id",
    "color-diagnostics", "compress-debug-sections", "copy-dt-needed-entries", "default-symver", "defsym",
    "demangle", "dependency-file", "disable-new-dtags", "discard-all", "discard-locals", "dynamic-list", "eh-frame-hdr",
    "enable-new-dtags", "end-group", "exclude-libs", "export-dynamic", "export-dynamic-symbol", "fatal-warnings",
    "gc-sections", "gdb-index", "h", "hash-style", "icf", "ignore-data-address-equality", "m", "no-add-needed",
    "no-allow-shlib-undefined", "no-as-needed", "no-build-id", "no-copy-dt-needed-entries", "no-demangle",
    "no-eh-frame-hdr", "no-fatal-warnings", "no-gc-sections", "no-relax", "no-rosegment", "no-undefined",
    "no-undefined-version", "no-whole-archive", "package-metadata", "pop-state", "push-state", "relax", "rpath",
    "rpath-link", "s", "soname", "sort-common", "sort-section", "start-group", "strip-all", "strip-debug",
    "threads", "u", "undefined", "undefined-version", "unresolved-symbols", "version-script",
    "warn-common", "warn-unresolved-symbols", "whole-archive", "wrap", "x", "z", "(", ")",
}  # fmt: skip
_LINKER_BEGINNINGS = ("-L", "-O", "-l", "-z")
_LINKER_WITH_VALUE = {
    "defsym", "dependency-file", "dynamic-list", "exclude-libs", "export-dynamic-symbol", "h", "m", "rpath",
    "rpath-link", "soname", "u", "undefined", "version-script", "wrap", "z",
}  # fmt: skip
_OBJECTS = (".a", ".lo", ".o", ".obj", ".so")
_PROBES = ("/CMakeScratch/", "/CMakeTmp/", "/_CMakeLTOTest", "/CMakeFiles/_CMake", "/meson-private/", "/conftest")
_LISTING = re.compile(r"^--?dependency-file(=|$)")
_LONGEST_COMMAND = 500_000


def is_probe(directory: str, command: list[str]) -> bool:
    """Whether a configure step asks the compiler a question, mostly in a directory that has another name each time."""
    return any(mark in word for mark in _PROBES for word in (f"{directory}/", *command))


def expand_response_files(arguments: list[str], read: Callable[[str], str]) -> list[str]:
    """Replace @FILE by the arguments in it; one with quotes is refused rather than read as gcc reads it."""
    expanded: list[str] = []
    lto = any(argument.startswith("-flto") for argument in arguments)
    for argument in arguments:
        if not argument.startswith("@"):
            expanded.append(argument)
            continue
        text = read(argument[1:])
        if any(mark in text for mark in "\"'\\@"):
            raise Refused("response file with quotes" if lto or "-flto" in text else "")
        expanded += text.split()
    if sum(map(len, expanded)) > _LONGEST_COMMAND:
        raise Refused("long command")
    return expanded


def parse_link(command: list[str], read: Callable[[str], str]) -> Link:
    """Return the LTO link that a compiler's command line asks for, when its result can be kept."""
    arguments = expand_response_files(command[1:], read)
    if not _NOT_A_LINK.isdisjoint(arguments) or not _uses_lto(arguments):
        raise Refused("")
    outputs: list[str] = []
    for_linker: list[str] = []
    rest = iter(arguments)
    for argument in rest:
        if argument == "-o":
            outputs.append(next(rest, ""))
        elif argument.startswith("-o"):
            outputs.append(argument[2:])
        elif argument == "-Xlinker":
            for_linker.append(next(rest, ""))
        elif argument.startswith("-Wl,"):
            for_linker += argument.split(",")[1:]
        elif argument in _WITH_VALUE:
            next(rest, None)
        elif not _is_known(argument):
            raise Refused(argument.partition("=")[0])
    _check_linker_options(for_linker)
    listings = [part.partition("=")[2] or after for part, after in _pairs(for_linker) if _LISTING.match(part)]
    if len(outputs) != 1 or not outputs[0] or len(listings) > 1:
        raise Refused("no output, or several")
    return Link(command[0], tuple(arguments), outputs[0], *listings)


def _pairs(words: list[str]) -> Iterator[tuple[str, str]]:
    return zip(words, [*words[1:], ""], strict=False)


def _uses_lto(arguments: list[str]) -> bool:
    said = [argument for argument in arguments if argument.startswith("-flto") or argument == "-fno-lto"]
    return any(argument == "-flto" or argument.startswith("-flto=") for argument in said) and said[-1] != "-fno-lto"


def _is_known(argument: str) -> bool:
    if not argument.startswith("-"):
        return argument.endswith(_OBJECTS) or ".so." in os.path.basename(argument)
    if argument.startswith(_REFUSED_BEGINNINGS):
        return False
    return argument in _PLAIN or argument.startswith(_BEGINNINGS)


def _check_linker_options(options: list[str]) -> None:
    """Refuse what is not on the list; what is no option is the value of the one before it, or a file."""
    before = ""
    for option in options:
        if before in _LINKER_WITH_VALUE and "=" not in before:
            before = ""
            continue
        name = option.lstrip("-").partition("=")[0]
        before = option.lstrip("-") if option.startswith("-") else ""
        if option.startswith("-"):
            known = name in _LINKER_OPTIONS or option.startswith(_LINKER_BEGINNINGS)
            if not known or option.endswith("build-id=uuid") or option.startswith("-l:"):
                raise Refused(f"-Wl,-{name}")
        elif option not in "()" and not _is_known(option):
            raise Refused(f"-Wl,{option}")
