from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from wheelkiln.build.ledger import PastJob
from wheelkiln.cache.inventory import Cache, CacheSize
from wheelkiln.cache.statistics import CompileStatistics
from wheelkiln.report.caches import cache_tables, caches_as_json, group_by_project, group_by_run

_SIZES = (
    CacheSize(Cache("compile", ("ccache",), "10G"), 3 << 30, 12_345),
    CacheSize(Cache("runs", ("runs",)), 2048, 3),
)


def _job(run: str, finished: float, **changes: object) -> PastJob:
    values: dict[str, object] = {
        "project": "kern",
        "version": "1.2",
        "id": "cp312-manylinux_x86_64",
        "status": "built",
        "seconds": 2.0,
        "statistics": CompileStatistics(hits=3, misses=1),
    }
    return PastJob(run=run, finished=finished, **(values | changes))  # type: ignore[arg-type]


_HISTORY = (
    _job("", 1_700_000_000.0, status="failed", statistics=None),
    _job("r1", 1_700_000_100.0),
    _job("r1", 1_700_000_200.0, id="cp313-manylinux_x86_64"),
    _job("r2", 1_700_000_300.0, project="an-other-project-with-a-long-name", id="cp312-manylinux_x86_64@avx512"),
)


def test_projects_and_variants_are_told_apart_and_the_last_used_comes_first() -> None:
    found = [(group.last.project, group.last.variant, len(group.jobs)) for group in group_by_project(_HISTORY)]
    assert found == [("an-other-project-with-a-long-name", "avx512", 1), ("kern", "default", 3)]


def test_jobs_of_a_run_are_summed_and_those_of_no_known_run_stand_alone() -> None:
    groups = group_by_run((*_HISTORY, _job("", 1_700_000_400.0)))
    assert [(group.last.run, len(group.jobs), group.failed) for group in groups] == [
        ("", 1, 0),
        ("r2", 1, 0),
        ("r1", 2, 0),
        ("", 1, 1),
    ]
    assert groups[2].statistics == CompileStatistics(hits=6, misses=2)
    assert groups[3].statistics is None


def test_the_json_is_a_series_with_everything_a_plot_needs() -> None:
    told = caches_as_json(Path("/cache"), _SIZES, _HISTORY)
    assert told["caches"][0] == {"name": "compile", "size": 3 << 30, "files": 12_345, "limit": 10**10}
    assert told["caches"][1]["limit"] is None
    assert [build["hits"] for build in told["builds"]] == [None, 3, 3, 3]
    assert told["builds"][3] == {
        "time": "2023-11-14T22:18:20Z",
        "run": "r2",
        "project": "an-other-project-with-a-long-name",
        "version": "1.2",
        "variant": "avx512",
        "job": "cp312-manylinux_x86_64@avx512",
        "status": "built",
        "seconds": 2.0,
        "hits": 3,
        "misses": 1,
    }
    assert told["projects"][1] == {
        "project": "kern",
        "variant": "default",
        "time": "2023-11-14T22:16:40Z",
        "jobs": 3,
        "failed": 1,
        "seconds": 6.0,
        "hits": 6,
        "misses": 2,
    }
    assert [run["jobs"] for run in told["runs"]] == [1, 2, 1]


def _lines(width: int) -> list[str]:
    console = Console(file=io.StringIO(), width=width, markup=False, highlight=False)
    for table in cache_tables(_SIZES, _HISTORY, width):
        console.print(table)
    assert isinstance(console.file, io.StringIO)
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


@pytest.mark.parametrize("width", [60, 120])
def test_tables_fit(width: int) -> None:
    lines = _lines(width)
    assert max(map(len, lines)) <= width
    assert "…" not in "\n".join(lines)
    assert lines[1].split() == ["compile", "3.0", "GiB", "12", "345", "10G"]
    (kern,) = (line.split() for line in lines if line.startswith("kern") and "%" in line)
    assert (kern[-4], kern[-3]) == ("75", "%")


def test_without_a_history_only_sizes_are_told() -> None:
    assert len(list(cache_tables(_SIZES, (), 80))) == 1
