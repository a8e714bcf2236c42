"""Findings: what a check has to say about a wheel."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["Finding", "Severity"]


class Severity(StrEnum):
    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault of one subject, with the stable code of its rule; details are lines such as the functions it is in."""

    code: str
    severity: Severity
    subject: str
    message: str
    hint: str = ""
    details: tuple[str, ...] = ()
