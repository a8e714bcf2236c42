"""How the records of two wheels differ: what each was built from (``*.dist-info/wheelkiln.json``)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from wheelkiln.verify.difference.model import Cause, Difference, Weight
from wheelkiln.verify.difference.signs import find_cause
from wheelkiln.verify.difference.text import compare_json

__all__ = ["RECORD_NAME", "compare_records"]

RECORD_NAME = "wheelkiln.json"
_KEYS: tuple[tuple[re.Pattern[str], Cause], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), cause)
    for pattern, cause in (
        (r"epoch|source.date", Cause.TIMESTAMP),
        (r"native|march", Cause.CPU_NATIVE),
        (r"requirement|\block\b|lock(?:ed)?\b|\bpins?\b|packages", Cause.REQUIREMENT),
        (r"toolchain|compiler|\b(?:gcc|clang|ld)\b", Cause.COMPILER),
        (r"image|\bbase\b|recipe", Cause.IMAGE),
        (r"\bsource|sdist|patch|version$", Cause.SOURCE),
        (r"\b(?:tz|lang|lc_\w+)\b", Cause.LOCALE_TIMEZONE),
        (r"flags|settings|environ|config|frontend|command|variant|isa|option", Cause.FLAGS),
        (r"\btools?\b|auditwheel|cibuildwheel|wheelkiln|ccache|\bbuild\b|\bpip\b|\buv\b", Cause.REQUIREMENT),
        (r"host|arch|cpu|emulat", Cause.CPU_NATIVE),
    )
)
"""What the names of a record's keys tell. A key of a later format is found by its words, or tells nothing."""


def compare_records(one: str, other: str) -> Iterator[Difference]:
    """Yield what differs, as the best evidence that there is: it was written down when the wheels were built."""
    for entry in compare_json(one, other):
        known = next((cause for pattern, cause in _KEYS if pattern.search(entry.place)), None)
        if known is Cause.FLAGS and find_cause(entry.one, entry.other) is Cause.CPU_NATIVE:
            known = Cause.CPU_NATIVE
        yield replace(entry, cause=known or entry.cause, weight=Weight.RECORD)
