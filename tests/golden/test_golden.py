"""Whole generated files, compared with real ones. When a change is meant, run ``pytest --update-golden``."""

from __future__ import annotations

import difflib

import pytest

from tests.golden.cases import CASES, FILES


@pytest.mark.parametrize("name", sorted(CASES))
def test_a_generated_file_is_as_it_was(name: str, request: pytest.FixtureRequest) -> None:
    made, path = CASES[name](), FILES / name
    if request.config.getoption("--update-golden"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(made, encoding="utf-8")
    kept = path.read_text(encoding="utf-8") if path.is_file() else ""
    if made != kept:
        lines = difflib.unified_diff(
            kept.splitlines(), made.splitlines(), f"{name} (kept)", f"{name} (made)", lineterm=""
        )
        pytest.fail(
            "\n".join([*lines, "", "If this change is meant: pytest tests/golden --update-golden"]), pytrace=False
        )


def test_no_file_is_left_that_nothing_generates() -> None:
    kept = {path.relative_to(FILES).as_posix() for path in FILES.rglob("*") if path.is_file()}
    assert kept == set(CASES)


def test_no_secret_is_in_any_generated_file() -> None:
    assert [name for name, make in CASES.items() if "secret@" in make()] == []


@pytest.mark.parametrize("name", sorted(CASES))
def test_generating_twice_gives_the_same(name: str) -> None:
    assert CASES[name]() == CASES[name]()
