"""Findings with the severity of their rules."""

from __future__ import annotations

from wheelkiln.verify.findings import Finding
from wheelkiln.verify.rules import RULES

__all__ = ["found"]


def found(code: str, subject: str, message: str, hint: str = "", details: tuple[str, ...] = ()) -> Finding:
    """Return a finding of a rule."""
    return Finding(code, RULES[code].severity, subject, message, hint, details)
