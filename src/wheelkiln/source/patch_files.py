"""Patch files read: which files of an sdist a unified diff changes, and how. Nothing outside of the sdist is named."""

from __future__ import annotations

import ast
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from wheelkiln.errors import ConfigError
from wheelkiln.source.tarball import MAX_EDITED_BYTES, SdistTree

if TYPE_CHECKING:
    from unidiff.patch import Hunk, PatchedFile

__all__ = ["FileChange", "read_patch"]

_NOTHING = "/dev/null"
_GIT_PREFIXES = frozenset("abciow12")
"""What git puts before names: a/ and b/, those of diff.mnemonicPrefix, and 1/ and 2/ of diff --no-index."""
_REGULAR_MODES = ("100644", "100755", None)
_NEVER = ("1970-01-01", "1969-12-31")
"""The day that GNU diff gives to a file that is not there: 0 in local time."""


@dataclass(frozen=True, slots=True)
class FileChange:
    """What a patch does to one file: source is empty for a new file, target for one that goes."""

    source: str
    target: str
    executable: bool | None
    hunks: tuple[Hunk, ...]

    @property
    def path(self) -> str:
        return self.target or self.source


def read_patch(patch: Path, tree: SdistTree) -> list[FileChange]:
    """Read what a patch file does; names may have one directory more than the files of tree (a/, b/).

    Raise ConfigError when it is no unified diff, or asks for more than changed, new, renamed and removed text files.
    """
    parsed = _parse(patch)
    strip = _strip_level(parsed, tree)
    return [_read_change(file, tree, strip, patch) for file in parsed]


def _parse(patch: Path) -> list[PatchedFile]:
    from unidiff.errors import UnidiffParseError
    from unidiff.patch import PatchSet

    try:
        content = patch.read_bytes()
    except OSError as error:
        raise ConfigError(f"the patch {patch} cannot be read: {error.strerror}") from error
    if len(content) > MAX_EDITED_BYTES:
        raise ConfigError(f"the patch {patch} has more than {MAX_EDITED_BYTES} bytes")
    text = content.decode("utf-8", errors="surrogateescape")
    try:
        parsed = list(PatchSet(io.StringIO(text, newline="\n")))
    except (UnidiffParseError, ValueError) as error:
        raise ConfigError(f"{patch.name} is not a unified diff: {str(error).strip()}") from error
    if not parsed:
        raise ConfigError(f"{patch.name} changes no file", hint="A patch is a unified diff, as 'git diff' writes it.")
    if any(name.endswith("\r") for file in parsed for name in (file.source_file, file.target_file)):
        raise ConfigError(
            f"the lines of {patch.name} end in CR LF, its headers too",
            hint="Something converted the file. Keep patches as they were made: '*.patch -text' in .gitattributes.",
        )
    return parsed


def _strip_level(parsed: Sequence[PatchedFile], tree: SdistTree) -> int:
    """Find how many leading directories of the patch's names are not the sdist's: 1 as git writes them, or 0.

    Files that are changed must be there; a patch that only makes files is judged by its prefixes, else by the
    directories that are there.
    """
    old = [name for file in parsed if (name := _unquote(file.source_file)) != _NOTHING]
    new = [name for file in parsed if (name := _unquote(file.target_file)) != _NOTHING]
    for level in (1, 0):
        made = {_strip(name, level) for name in new}
        if old and any(tree.is_file(_strip(name, level)) for name in (*old, *new)):
            return level
        if not old and level == 1 and all(name.split("/")[0] in _GIT_PREFIXES and "/" in name for name in new):
            return level
        if not old and level == 0 and any("/" not in name or tree.has_directory(name.split("/")[0]) for name in made):
            return level
    return 1


def _unquote(name: str) -> str:
    """Read a name as git and GNU diff quote it, with C's escapes; a name that is not quoted is itself."""
    if not (name.startswith('"') and name.endswith('"') and len(name) > 1):
        return name
    try:
        raw = ast.literal_eval(f"b{name}")
    except (SyntaxError, ValueError):
        return name
    return bytes(raw).decode("utf-8", errors="surrogateescape")


def _strip(name: str, level: int) -> str:
    parts = PurePosixPath(name).parts
    return PurePosixPath(*parts[level:]).as_posix() if len(parts) > level else name


def _read_change(file: PatchedFile, tree: SdistTree, strip: int, patch: Path) -> FileChange:
    source, target = _unquote(file.source_file), _unquote(file.target_file)
    info = "".join(file.patch_info or ())
    shown = target if target != _NOTHING else source
    if file.is_binary_file:
        raise ConfigError(
            f"{patch.name} changes {shown} as a binary file, which is not supported",
            hint="Make the patch with 'git diff --text', or leave the file out of it.",
        )
    if file.source_mode not in _REGULAR_MODES or file.target_mode not in _REGULAR_MODES:
        raise ConfigError(f"{patch.name} makes or changes a link or a submodule: {shown}")
    if "\ncopy from " in info:
        raise ConfigError(f"{patch.name} copies a file to {shown}", hint="Make it with 'git diff --no-renames'.")
    hunks = tuple(file)
    old = "" if source == _NOTHING else _inside(source, strip, patch)
    new = "" if target == _NOTHING else _inside(target, strip, patch)
    if "\nrename from " not in info and old and new and old != new:  # diff -u a.orig a
        old = new = old if tree.is_file(old) and not tree.is_file(new) else new
    if _begins_empty(hunks) and ((file.source_timestamp or "").startswith(_NEVER) or not tree.is_file(old)):
        old = ""
    if new and _ends_empty(hunks) and (file.target_timestamp or "").startswith(_NEVER):
        new = ""
    executable = file.target_mode == "100755" if file.target_mode and file.source_mode != file.target_mode else None
    return FileChange(old, new, executable, hunks)


def _begins_empty(hunks: Sequence[Hunk]) -> bool:
    return len(hunks) == 1 and hunks[0].source_start == hunks[0].source_length == 0


def _ends_empty(hunks: Sequence[Hunk]) -> bool:
    return len(hunks) == 1 and hunks[0].target_start == hunks[0].target_length == 0


def _inside(name: str, strip: int, patch: Path) -> str:
    path = PurePosixPath(_strip(name, strip))
    if PurePosixPath(name).is_absolute() or ".." in path.parts or not path.parts or "\0" in name:
        raise ConfigError(f"{patch.name} names a file outside of the sdist: {name!r}")
    return path.as_posix()
