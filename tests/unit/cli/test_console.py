from __future__ import annotations

import pytest

from wheelkiln.cli.console import make_console, print_notices, print_skipped
from wheelkiln.plan.model import Notice, Skipped, SkipReason


def test_text_from_outside_is_never_markup(capsys: pytest.CaptureFixture[str]) -> None:
    make_console(stderr=False).print("[tool.wheelkiln] [red]x[/red] 'quoted' 123")
    assert capsys.readouterr().out == "[tool.wheelkiln] [red]x[/red] 'quoted' 123\n"


@pytest.mark.parametrize("stderr", [True, False])
def test_without_a_terminal_lines_are_wide(monkeypatch: pytest.MonkeyPatch, stderr: bool) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    assert make_console(stderr=stderr).width == 200


def test_columns_are_respected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "77")
    assert make_console(stderr=False).width == 77


def test_notices_and_their_hints_go_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    print_notices([Notice("a", "first", "do this"), Notice("b", "second")])
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.splitlines() == ["notice: first", "        do this", "notice: second"]


def test_skips_are_one_line_a_reason(capsys: pytest.CaptureFixture[str]) -> None:
    skips = [Skipped(job, job, SkipReason.NOT_SELECTED, why) for job, why in (("a", "x"), ("b", "y"), ("c", "x"))]
    print_skipped(skips, err=False)
    assert capsys.readouterr().out.splitlines() == ["not built:", "  a, c: x", "  b: y"]


def test_without_skips_nothing_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    print_skipped([], err=False)
    assert capsys.readouterr().out == ""
