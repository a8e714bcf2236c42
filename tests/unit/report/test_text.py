from __future__ import annotations

import pytest

from wheelkiln.cache.statistics import CompileStatistics
from wheelkiln.plan.model import Skipped, SkipReason
from wheelkiln.report.text import format_cache, format_seconds, format_size, group_skipped


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "-"),
        (0.0, "0.0 s"),
        (0.44, "0.4 s"),
        (12.34, "12.3 s"),
        (59.94, "59.9 s"),
        (59.96, "1 m 00 s"),
        (60.0, "1 m 00 s"),
        (245.4, "4 m 05 s"),
        (3599.7, "60 m 00 s"),
    ],
)
def test_seconds(seconds: float | None, text: str) -> None:
    assert format_seconds(seconds) == text


@pytest.mark.parametrize(("size", "text"), [(0, "0 Bytes"), (1023, "1023 Bytes"), (177_152, "173.0 KiB")])
def test_sizes(size: int, text: str) -> None:
    assert format_size(size) == text


@pytest.mark.parametrize(
    ("statistics", "text"),
    [
        (None, "-"),
        (CompileStatistics(), "no calls"),
        (CompileStatistics(probe_hits=5), "no calls"),
        (CompileStatistics(hits=14), "14/14 hits"),
        (CompileStatistics(misses=3, hits=1), "1/4 hits"),
        (CompileStatistics(hits=1, link_misses=2, cython_hits=9), "1/1 hits, 0/2 LTO links, 9/9 Cython"),
    ],
)
def test_what_the_cache_did(statistics: CompileStatistics | None, text: str) -> None:
    assert format_cache(statistics) == text


def test_skips_of_one_reason_are_one_group() -> None:
    skips = [Skipped(job, job, SkipReason.NOT_SELECTED, why) for job, why in (("a", "x"), ("b", "y"), ("c", "x"))]
    assert group_skipped(skips) == [(["a", "c"], "x"), (["b"], "y")]
