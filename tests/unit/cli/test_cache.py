"""``cache stats`` and ``cache prune`` as they are called; what they do is tested below build, cache and report."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tests.values import make_job
from wheelkiln.build.ledger import ledger_of
from wheelkiln.build.outcome import Outcome, Status
from wheelkiln.cache.statistics import CompileStatistics
from wheelkiln.cli.cache import command
from wheelkiln.cli.cache_prune import parse_age
from wheelkiln.errors import UsageProblem


def _run(*arguments: str) -> Result:
    return CliRunner().invoke(command, list(arguments), catch_exceptions=False, standalone_mode=False)


def _cache(tmp_path: Path) -> Path:
    root = tmp_path / "cache"
    for project in ("kern", "other"):
        outcome = Outcome(make_job(), Status.BUILT, seconds=1.0, statistics=CompileStatistics(hits=1, misses=1))
        ledger_of(root).record("key", project, "1", outcome, 1_700_000_000.0, run="r")
    (root / "ccache").mkdir()
    (root / "ccache/entry").write_bytes(b"x" * 5000)
    return root


def test_stats_of_nothing(tmp_path: Path) -> None:
    shown = _run("stats", str(tmp_path), "--cache-dir", str(tmp_path / "none"))
    assert shown.stdout == f"{tmp_path / 'none'} is empty\n"
    assert not (tmp_path / "none").exists()


def test_stats_are_told_of_all_projects_or_of_one(tmp_path: Path) -> None:
    root = _cache(tmp_path)
    assert {"kern", "other"} <= set(_run("stats", str(tmp_path), "--cache-dir", str(root)).stdout.split())
    told = json.loads(
        _run("stats", str(tmp_path), "--cache-dir", str(root), "--project", "Kern", "--format", "json").stdout
    )
    assert [build["project"] for build in told["builds"]] == ["kern"]
    assert {cache["name"] for cache in told["caches"]} == {"compile", "history"}


@pytest.mark.parametrize("text", ["30", "d", "-3d", "3 d", "3y", ""])
def test_an_age_that_is_none(text: str) -> None:
    with pytest.raises(UsageProblem, match="not an age"):
        parse_age(text)


def test_ages() -> None:
    assert [parse_age(text) for text in ("90s", "2m", "12h", "30d", "1w")] == [90, 120, 43_200, 2_592_000, 604_800]


def test_two_scopes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageProblem, match="cannot be used together"):
        _run("prune", str(tmp_path), "--all", "--project", "kern")


def test_prune_says_what_went(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    root = _cache(tmp_path)
    told = _run("prune", str(tmp_path), "--cache-dir", str(root), "--all", "--dry-run")
    assert re.sub(r"[0-9.]+ KiB", "some", told.stdout).splitlines() == [
        "would remove some from compile (1 file)",
        "would remove 2 past jobs from the history",
        "would remove some in all",
    ]
    assert (root / "ccache/entry").exists()


def test_prune_of_nothing(tmp_path: Path) -> None:
    told = _run("prune", str(tmp_path), "--cache-dir", str(tmp_path / "none"))
    assert told.stdout == "removed 0 Bytes in all\n"
