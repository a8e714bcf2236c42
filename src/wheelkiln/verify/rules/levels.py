"""The levels that a configuration or a command line gives to rules."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping

from wheelkiln.errors import ConfigError, UsageProblem
from wheelkiln.verify.rules import RULES
from wheelkiln.verify.rules.model import Level, Rule

__all__ = ["REFERENCE", "find_rule", "levels_of", "parse_rule_option", "reference_of"]

REFERENCE = "docs/reference/findings.md"
"""The page that explains every rule; its headings are their codes."""


def reference_of(code: str) -> str:
    """Return the place where a rule is explained."""
    return f"{REFERENCE}#{code}"


def find_rule(code: str) -> Rule:
    """Return a rule; raise UsageProblem with the nearest one where there is none of that code."""
    if code not in RULES:
        raise UsageProblem(f"{code}: {_unknown(code)}", hint=f"{REFERENCE} lists all rules.")
    return RULES[code]


def levels_of(table: Mapping[str, str]) -> dict[str, Level]:
    """Return the levels of ``[tool.wheelkiln.verify.rules]``; raise ConfigError with every rule that is none."""
    problems = tuple(f"verify.rules.{code}: {fault}" for code, fault in _faults(table))
    if problems:
        raise ConfigError(
            f"the configuration has {len(problems)} problem{'s' if len(problems) > 1 else ''}",
            problems=problems,
            hint=f"{REFERENCE} lists all rules, and which of them cannot be changed.",
        )
    return {code: Level(level) for code, level in table.items()}


def parse_rule_option(text: str) -> tuple[str, Level]:
    """Return the code and the level of ``CODE=LEVEL``; raise UsageProblem where it is none."""
    code, _, level = text.partition("=")
    if level not in set(Level):
        wanted = ", ".join(f"{code or 'CODE'}={one.value}" for one in Level)
        raise UsageProblem(f"--rule {text}: the level is missing or unknown", hint=f"Write one of {wanted}.")
    for _, fault in _faults({code: level}):
        raise UsageProblem(f"--rule {text}: {fault}", hint=f"{REFERENCE} lists all rules.")
    return code, Level(level)


def _faults(table: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for code in table:
        rule = RULES.get(code)
        if rule is None:
            yield code, _unknown(code)
        elif rule.fixed:
            yield code, "this rule cannot be changed, because without it nothing else of a wheel could be believed"


def _unknown(code: str) -> str:
    near = difflib.get_close_matches(code, RULES, n=1)
    return f"there is no such rule{f'; did you mean {near[0]!r}?' if near else ''}"
