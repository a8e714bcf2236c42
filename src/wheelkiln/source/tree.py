"""Has a project directory changed since its sdist was made? Told by the file system, without reading a file."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

from wheelkiln.system.files import land_file, make_directory, naming_storage_errors

__all__ = ["keep_sdist", "kept_sdist"]

_FORMAT = 2
_MOST_ENTRIES = 100_000
"""A larger tree is packed each time: walking it is no longer quick."""
_IN_USE_SECONDS = 24 * 3600.0
_SETTING = "[tool.wheelkiln.cache] dir"
_NEVER_PACKED = frozenset({"__pycache__", ".mypy_cache", ".ruff_cache", ".pytest_cache", ".tox", ".nox"})
_OUTPUT_MARKS = ("wheelkiln-manifest.json", "pyvenv.cfg")
"""Files that mark a directory as an output of wheelkiln or a virtual environment."""
_BACKEND_VARIABLES = ("SETUPTOOLS_SCM", "HATCH_", "PDM_", "PBR_", "SKBUILD_", "MESON", "SOURCE_DATE_EPOCH", "VERSION")


def kept_sdist(tree: Path, environ: Mapping[str, str], cache_dir: Path) -> Path | None:
    """Return the sdist that was made of the tree as it is now, None when there is none.

    A file counts as unchanged when its inode, size, mode and times are: the time of change of an inode cannot be set
    back. Git's commit and tags, the day, and the variables that backends take versions from count as well.
    """
    state = _state(tree, environ)
    return next(iter((_place(tree, cache_dir) / state).glob("*.tar.gz")), None) if state else None


def keep_sdist(sdist: Path, tree: Path, environ: Mapping[str, str], cache_dir: Path) -> None:
    """Remember an sdist that was just made; backends may have written into the tree meanwhile."""
    state = _state(tree, environ)
    if not state:
        return
    place = _place(tree, cache_dir) / state
    make_directory(place, setting=_SETTING)
    with naming_storage_errors(place, setting=_SETTING):
        land_file(sdist, place)
    _remove_old(place.parent, keep=place)


def _remove_old(place: Path, *, keep: Path) -> None:
    """Remove sdists of earlier states, but for those that a run may still be building from."""
    for state in place.iterdir():
        if state != keep and time.time() - state.stat().st_mtime > _IN_USE_SECONDS:
            shutil.rmtree(state, ignore_errors=True)


def _place(tree: Path, cache_dir: Path) -> Path:
    return cache_dir / "trees" / hashlib.sha256(str(tree.resolve()).encode()).hexdigest()[:24]


def _state(tree: Path, environ: Mapping[str, str]) -> str:
    """Digest what the file system says of the tree; empty when it is too large or its git directory is elsewhere."""
    if (tree / ".git").is_file():
        return ""
    digest = hashlib.sha256()
    variables = sorted((name, value) for name, value in environ.items() if name.startswith(_BACKEND_VARIABLES))
    digest.update(json.dumps([_FORMAT, str(datetime.now(UTC).date()), variables]).encode())  # versions can have a day
    for number, entry in enumerate(_entries(tree)):
        if number >= _MOST_ENTRIES:
            return ""
        digest.update(entry)
    return digest.hexdigest()


def _entries(tree: Path) -> Iterator[bytes]:
    for directory, names, files in os.walk(tree):
        here = Path(directory)
        if here == tree / ".git":  # what versions are made from, without the index, which every 'git status' rewrites
            names[:] = ["refs"]
            files = [name for name in files if name in ("HEAD", "packed-refs")]  # noqa: PLW2901
        else:
            names[:] = sorted(name for name in names if not _is_left_out(here / name))
        for name in sorted(files):
            path = here / name
            found = path.lstat()
            facts = (found.st_ino, found.st_mode, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
            yield json.dumps([str(path.relative_to(tree)), facts]).encode()


def _is_left_out(directory: Path) -> bool:
    """Tell whether a directory is made by builds and tools, so that nothing in it changes the sdist."""
    if directory.name in _NEVER_PACKED or directory.name.endswith(".egg-info"):
        return True
    return any((directory / mark).is_file() for mark in _OUTPUT_MARKS)
