from __future__ import annotations

from pathlib import Path

import pytest

from wheelkiln.report.findings import findings_text
from wheelkiln.verify.checks import CheckedWheel
from wheelkiln.verify.findings import Finding, Severity

_FINDING = Finding(
    "symbols",
    Severity.WARNING,
    "k.whl",
    "the tag 'manylinux_2_17_x86_64' promises more than its symbols allow (manylinux_2_28_x86_64)\x1b[31m",
    "Take the tag that auditwheel names, or build on an older base; both will do here.",
    ("kern/a_long_name_without_any_blank_that_is_wider_than_the_terminal_and_stays_whole.cpython-312.so",),
)


def _text(width: int, *findings: Finding) -> list[str]:
    return [line.mark + line.text for line in findings_text([CheckedWheel(Path("k.whl"), findings)], width)]


@pytest.mark.parametrize("width", [60, 80, 200])
def test_lines_keep_to_the_width_and_names_stay_whole(width: int) -> None:
    lines = _text(width, _FINDING)
    assert lines[0] == "k.whl: 1 warning"
    assert lines[1].startswith("  warning symbols: the tag 'manylinux_2_17_x86_64' promises")
    assert f"      {_FINDING.details[0]}" in lines
    assert [line for line in lines if len(line) > width and _FINDING.details[0] not in line] == []
    assert "\x1b" not in "".join(lines)


def test_many_details_are_cut() -> None:
    finding = Finding("symbols", Severity.ERROR, "k.whl", "no", details=tuple(f"f{number}" for number in range(25)))
    lines = _text(80, finding)
    assert "      f19" in lines
    assert "      f20" not in lines
    assert "      and 5 more" in lines
