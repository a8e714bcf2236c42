"""How two wheels differ and why, for a terminal of any width and as JSON."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import Any

from wheelkiln.verify.difference.model import (
    Cause,
    Comparison,
    Difference,
    LikelyCause,
    MemberDifference,
    Presence,
    Weight,
)

__all__ = ["comparison_json", "comparison_lines", "explanation_lines"]

FORMAT = 1
_MOST_MEMBERS = 20
_MOST_DIFFERENCES = 6
_INDENT = "  "
_ONLY = {Presence.FIRST: "only in the first", Presence.SECOND: "only in the second"}


def comparison_lines(comparison: Comparison, width: int, *, all_members: bool = False) -> Iterator[str]:
    """Lay a comparison out: the wheels, and the explanation where they differ."""
    yield from (f"{digest}  {_plain(name)}" for digest, name in _wheels(comparison))
    if comparison.identical:
        yield "identical"
        return
    yield from explanation_lines(comparison, width, all_members=all_members)


def explanation_lines(comparison: Comparison, width: int, *, all_members: bool = False) -> Iterator[str]:
    """Lay out what differs, and the likely causes with their evidence and remedies."""
    for difference in comparison.archive:
        yield from _difference_lines(difference, width, _INDENT, "archive: ")
    names = set(comparison.names)
    members = [member for member in comparison.members if member.name in names]
    shown = members if all_members else members[:_MOST_MEMBERS]
    for member in shown:
        yield from _member_lines(member, width)
    if len(members) > len(shown):
        yield f"{_INDENT}and {len(members) - len(shown)} more members differ"
    yield from _cause_lines(comparison, width)


def comparison_json(comparison: Comparison) -> dict[str, Any]:
    """Return a comparison as JSON values, with all members."""
    return {
        "format": FORMAT,
        "identical": comparison.identical,
        "wheels": [{"name": name, "sha256": digest} for digest, name in _wheels(comparison)],
        "causes": [
            {
                "code": cause.cause.value,
                "title": cause.title,
                "evidence": list(cause.evidence),
                "members": list(cause.members),
                "remedy": cause.remedy,
                "weight": cause.weight.name.lower(),
            }
            for cause in comparison.causes
        ],
        "archive": [_difference_json(difference) for difference in comparison.archive],
        "members": [
            {
                "name": member.name,
                "presence": member.presence.value,
                "kind": member.kind,
                "note": member.note,
                "differences": [_difference_json(difference) for difference in member.differences],
            }
            for member in comparison.members
        ],
    }


def _difference_json(difference: Difference) -> dict[str, Any]:
    return {
        "place": difference.place,
        "one": difference.one,
        "other": difference.other,
        "cause": difference.cause.value if difference.cause else None,
        "weight": difference.weight.name.lower(),
    }


def _wheels(comparison: Comparison) -> tuple[tuple[str, str], tuple[str, str]]:
    return (comparison.sha256[0], comparison.one), (comparison.sha256[1], comparison.other)


def _member_lines(member: MemberDifference, width: int) -> Iterator[str]:
    told = _ONLY.get(member.presence) or member.note
    yield from _wrap(f"differs: {member.name}{f' ({told})' if told else ''}", width, _INDENT)
    for difference in member.differences[:_MOST_DIFFERENCES]:
        yield from _difference_lines(difference, width, _INDENT * 2)
    if len(member.differences) > _MOST_DIFFERENCES:
        yield f"{_INDENT * 2}and {len(member.differences) - _MOST_DIFFERENCES} more"


def _difference_lines(difference: Difference, width: int, indent: str, label: str = "") -> Iterator[str]:
    yield from _wrap(f"{label}{difference.place}", width, indent)
    if difference.one or difference.other:
        yield from _wrap(f"- {difference.one or 'nothing'}", width, indent + _INDENT)
        yield from _wrap(f"+ {difference.other or 'nothing'}", width, indent + _INDENT)


def _cause_lines(comparison: Comparison, width: int) -> Iterator[str]:
    for number, cause in enumerate(comparison.causes):
        label = _label(cause) if number == 0 else "also"
        yield from _wrap(f"{label}: {cause.title} [{cause.cause.value}]", width, "")
        for line in cause.evidence:
            yield from _wrap(line, width, _INDENT)
        yield from _wrap(f"try: {cause.remedy}", width, _INDENT)


def _label(cause: LikelyCause) -> str:
    if cause.cause is Cause.UNKNOWN:
        return "no known cause"
    return "likely cause" if cause.weight > Weight.HINT else "possible cause"


def _plain(text: str) -> str:
    """Text from wheels may hold anything that a terminal would obey."""
    return "".join(char if char.isprintable() else " " for char in text)


def _wrap(text: str, width: int, indent: str) -> list[str]:
    columns = max(width, len(indent) * 4, 40)
    return textwrap.wrap(
        _plain(text),
        columns,
        initial_indent=indent,
        subsequent_indent=indent + _INDENT,
        break_on_hyphens=False,
        break_long_words=False,
    )
