"""Patch files applied strictly: every line of a hunk's context must be there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from wheelkiln.errors import ConfigError
from wheelkiln.source.patch_files import FileChange, read_patch
from wheelkiln.source.tarball import SdistTree

if TYPE_CHECKING:
    from unidiff.patch import Hunk

__all__ = ["apply_patch"]

_NO_FILE = "nothing: the file ends before"


def apply_patch(tree: SdistTree, patch: Path, *, mtime: int, say: Callable[[str], None] = lambda _: None) -> None:
    """Apply a unified diff to tree; mtime is the time of new files in seconds.

    A hunk whose lines stand elsewhere, and only there, is applied there, and say receives it. Raise ConfigError for
    anything else that does not fit, with the patch, the file and the hunk.
    """
    for change in read_patch(patch, tree):
        _check_places(change, tree, patch)
        _apply_change(tree, change, patch, mtime, say)


def _check_places(change: FileChange, tree: SdistTree, patch: Path) -> None:
    """Refuse what is not there, what is there already, and ways that lead over links."""
    for path in (change.source, change.target):
        obstacle = tree.obstacle(path) if path else ""
        if obstacle:
            raise ConfigError(f"{patch.name} does not apply: {obstacle}")
    if change.source and not tree.is_file(change.source):
        raise ConfigError(
            f"{patch.name} does not apply: {tree.title} has no file {change.source}",
            hint="Names in a patch begin at the project's root, with or without one more directory (a/, b/).",
        )
    if change.target and change.target != change.source and tree.is_file(change.target):
        raise ConfigError(
            f"{patch.name} does not apply: it makes {change.target}, which {tree.title} has already",
            hint="If the release has the change by now, limit the patch with 'versions'.",
        )


def _apply_change(tree: SdistTree, change: FileChange, patch: Path, mtime: int, say: Callable[[str], None]) -> None:
    lines = _split(tree.read(change.source)) if change.source else []
    for text in _apply_hunks(lines, change, patch):
        say(text)
    if not change.target:
        if lines:
            raise ConfigError(f"{patch.name} does not apply: it removes {change.source}, which has more lines")
        tree.remove(change.source)
        return
    if change.source and change.source != change.target:
        tree.move(change.source, change.target)
    tree.write(change.target, b"".join(lines), mtime=mtime, executable=change.executable)


def _apply_hunks(lines: list[bytes], change: FileChange, patch: Path) -> Iterator[str]:
    """Change lines by each hunk; yield what is told of hunks that fit at another line than theirs."""
    drift = 0  # lines that earlier hunks added, and the distance at which they were found
    floor = 0
    for number, hunk in enumerate(change.hunks, 1):
        old, new = list(_side(hunk, "-")), list(_side(hunk, "+"))
        asked = hunk.source_start - (1 if hunk.source_length else 0) + drift
        found = _find(lines, old, new, asked, floor)
        if found is None:
            raise _refusal(lines, old, asked, change, number, hunk, patch)
        if found != asked:
            yield (
                f"{patch.name}: hunk {number} of {change.path} fits at line {found + 1} instead of {asked + 1}; "
                "make the patch anew when convenient"
            )
        lines[found : found + len(old)] = new
        floor = found + len(new)
        drift += found - asked + len(new) - len(old)


def _side(hunk: Hunk, sign: str) -> Iterator[bytes]:
    """The lines before (``-``) or after (``+``) a hunk; a line before the marker of no newline loses its own."""
    kept: str | None = None
    for line in hunk:
        if line.line_type == "\\":
            if kept is not None:
                kept = kept.removesuffix("\n")
            continue
        if kept is not None:
            yield kept.encode("utf-8", errors="surrogateescape")
        kept = line.value if line.line_type in (" ", sign) else None
    if kept is not None:
        yield kept.encode("utf-8", errors="surrogateescape")


def _find(lines: Sequence[bytes], old: Sequence[bytes], new: Sequence[bytes], asked: int, floor: int) -> int | None:
    """Find where old stands and new can: where it is asked for, else at the only other place after floor."""
    if floor <= asked <= len(lines) and _fits(lines, old, new, asked):
        return asked
    places = _places(lines, old, new, floor) if old else []
    return places[0] if len(places) == 1 else None


def _places(lines: Sequence[bytes], old: Sequence[bytes], new: Sequence[bytes], floor: int) -> list[int]:
    ends = range(floor, len(lines) - len(old) + 1)
    return [place for place in ends if lines[place] == old[0] and _fits(lines, old, new, place)]


def _fits(lines: Sequence[bytes], old: Sequence[bytes], new: Sequence[bytes], place: int) -> bool:
    """Tell whether old stands at place; a line without an end is the last one, before and after."""
    if list(lines[place : place + len(old)]) != list(old):
        return False
    made = [*lines[max(place - 1, 0) : place], *new] if new else []
    inner = made if place + len(old) < len(lines) else made[:-1]
    return all(line.endswith(b"\n") for line in inner)


def _refusal(
    lines: Sequence[bytes], old: Sequence[bytes], asked: int, change: FileChange, number: int, hunk: Hunk, patch: Path
) -> ConfigError:
    header = (
        f"@@ -{hunk.source_start},{hunk.source_length} +{hunk.target_start},{hunk.target_length} @@ "
        f"{hunk.section_header}".strip()
    )
    found = [*lines[max(asked, 0) : max(asked, 0) + len(old)]]
    padded: list[bytes | None] = [*found, *[None] * (len(old) - len(found))]
    differing = [(at, want, have) for at, (want, have) in enumerate(zip(old, padded, strict=True)) if want != have]
    at, want, have = differing[0] if differing else (0, b"", None)
    return ConfigError(
        f"{patch.name} does not apply: hunk {number} of {change.path}, {header}\n"
        f"  line {max(asked, 0) + at + 1}\n"
        f"  expected {_show(want)}\n"
        f"  found    {_show(have)}",
        hint=_remedy(lines, old, want, have),
    )


def _show(line: bytes | None) -> str:
    return _NO_FILE if line is None else repr(line.decode("utf-8", errors="backslashreplace"))


def _remedy(lines: Sequence[bytes], old: Sequence[bytes], want: bytes, have: bytes | None) -> str:
    if have is not None and have.rstrip(b"\r\n") == want.rstrip(b"\r\n"):
        return "Only the ends of the lines differ: the patch, or the file, was converted between LF and CR LF."
    if old and len(_places(lines, old, (), 0)) > 1:
        return "Its lines stand at several other places: give the hunk more context (diff -U10)."
    return "Make the patch anew from this version's sources, or limit it with 'versions' to those that it fits."


def _split(content: bytes) -> list[bytes]:
    """Split at LF alone, which stays: a CR belongs to the line."""
    lines = content.split(b"\n")
    return [line + b"\n" for line in lines[:-1]] + ([lines[-1]] if lines[-1] else [])
