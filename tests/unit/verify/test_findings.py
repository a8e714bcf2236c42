from __future__ import annotations

from wheelkiln.verify.findings import Finding, Severity


def test_a_finding_is_a_plain_value() -> None:
    finding = Finding("zip", Severity.ERROR, "x.whl", "it is not a readable zip file")
    assert finding == Finding(code="zip", severity=Severity("error"), subject="x.whl", message=finding.message, hint="")
