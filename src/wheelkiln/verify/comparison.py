"""Comparing two wheels: whether they are the same, how they differ, and what the likely causes are."""

from __future__ import annotations

from pathlib import Path

from wheelkiln.errors import VerificationError
from wheelkiln.system.files import sha256_of
from wheelkiln.verify.difference.archive import compare_archive, open_archive
from wheelkiln.verify.difference.causes import find_causes
from wheelkiln.verify.difference.members import compare_members
from wheelkiln.verify.difference.model import Comparison
from wheelkiln.verify.tags import UNREADABLE

__all__ = ["Comparison", "compare_wheels"]


def compare_wheels(one: Path, other: Path) -> Comparison:
    """Compare two wheels, and explain what differs.

    Nothing of the wheels is executed, and what is read of them is limited. Raise VerificationError where one that
    differs is damaged or too large; equal files are not opened.
    """
    digests = sha256_of(one), sha256_of(other)
    if digests[0] == digests[1]:
        return Comparison(one.name, other.name, digests)
    with open_archive(one) as first, open_archive(other) as second:
        try:
            archive = tuple(compare_archive(first, second))
            members = tuple(compare_members(first, second))
        except UNREADABLE as error:
            raise VerificationError(
                f"{one.name} and {other.name} cannot be compared: a member cannot be read ({error})",
                hint="One of them is damaged: build or fetch it again.",
            ) from error
    return Comparison(one.name, other.name, digests, archive, members, find_causes(archive, members))
