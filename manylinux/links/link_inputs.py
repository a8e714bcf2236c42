"""What a link reads: files that its command names, files that the linker lists, and where it looked for libraries."""

from __future__ import annotations

import hashlib
import os
import re
import shlex
from collections.abc import Iterable, Mapping
from typing import NamedTuple

__all__ = [
    "Probe",
    "candidates",
    "digest_file",
    "library_names",
    "named_files",
    "parse_dependencies",
    "parse_probe",
    "relevant_environment",
]

_ENVIRONMENT = {"COMPILER_PATH", "LANG", "LC_ALL", "LC_MESSAGES", "LIBRARY_PATH", "GCC_EXEC_PREFIX", "GNUTARGET"}
_ENVIRONMENT_BEGINNINGS = ("CCC_", "COLLECT_", "GCC_", "LDEMULATION", "LD_", "LLD_", "MOLD_")
_RESOLUTION = re.compile(r"-fresolution=[^\s\"]+")
_DIRECTORIES = tuple(
    f"{root}/{name}" for root in ("", "/usr", "/usr/local") for name in ("lib", "lib64", "lib/x86_64-linux-gnu",
                                                                       "lib/aarch64-linux-gnu")
)  # fmt: skip
_LIBRARY = re.compile(r"^(lib.+?)\.(?:so|a)(?:\.[0-9.]+)?$")
_LTRANS = re.compile(r"\.(?:ltrans\d*|lto)(?:\.\w+)*\.?o?$|/cc\w{6}\.\S*o$")
_THIN_ARCHIVE = b"!<thin>\n"


class Probe(NamedTuple):
    """What a compiler and a linker told of one link without doing it (``-v -Wl,--version``).

    text is the same for the same link; programs are what runs; arguments are the linker's.
    """

    text: str
    programs: tuple[str, ...]
    arguments: tuple[str, ...]


def parse_probe(stdout: str, stderr: str) -> Probe:
    """Read a probe: the last command that is told is the linker's. The plugin's scratch file has a random name."""
    text = _RESOLUTION.sub("-fresolution=", f"{stdout}\n{stderr}")
    programs: list[str] = []
    arguments: tuple[str, ...] = ()
    for line in stderr.splitlines():
        if "--version" in line and line.lstrip(' "').startswith("/"):
            words = shlex.split(line)
            programs.append(words[0])
            arguments = tuple(words[1:])
    return Probe(text, tuple(programs), arguments)


def relevant_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return what compiler and linker look at; SOURCE_DATE_EPOCH is not in it, as no maker of ELF files reads it."""
    return {
        name: value
        for name, value in sorted(environ.items())
        if name in _ENVIRONMENT or name.startswith(_ENVIRONMENT_BEGINNINGS)
    }


def named_files(arguments: Iterable[str], outputs: Iterable[str]) -> list[str]:
    """Return the files, but for outputs, that exist under a name in the arguments: alone, after ``=``, or a comma."""
    found: set[str] = set()
    skipped = {"", *outputs}
    for argument in arguments:
        parts = {argument, argument.partition("=")[2], *argument.split(","), argument.rpartition("=")[2]}
        found |= {part for part in parts if part not in skipped and os.path.isfile(part)}
    return sorted(found)


def parse_dependencies(text: str) -> list[str] | None:
    """Return the files of the first rule of a dependency file, without the linker's own LTO objects.

    None when a file is listed that is not there: then it is not known what the linker has read. GNU ld writes one
    name a line as it is, lld and mold escape blanks.
    """
    target, colon, rest = text.partition(":")
    if not target or not colon:
        return None
    found: set[str] = set()
    for line in rest.split("\n\n")[0].splitlines():
        name = line.strip().removesuffix("\\").rstrip()
        if not name:
            continue
        names = [name] if os.path.isfile(name) else [_unescape(part) for part in re.split(r"(?<!\\)\s+", name)]
        for part in names:
            if os.path.isfile(part):
                found.add(part)
            elif not _LTRANS.search(part):
                return None
    return sorted(found)


def _unescape(name: str) -> str:
    return re.sub(r"\\(.)", r"\1", name).replace("$$", "$")


def library_names(arguments: Iterable[str], files: Iterable[str]) -> list[str]:
    """Return the libraries (``libm``) that a linker was asked for by name, or found."""
    asked = {f"lib{argument[2:]}" for argument in arguments if re.match(r"-l[^:]", argument)}
    matches = (_LIBRARY.match(os.path.basename(name)) for name in files)
    return sorted(asked | {match.group(1) for match in matches if match})


def candidates(arguments: Iterable[str], names: Iterable[str]) -> list[str]:
    """Return the files that a search for these libraries could find, since a new one can come before the others."""
    words = list(arguments)
    given = [word[2:] or after for word, after in zip(words, [*words[1:], ""], strict=False) if word.startswith("-L")]
    places = dict.fromkeys([*given, *_DIRECTORIES])
    endings = (".so", ".a")
    wanted = [name + ending for name in names for ending in endings]
    return [path for place in places for path in (os.path.join(place, name) for name in wanted) if os.path.exists(path)]


def digest_file(path: str) -> str:
    """Return a file's digest; raise OSError for one that cannot be read, or that only points to others."""
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        block = stream.read(1 << 20)
        if block.startswith(_THIN_ARCHIVE):
            raise OSError("a thin archive")
        while block:
            digest.update(block)
            block = stream.read(1 << 20)
    return digest.hexdigest()
