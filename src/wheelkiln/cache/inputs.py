"""What ccache hashed (CCACHE_DEBUG's ``ccache-input-text`` files), and the first difference between two of them."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

from wheelkiln.cache.units import steady_path

__all__ = ["HashedInput", "InputDifference", "debug_runs", "find_difference", "parse_input_text"]

SUFFIX = ".ccache-input-text"
_STAMP = re.compile(r"(?P<unit>.*?)(?:\.(?P<stamp>\d{8}_\d{6}_\d+))?" + re.escape(SUFFIX))
_SECTION = re.compile(r"=== (?P<name>[A-Z ]+) ===")
_MARKER_START = re.compile(r'# \d+ "')
_MARKER = re.compile(r'# \d+ "(?P<file>.*)"[ \d]*')
_COMPILER = "compiler"
_SHOWN = 160
_SECTIONS = ("COMMON", "PREPROCESSOR MODE", "DIRECT MODE")
"""In the order in which a difference tells most."""


@dataclass(frozen=True, slots=True)
class HashedInput:
    """One line of what was hashed: its section and part ("arg", "namespace", "cpp", ...).

    file is the one that a line of preprocessed text is of.
    """

    section: str
    part: str
    text: str
    file: str = ""


@dataclass(frozen=True, slots=True)
class InputDifference:
    """The first input that differs; before or after is empty where one build has more than the other."""

    part: str
    before: str
    after: str
    file: str = ""


def parse_input_text(lines: Iterable[str]) -> Iterator[HashedInput]:
    """Read an input text: sections, ``### label`` lines, and after each label what was hashed under it.

    Some of it was hashed in pieces, and each piece ends a line. What is put together again: the compiler's answer
    about itself, which follows the file name's extension; and the line markers of the preprocessed text, which tell
    the file of the lines after them.
    """
    section, part, file, marker = "", "", "", ""
    answer: list[str] = []
    for line in [*lines, "=== END ==="]:
        text = line.rstrip("\r\n")
        entered = _SECTION.fullmatch(text)
        if entered or text.startswith("### "):
            if answer[1:]:
                yield HashedInput(section, _COMPILER, "".join(answer[1:]))
            section = entered["name"] if entered else section
            part, file, answer = text.removeprefix("### ").strip("= "), "", []
        elif part == "ext":
            answer.append(text)
        elif marker or (part == "cpp" and _MARKER_START.match(text)):
            marker += text
            if ended := _MARKER.fullmatch(marker):
                file, marker = ended["file"], ""
                yield HashedInput(section, "path", file, file)
        elif text:
            yield HashedInput(section, part, text, file)


def find_difference(before: Iterable[str], after: Iterable[str]) -> InputDifference | None:
    """Return the first difference between two input texts, None when they are equal.

    A section that one of them lacks is left out: a call that was served directly has no preprocessed text. The hash of
    a source's text differs whenever the text does, and does not say where, so it is told when nothing else differs.
    """
    earlier, later = _by_section(parse_input_text(before)), _by_section(parse_input_text(after))
    weaker = None
    for section in _SECTIONS:
        if not earlier[section] or not later[section]:
            continue
        for one, two in zip_longest(earlier[section], later[section]):
            if one == two:
                continue
            difference = _difference(one, two)
            if not difference.part.endswith("hash"):
                return difference
            weaker = weaker or difference
    return weaker


def _by_section(inputs: Iterable[HashedInput]) -> defaultdict[str, list[HashedInput]]:
    sections: defaultdict[str, list[HashedInput]] = defaultdict(list)
    for entry in inputs:
        sections[entry.section].append(entry)
    return sections


def _difference(one: HashedInput | None, two: HashedInput | None) -> InputDifference:
    present = two or one
    assert present is not None
    old, new = _excerpts(one.text if one else "", two.text if two else "")
    return InputDifference(present.part, old, new, present.file)


def _excerpts(one: str, two: str) -> tuple[str, str]:
    """Cut two long texts to what is around the first place where they differ."""
    place = next((index for index, (old, new) in enumerate(zip(one, two, strict=False)) if old != new), 0)
    start = max(0, place - _SHOWN // 2)
    return one[start : start + _SHOWN].strip(), two[start : start + _SHOWN].strip()


def debug_runs(directory: Path) -> dict[str, list[Path]]:
    """Return the input texts below a debug directory for each unit, oldest first.

    A unit is known by its object file's place, without random parts. ccache 4.6 and later put a time into the names,
    so that one directory can hold several builds.
    """
    runs: dict[str, list[tuple[str, Path]]] = {}
    for path in sorted(directory.rglob(f"*{SUFFIX}")):
        matched = _STAMP.fullmatch(path.name)
        if matched:
            unit = steady_path(str(path.relative_to(directory).parent / matched["unit"]))
            runs.setdefault(unit, []).append((matched["stamp"] or "", path))
    return {unit: [path for _, path in sorted(found)] for unit, found in runs.items()}
