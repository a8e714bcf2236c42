from __future__ import annotations

from pathlib import Path

from wheelkiln.report.sarif import sarif_log
from wheelkiln.verify.checks import CheckedWheel
from wheelkiln.verify.findings import Finding, Severity

_WHEELS = [
    CheckedWheel(Path("dist/good.whl"), ()),
    CheckedWheel(Path("dist/a b.whl"), (Finding("zip", Severity.ERROR, "a b.whl", "no zip", "Fetch it.", ("x",)),)),
]


def test_each_result_refers_to_its_rule_and_its_wheel() -> None:
    (run,) = sarif_log(_WHEELS, version="0.1.0")["runs"]
    (result,) = run["results"]
    assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"] == "zip"
    place = result["locations"][0]["physicalLocation"]["artifactLocation"]
    assert place == {"uri": "dist/a%20b.whl", "index": 1}
    assert run["artifacts"][1]["location"]["uri"] == place["uri"]
    assert result["message"]["text"] == "a b.whl: no zip\nx\nFetch it."


def test_rules_lead_to_the_reference_where_its_address_is_known() -> None:
    with_address = sarif_log(_WHEELS, version="0.1.0", documentation="https://kiln.example/main/")
    (rule,) = with_address["runs"][0]["tool"]["driver"]["rules"]
    assert rule["helpUri"] == "https://kiln.example/main/docs/reference/findings.md#zip"
    assert "helpUri" not in sarif_log(_WHEELS, version="0.1.0")["runs"][0]["tool"]["driver"]["rules"][0]
