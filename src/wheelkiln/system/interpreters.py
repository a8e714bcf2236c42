"""CPython installations on this host that can be copied into a bootstrap base.

They are read from the layouts of pyenv, uv (python-build-standalone) and ``/usr/local``, without running them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Interpreter", "find_interpreters"]

_VERSION = re.compile(r'^#define\s+PY_VERSION\s+"(?P<version>[0-9]+\.[0-9]+\.[0-9]+)(?P<rest>[^"]*)"', re.MULTILINE)
_INCLUDE = re.compile(r"^python3\.[0-9]+$")
_ELF = b"\x7fELF\x02\x01"
"""The beginning of a 64-bit little-endian ELF file (elf(5): EI_CLASS, EI_DATA)."""
_MACHINES = {62: "x86_64", 183: "aarch64"}
_MUSL_LOADER = b"/ld-musl-"
_HEADER_BYTES = 4096


@dataclass(frozen=True, slots=True, order=True)
class Interpreter:
    """A released CPython: tag ``cp312``, full version ``3.12.1``, the prefix it was installed to, its architecture."""

    tag: str
    version: str
    prefix: Path
    arch: str = "x86_64"

    @property
    def short_version(self) -> str:
        """The version that names its directories: ``3.12``."""
        return self.version.rpartition(".")[0]


def find_interpreters(
    home: Path, environ: Mapping[str, str], *, others: Iterable[Path] = ()
) -> tuple[Interpreter, ...]:
    """Return the newest installation of each CPython minor version for each architecture, ordered by version.

    others are prefixes to look at besides the usual places.
    """
    best: dict[tuple[str, str], Interpreter] = {}
    for prefix in (*_candidate_prefixes(home, environ), *others):
        for found in _read_prefix(prefix):
            known = best.get((found.arch, found.tag))
            if known is None or _version_key(found) > _version_key(known):
                best[found.arch, found.tag] = found
    return tuple(sorted(best.values(), key=lambda found: (_version_key(found), found.arch)))


def _candidate_prefixes(home: Path, environ: Mapping[str, str]) -> Iterable[Path]:
    pyenv = Path(environ.get("PYENV_ROOT") or home / ".pyenv")
    data_home = Path(environ.get("XDG_DATA_HOME") or home / ".local/share")
    uv = Path(environ.get("UV_PYTHON_INSTALL_DIR") or data_home / "uv/python")
    yield from _subdirectories(pyenv / "versions")
    yield from _subdirectories(uv)
    yield Path("/usr/local")


def _subdirectories(directory: Path) -> list[Path]:
    try:
        return sorted(path for path in directory.iterdir() if path.is_dir() and not path.is_symlink())
    except OSError:
        return []


def _read_prefix(prefix: Path) -> Iterator[Interpreter]:
    """Read the CPythons of a prefix from their ``patchlevel.h``; pre-releases and other builds are left out."""
    for include in _subdirectories(prefix / "include"):
        arch = _read_arch(prefix / "bin" / include.name) if _INCLUDE.match(include.name) else ""
        if not arch:
            continue
        try:
            match = _VERSION.search((include / "patchlevel.h").read_text(encoding="utf-8", errors="replace"))
        except OSError:
            continue
        if match and not match["rest"].rstrip("+"):
            tag = "cp" + match["version"].rpartition(".")[0].replace(".", "")
            yield Interpreter(tag=tag, version=match["version"], prefix=prefix, arch=arch)


def _read_arch(program: Path) -> str:
    """Return a program's architecture from its ELF header (elf(5): e_machine), empty where no base can run it.

    A base has glibc: a program that names musl's loader, which stands right after the program headers, is none for it.
    """
    try:
        with program.open("rb") as file:
            header = file.read(_HEADER_BYTES)
    except OSError:
        return ""
    if not header.startswith(_ELF) or _MUSL_LOADER in header:
        return ""
    return _MACHINES.get(int.from_bytes(header[18:20], "little"), "")


def _version_key(interpreter: Interpreter) -> tuple[int, ...]:
    return tuple(int(part) for part in interpreter.version.split("."))
