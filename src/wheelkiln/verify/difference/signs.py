"""What two texts that differ say of the cause: times, paths, versions of tools, random names."""

from __future__ import annotations

import re
from collections.abc import Callable

from wheelkiln.verify.difference.model import Cause, Difference, Weight, observed

__all__ = ["differing", "find_cause", "printable"]

_SHOWN = 160
_READ = 4096
_BEFORE = 512
_SEARCHED = 1 << 20
_QUARTER = 15 * 60
_MONTHS = "(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*"
_CLOCK = re.compile(r"(?<!\d)([01]\d|2[0-3]):([0-5]\d):([0-5]\d)(?!\d)")
_DATE = re.compile(
    rf"(?<!\d)20\d\d[-/.][01]\d[-/.][0-3]\d(?!\d)|\b{_MONTHS} +[0-3]?\d,? +20\d\d\b|\b[0-3]?\d[ -]{_MONTHS}[ -]20\d\d\b"
    r"|\b20\d\d[01]\d[0-3]\d(?:[T-]?\d{4,6})?\b"
)
_SECONDS = re.compile(r"(?<![\w.])1[0-9]{9}(?:\.\d+|(?:\d{3}){1,3})?(?!\w)")
"""Seconds since 1970, or thousandths and finer, of the years from 2001 to 2033."""
_ZONE = re.compile(r"(?<=\d)[+-](?:0\d|1[0-4]):?[0-5]\d\b|\b(?:UTC|GMT|CES?T|[EMP][SD]T)\b")
_PATH = re.compile(r"(?:^|[\s=:;,'\"(])(/[^\s:;,'\"()]*/[^\s:;,'\"()]+)")
_RANDOM = re.compile(
    r"\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b"  # a UUID
    r"|\b0x[0-9a-f]{6,16}\b|\b(?=\d*[a-f])(?=[a-f]*\d)[0-9a-f]{12,128}\b|\btmp[a-z0-9_]{6,12}\b"
    r"|\bcc[a-z0-9]{6}\.(?:o|s|ltrans\w*)\b",  # a temporary file of gcc's (gcc manual: -save-temps)
    re.IGNORECASE,
)
_COMPILER = re.compile(
    r"\bGCC: \([^)]*\) [\d.]+(?: \d{8})?|\bGNU (?:C|C\+\+|Fortran\w*|AS)\d* [\d.]+|\b(?:clang|rustc) version \S+"
)
_TOOL = re.compile(
    r"\b(?:Cython|setuptools|bdist_wheel|wheel|flit|hatchling|maturin|pybind11|nanobind|cffi|SWIG|meson|poetry-core"
    r"|scikit-build-core|auditwheel|numpy)[\s(=:]+v?\d[\w.+-]*",
    re.IGNORECASE,
)
_NATIVE = re.compile(r"-m(?:arch|tune|cpu)=native\b|--param[= ]l[12]-cache-[\w=-]+")
"""gcc writes the caches of the building machine where it replaces -march=native by what it found."""
_FLAG = re.compile(r"(?:^|\s)(-(?:O[0-3sgz]|f[a-z][\w=-]*|m[a-z][\w.=-]*|std=\S+|D[A-Za-z_]\S*|g[\d\w-]*))(?=\s|$)")


def differing(place: str, one: str, other: str, *, guess: Cause | None = None) -> Difference:
    """Return a difference of two texts with the cause that it shows; without one, with a guess.

    Where only one of them is there, a time or path in it need not be what makes the difference.
    """
    first = _first_difference(one, other)
    start = max(0, first - _BEFORE)
    cause = find_cause(one[start:], other[start:])
    weight = Weight.DIRECT if cause is not None and one and other else Weight.HINT
    return observed(place, _excerpts(one, other, first), cause or guess, weight)


def find_cause(one: str, other: str) -> Cause | None:
    """Return the cause that two texts show by how they differ; the first rule that holds has the say."""
    one, other = one[:_READ], other[:_READ]
    found = next((cause for cause, holds in _TOOL_RULES if holds(one, other)), None)
    if found is not None:
        return found
    one, other = _COMPILER.sub("", one), _COMPILER.sub("", other)  # a compiler's version can have a date
    return next((cause for cause, holds in _VALUE_RULES if holds(one, other)), None)


def printable(text: str) -> str:
    """Return text that can be shown on one line."""
    return "".join(char if char.isprintable() else "\N{MIDDLE DOT}" for char in text)


def _first_difference(one: str, other: str) -> int:
    """Return the first index at which two texts differ, as far as they are searched."""
    pairs = enumerate(zip(one[:_SEARCHED], other[:_SEARCHED], strict=False))
    return next((index for index, pair in pairs if pair[0] != pair[1]), 0)


def _excerpts(one: str, other: str, first: int) -> tuple[str, str]:
    """Cut both around the first character that differs."""
    start = max(0, first - _SHOWN // 3) if max(len(one), len(other)) > _SHOWN else 0
    return _cut(one, start), _cut(other, start)


def _cut(text: str, start: int) -> str:
    part = printable(text[start : start + _SHOWN])
    return f"{'...' if start else ''}{part}{'...' if start + _SHOWN < len(text) else ''}"


def _changes(pattern: re.Pattern[str], *, in_both: bool = False) -> Callable[[str, str], bool]:
    """Make a rule: what a pattern finds is not the same in both texts; in_both wants it to find something in each."""

    def holds(one: str, other: str) -> bool:
        first, second = pattern.findall(one), pattern.findall(other)
        return first != second and (not in_both or bool(first and second))

    return holds


def _is_shifted(one: str, other: str) -> bool:
    """Tell whether clocks differ by whole quarters of an hour: the same moment in another time zone."""
    pairs = list(zip(map(_of_day, _CLOCK.findall(one)), map(_of_day, _CLOCK.findall(other)), strict=False))
    return bool(pairs) and all(first != second and (first - second) % _QUARTER == 0 for first, second in pairs)


def _of_day(clock: tuple[str, str, str]) -> int:
    hours, minutes, seconds = map(int, clock)
    return hours * 3600 + minutes * 60 + seconds


_Rules = tuple[tuple[Cause, Callable[[str, str], bool]], ...]
_TOOL_RULES: _Rules = (
    (Cause.CPU_NATIVE, _changes(_NATIVE)),
    (Cause.COMPILER, _changes(_COMPILER, in_both=True)),
    (Cause.FLAGS, _changes(_FLAG)),
    (Cause.REQUIREMENT, _changes(_TOOL, in_both=True)),
)
_VALUE_RULES: _Rules = (
    (Cause.LOCALE_TIMEZONE, _is_shifted),
    (Cause.PATH, _changes(_PATH)),
    (Cause.TIMESTAMP, _changes(_DATE)),
    (Cause.TIMESTAMP, _changes(_CLOCK)),
    (Cause.TIMESTAMP, _changes(_SECONDS)),
    (Cause.LOCALE_TIMEZONE, _changes(_ZONE)),
    (Cause.RANDOM, _changes(_RANDOM)),
)
