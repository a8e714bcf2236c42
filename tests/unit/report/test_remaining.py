from __future__ import annotations

import pytest

from wheelkiln.report.remaining import estimate_remaining


def test_the_work_that_is_left_is_divided_among_those_that_work() -> None:
    assert estimate_remaining([10.0, 20.0], [(30.0, 10.0)], [], 2) == pytest.approx(25.0)


def test_the_longest_that_runs_is_the_least() -> None:
    assert estimate_remaining([], [(100.0, 10.0), (5.0, 1.0)], [], 8) == pytest.approx(90.0)


def test_what_takes_longer_than_before_ends_now() -> None:
    assert estimate_remaining([], [(5.0, 60.0)], [], 1) == 0.0


def test_unknown_jobs_count_as_the_mean_of_the_known() -> None:
    assert estimate_remaining([None, None], [(None, 0.0)], [10.0, 20.0], 1) == pytest.approx(45.0)


def test_nothing_is_told_where_nothing_is_known() -> None:
    assert estimate_remaining([None], [(None, 3.0)], [], 2) is None
