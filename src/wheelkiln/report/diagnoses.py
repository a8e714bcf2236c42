"""What the cache doctor found, for a terminal of any width and as JSON."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

from wheelkiln.cache.causes import Diagnosis, Weight
from wheelkiln.cache.records import JobRecord

__all__ = ["Examined", "diagnosis_lines", "examined_json", "examined_lines"]

_MOST_UNITS = 5
_INDENT = "  "
_LABELS = {Weight.FAULT: "cause", Weight.RISK: "risk", Weight.EXPECTED: "expected"}


@dataclass(frozen=True, slots=True)
class Examined:
    """A job's latest build with what was found; compared tells whether an earlier build was there to compare with."""

    record: JobRecord
    compared: bool
    diagnoses: tuple[Diagnosis, ...]

    @property
    def hits(self) -> int:
        return sum(call.hit for call in self.record.compilations)

    @property
    def misses(self) -> int:
        return sum(call.miss for call in self.record.compilations)


def examined_lines(examined: Examined, width: int) -> Iterator[str]:
    """Lay one job out: a summary, then each diagnosis with its units, what differs, and the remedy."""
    alone = "" if examined.compared else ", no earlier build to compare with"
    yield f"{examined.record.job}: {examined.hits}/{examined.hits + examined.misses} hits{alone}"
    if not examined.diagnoses:
        yield from _wrap("nothing is wrong: every compilation was served", width, _INDENT)
    for diagnosis in examined.diagnoses:
        yield from diagnosis_lines(diagnosis, width)


def diagnosis_lines(diagnosis: Diagnosis, width: int, *, all_units: bool = False) -> Iterator[str]:
    """Lay one diagnosis out."""
    label = f"{_LABELS[diagnosis.weight]}: {diagnosis.title} [{diagnosis.cause.value}]"
    yield from _wrap(label, width, _INDENT)
    inner = _INDENT * 2
    if diagnosis.units:
        yield from _wrap(_units(diagnosis.units, None if all_units else _MOST_UNITS), width, inner)
    if diagnosis.detail:
        yield from _wrap(diagnosis.detail, width, inner)
    yield from _wrap(f"try: {diagnosis.remedy}", width, inner)


def _units(units: tuple[str, ...], most: int | None) -> str:
    shown = ", ".join(units[:most])
    more = len(units) - len(units[:most])
    return f"in {shown}{f' and {more} more' if more else ''}"


def examined_json(examined: Iterable[Examined]) -> list[dict[str, Any]]:
    """Return what was found as JSON values, with all units."""
    return [
        {
            "job": one.record.job,
            "project": one.record.project,
            "compared": one.compared,
            "hits": one.hits,
            "misses": one.misses,
            "diagnoses": [asdict(diagnosis) for diagnosis in one.diagnoses],
        }
        for one in examined
    ]


def _wrap(text: str, width: int, indent: str) -> list[str]:
    """Break between words only, so that paths can be copied; text from logs may hold anything."""
    printable = "".join(char if char.isprintable() else " " for char in text)
    columns = max(width, len(indent) * 4)
    return textwrap.wrap(
        printable,
        columns,
        initial_indent=indent,
        subsequent_indent=indent + _INDENT,
        break_on_hyphens=False,
        break_long_words=False,
    )
