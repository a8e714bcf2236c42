"""What a rule is, and how a configuration changes what becomes of findings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from wheelkiln.verify.findings import Finding, Severity

__all__ = ["Group", "Level", "Rule", "apply_levels"]


class Group(StrEnum):
    """What a rule looks at."""

    ARCHIVE = "archive"
    TAGS = "tags"
    METADATA = "metadata"
    ISA = "isa"
    EMULATE = "emulate"


class Level(StrEnum):
    """What a configuration may make of a rule."""

    ERROR = "error"
    WARNING = "warning"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class Rule:
    """One thing that is checked, by its stable code.

    severity is what its findings are unless a configuration says otherwise; a fixed rule cannot be changed, because
    without it nothing else could be believed. title says in one line what is wrong; why and remedy are paragraphs of
    the reference.
    """

    code: str
    group: Group
    severity: Severity
    title: str
    why: str
    remedy: str
    fixed: bool = False


def apply_levels(
    findings: Iterable[Finding], rules: Mapping[str, Rule], levels: Mapping[str, Level]
) -> tuple[Finding, ...]:
    """Return the findings as the configuration wants them; those of rules that are off are left out."""
    kept = []
    for finding in findings:
        level = None if rules[finding.code].fixed else levels.get(finding.code)
        if level is not Level.OFF:
            kept.append(replace(finding, severity=Severity(level)) if level else finding)
    return tuple(kept)
