"""What was found in wheels, as text and as JSON."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from wheelkiln.build.stages import plain_text
from wheelkiln.verify.checks import CheckedWheel
from wheelkiln.verify.findings import Finding, Severity
from wheelkiln.verify.rules.levels import reference_of

__all__ = ["FINDINGS_FORMAT", "Line", "count_findings", "findings_table", "findings_text"]

FINDINGS_FORMAT = 1
_MOST_DETAILS = {Severity.ERROR: 20, Severity.WARNING: 5}
_INNER = "      "


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the report; mark is what it begins with, for colour, and of the kind that severity says."""

    text: str
    mark: str = ""
    severity: Severity | None = None


def count_findings(findings: Sequence[Finding]) -> str:
    """``1 error, 2 warnings``; ``nothing found`` without any."""
    counts = [(sum(finding.severity is severity for finding in findings), severity) for severity in Severity]
    told = [f"{count} {severity}{'' if count == 1 else 's'}" for count, severity in counts if count]
    return ", ".join(told) or "nothing found"


def findings_text(wheels: Sequence[CheckedWheel], width: int) -> Iterator[Line]:
    """Yield the report: a line for each wheel, its findings below it, and where their codes are explained."""
    for wheel in wheels:
        yield Line(f"{plain_text(wheel.path.name)}: {count_findings(wheel.findings)}")
        for finding in wheel.findings:
            yield from _finding_lines(finding, width)
    everything = [finding for wheel in wheels for finding in wheel.findings]
    if len(wheels) > 1:
        yield Line(f"{len(wheels)} wheels: {count_findings(everything)}")
    if everything:
        codes = dict.fromkeys(finding.code for finding in everything)
        yield from (Line(line) for line in _wrap("what the codes mean: ", ", ".join(map(reference_of, codes)), width))


def _finding_lines(finding: Finding, width: int) -> Iterator[Line]:
    mark = f"  {finding.severity}"
    first, *rest = _wrap(f"{mark} {finding.code}: ", finding.message, width)
    yield Line(first.removeprefix(mark), mark, finding.severity)
    yield from (Line(line) for line in rest)
    most = _MOST_DETAILS[finding.severity]
    more = len(finding.details) - most
    for detail in (*finding.details[:most], *([f"and {more} more"] if more > 0 else [])):
        yield from (Line(line) for line in _wrap(_INNER, detail, width, inner=f"{_INNER}  "))
    if finding.hint:
        yield from (Line(line) for line in _wrap("    try: ", finding.hint, width))


def _wrap(start: str, text: str, width: int, *, inner: str = _INNER) -> list[str]:
    """Break at blanks alone: a name that is longer than a line stays whole, so that it can be copied."""
    return textwrap.wrap(
        plain_text(text.replace("\n", " ")),
        max(width, 40),
        initial_indent=start,
        subsequent_indent=inner,
        break_long_words=False,
        break_on_hyphens=False,
    ) or [start]


def findings_table(wheels: Sequence[CheckedWheel]) -> dict[str, Any]:
    """Return the report as plain values; it grows, and format counts changes of what is there."""
    return {
        "format": FINDINGS_FORMAT,
        "wheels": [
            {
                "wheel": wheel.path.name,
                "path": str(wheel.path),
                "findings": [
                    {**asdict(finding), "reference": reference_of(finding.code)} for finding in wheel.findings
                ],
            }
            for wheel in wheels
        ],
    }
