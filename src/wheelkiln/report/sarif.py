"""What was found in wheels, as SARIF 2.1.0 (OASIS): what code hosts and editors show."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from wheelkiln.build.stages import plain_text
from wheelkiln.verify.checks import CheckedWheel
from wheelkiln.verify.findings import Finding
from wheelkiln.verify.rules import RULES
from wheelkiln.verify.rules.levels import reference_of
from wheelkiln.verify.rules.model import Rule

__all__ = ["sarif_log"]

_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def sarif_log(wheels: Sequence[CheckedWheel], *, version: str, documentation: str = "") -> dict[str, Any]:
    """Return one run with every rule that found something.

    documentation is the address that the reference's paths are relative to; without one rules carry their explanation
    only as text, because the format has no relative links.
    """
    codes = sorted({finding.code for wheel in wheels for finding in wheel.findings})
    places = {code: number for number, code in enumerate(codes)}
    driver = {"name": "wheelkiln", "version": version, "rules": [_rule(RULES[code], documentation) for code in codes]}
    return {
        "$schema": _SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": driver},
                "artifacts": [{"location": _location(wheel)} for wheel in wheels],
                "results": [
                    _result(finding, wheel, index, places[finding.code])
                    for index, wheel in enumerate(wheels)
                    for finding in wheel.findings
                ],
            }
        ],
    }


def _rule(rule: Rule, documentation: str) -> dict[str, Any]:
    reference = reference_of(rule.code)
    uri = {"helpUri": f"{documentation.rstrip('/')}/{reference}"} if documentation else {}
    return {
        "id": rule.code,
        "shortDescription": {"text": rule.title},
        "fullDescription": {"text": rule.why},
        "help": {"text": rule.remedy},
        **uri,
        "defaultConfiguration": {"level": rule.severity.value},
        "properties": {"tags": [rule.group.value], "reference": reference},
    }


def _location(wheel: CheckedWheel) -> dict[str, str]:
    return {"uri": quote(str(wheel.path))}


def _result(finding: Finding, wheel: CheckedWheel, artifact: int, rule: int) -> dict[str, Any]:
    lines = [f"{finding.subject}: {finding.message}", *finding.details, *([finding.hint] if finding.hint else [])]
    return {
        "ruleId": finding.code,
        "ruleIndex": rule,
        "level": finding.severity.value,
        "message": {"text": "\n".join(plain_text(line) for line in lines)},
        "locations": [{"physicalLocation": {"artifactLocation": {**_location(wheel), "index": artifact}}}],
    }
