"""How two texts differ: by their keys where they have some, else by their lines."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from wheelkiln.verify.difference.content import MOST_DIFFERENCES
from wheelkiln.verify.difference.model import Cause, Difference, Weight, observed
from wheelkiln.verify.difference.signs import differing

__all__ = ["compare_headers", "compare_json", "compare_lines", "compare_values"]

_MOST_LINES = 200_000
_DEEPEST = 24
_MOST_VALUES = 200_000
_ABSENT = ""
_NAME = re.compile(r"([A-Za-z0-9][\w.+-]*)(?:\s*[=@]|\s|$)")
"""What stands before a version: ``numpy==2.1``, ``gcc-12=12.2.0``."""


def compare_lines(one: str, other: str) -> Iterator[Difference]:
    """Tell which lines only one text has, in pairs as they follow each other, with their numbers."""
    first, second = (text.splitlines()[:_MOST_LINES] for text in (one, other))
    if first == second:
        yield Difference("line endings, or what follows the last line looked at", "", "")
        return
    only_first, only_second = _without(first, second), _without(second, first)
    if not only_first and not only_second:
        at = next(index for index, pair in enumerate(zip(first, second, strict=True)) if pair[0] != pair[1])
        place = f"line {at + 1}: the same lines in another order"
        yield Difference(place, first[at][:160], second[at][:160], Cause.PARALLEL_ORDER, Weight.DIRECT)
        return
    for index in range(min(max(len(only_first), len(only_second)), MOST_DIFFERENCES)):
        (number, before), (other_number, after) = _at(only_first, index), _at(only_second, index)
        if before.split() != after.split() and Counter(before.split()) == Counter(after.split()):
            yield Difference(
                f"line {number}: the same words in another order", before[:160], after[:160], Cause.RANDOM, Weight.HINT
            )
        else:
            yield differing(f"line {number or other_number}", before, after)


def compare_headers(one: str, other: str, causes: Mapping[str, Cause]) -> Iterator[Difference]:
    """Compare texts of ``Key: value`` lines and a body (METADATA, WHEEL); causes are those of keys."""
    (first, body), (second, other_body) = _read_headers(one), _read_headers(other)
    for key in dict.fromkeys((*first, *second)):
        before, after = first.get(key, []), second.get(key, [])
        if before == after:
            continue
        if Counter(before) == Counter(after):
            texts = (", ".join(before)[:160], ", ".join(after)[:160])
            yield observed(
                f"{key}: the same values in another order", texts, cause=Cause.PARALLEL_ORDER, weight=Weight.DIRECT
            )
            continue
        only = (_lines(_without(before, after)), _lines(_without(after, before)))
        found = differing(key, *only)
        known = causes.get(key)
        yield Difference(key, found.one, found.other, known, Weight.DIRECT) if known else found
    if body != other_body:
        yield from compare_lines("\n".join(body), "\n".join(other_body))


def compare_json(one: str, other: str) -> Iterator[Difference]:
    """Compare two JSON texts by their keys; texts that are no JSON, by their lines."""
    try:
        first, second = json.loads(one), json.loads(other)
    except (ValueError, RecursionError):
        yield from compare_lines(one, other)
        return
    found = list(compare_values(first, second))
    yield from found
    if not found:
        yield Difference("layout, or the order of keys", "", "", Cause.PARALLEL_ORDER, Weight.HINT)


def compare_values(one: Any, other: Any) -> Iterator[Difference]:
    """Yield a difference for each value that is not the same, with the way to it as its place."""
    first, second = dict(_flatten(one)), dict(_flatten(other))
    for place in dict.fromkeys((*first, *second)):
        if first.get(place, _ABSENT) != second.get(place, _ABSENT):
            yield differing(place, first.get(place, _ABSENT), second.get(place, _ABSENT))


def _flatten(value: Any) -> Iterator[tuple[str, str]]:
    """Yield all values by their ways, without recursion and with limits: the document is anybody's."""
    left: list[tuple[str, Any, int]] = [("", value, 0)]
    for _ in range(_MOST_VALUES):
        if not left:
            return
        place, found, depth = left.pop()
        if isinstance(found, dict) and depth < _DEEPEST:
            items = [(f"{place}.{key}" if place else str(key), entry) for key, entry in found.items()]
        elif isinstance(found, list) and depth < _DEEPEST:
            items = list(_name_entries(place, found))
        else:
            yield place or "value", found if isinstance(found, str) else json.dumps(found)[:4096]
            continue
        left += [(name, entry, depth + 1) for name, entry in reversed(items)]


def _name_entries(place: str, entries: Sequence[Any]) -> Iterator[tuple[str, Any]]:
    """Name a list's entries by their names where they have some, so that one more does not shift the rest."""
    for index, entry in enumerate(entries):
        named = entry.get("name") or entry.get("requirement") if isinstance(entry, dict) else entry
        name = _NAME.match(named) if isinstance(named, str) else None
        yield f"{place}[{name[1] if name else index}]", entry


def _read_headers(text: str) -> tuple[dict[str, list[str]], list[str]]:
    found: dict[str, list[str]] = {}
    lines = text.splitlines()[:_MOST_LINES]
    for number, line in enumerate(lines):
        if not line.strip():
            return found, lines[number + 1 :]
        key, colon, value = line.partition(":")
        found.setdefault(key if colon else "text", []).append(value.strip() if colon else line)
    return found, []


def _without(lines: Sequence[str], others: Sequence[str]) -> list[tuple[int, str]]:
    """Return the lines that are not among the others, with their numbers, each as often as it is too many."""
    left = Counter(lines) - Counter(others)
    found = []
    for number, line in enumerate(lines, 1):
        if left[line] > 0:
            left[line] -= 1
            found.append((number, line))
    return found


def _lines(found: Sequence[tuple[int, str]]) -> str:
    return ", ".join(line for _, line in found)


def _at(found: Sequence[tuple[int, str]], index: int) -> tuple[int, str]:
    return found[index] if index < len(found) else (0, "")
