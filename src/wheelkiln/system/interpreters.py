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


def find_interpreters(home: Path, environ: Mapping[str, str]) -> tuple[Interpreter, ...]:
    """Return the newest installation of each CPython minor version, ordered by version."""
    best: dict[str, Interpreter] = {}
    for prefix in _candidate_prefixes(home, environ):
        for found in _read_prefix(prefix):
            known = best.get(found.tag)
            if known is None or _version_key(found) > _version_key(known):
                best[found.tag] = found
    return tuple(sorted(best.values(), key=_version_key))


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
        if not _INCLUDE.match(include.name) or not (prefix / "bin" / include.name).exists():
            continue
        try:
            match = _VERSION.search((include / "patchlevel.h").read_text(encoding="utf-8", errors="replace"))
        except OSError:
            continue
        if match and not match["rest"].rstrip("+"):
            tag = "cp" + match["version"].rpartition(".")[0].replace(".", "")
            yield Interpreter(tag=tag, version=match["version"], prefix=prefix)


def _version_key(interpreter: Interpreter) -> tuple[int, ...]:
    return tuple(int(part) for part in interpreter.version.split("."))
