"""How the records of two wheels differ: what each was built from (``*.dist-info/wheelkiln.json``)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from wheelkiln.verify.difference.model import Cause, Difference, Weight
from wheelkiln.verify.difference.text import compare_json

__all__ = ["RECORD_NAME", "compare_records"]

RECORD_NAME = "wheelkiln.json"
_KEYS: tuple[tuple[re.Pattern[str], Cause], ...] = tuple(
    (re.compile(pattern), cause)
    for pattern, cause in (
        (r"epoch$", Cause.TIMESTAMP),
        (r"(?:project|version|source|edition)\b", Cause.SOURCE),
        (r"build\.requirements\b|tools\b|image\.(?:tools|programs)\b", Cause.REQUIREMENT),
        (r"image\.toolchain\b", Cause.COMPILER),
        (r"image\b", Cause.IMAGE),
        (r"build\b|variant$|identifier$", Cause.FLAGS),
        (r"machine\b", Cause.CPU_NATIVE),
    )
)
"""What the keys of a record tell (verify/record.py); one that is not known tells nothing."""
_HASHES = ".hashes["


def compare_records(one: str, other: str) -> Iterator[Difference]:
    """Yield what differs, as the best evidence that there is: it was written down when the wheels were built."""
    found = list(compare_json(one, other))
    told = [entry for entry in found if _HASHES not in entry.place] or found  # other versions have other hashes
    for entry in told:
        known = next((cause for pattern, cause in _KEYS if pattern.match(entry.place)), None)
        if known is Cause.FLAGS and entry.cause is Cause.CPU_NATIVE:
            known = Cause.CPU_NATIVE
        yield replace(entry, cause=known or entry.cause, weight=Weight.RECORD)
