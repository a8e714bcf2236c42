from __future__ import annotations

import pytest

from wheelkiln.cache.statistics import (
    CompileCall,
    CompileStatistics,
    count_calls,
    count_cython,
    count_links,
    parse_statistics_log,
)

_LOG = """\
# /project/a.c
direct_cache_hit
local_storage_read_hit
# /project/the name.c
cache_miss
local_storage_write
# build/CMakeFiles/CMakeScratch/TryCompile-x/test.c
cache_miss
# _configtest.c
preprocessed_cache_hit
# a.o
called_for_link
# b.c
unsupported_compiler_option
# c.c
unsupported_compiler_option
# d.c
bad_output_file
# killed.c
"""


def test_a_log_is_read_call_by_call() -> None:
    calls = list(parse_statistics_log(_LOG.splitlines()))
    assert calls[0] == CompileCall("/project/a.c", ("direct_cache_hit", "local_storage_read_hit"))
    assert calls[1].source == "/project/the name.c"
    assert len(calls) == 8


def test_the_calls_are_counted() -> None:
    assert count_calls(parse_statistics_log(_LOG.splitlines())) == CompileStatistics(
        hits=1,
        misses=1,
        probe_hits=1,
        probe_misses=1,
        uncacheable=(("bad_output_file", 1), ("unsupported_compiler_option", 2)),
    )


def test_lines_before_the_first_call_belong_to_none() -> None:
    assert list(parse_statistics_log(["cache_miss", "", "# a.c", "cache_miss"])) == [
        CompileCall("a.c", ("cache_miss",))
    ]


def test_an_empty_log_has_no_rate() -> None:
    statistics = count_calls(parse_statistics_log([]))
    assert (statistics, statistics.calls, statistics.hit_rate) == (CompileStatistics(), 0, None)


def test_the_rate_is_of_the_projects_own_calls() -> None:
    assert CompileStatistics(hits=3, misses=1, probe_misses=10).hit_rate == 0.75


def test_a_hit_after_a_miss_in_direct_mode_is_a_hit() -> None:
    call = CompileCall("a.c", ("direct_cache_miss", "preprocessed_cache_hit"))
    assert (call.hit, call.miss) == (True, False)


@pytest.mark.parametrize(
    ("source", "probe"),
    [
        ("CMakeFiles/CMakeTmp/x.c", True),
        ("/tmp/wheelkiln/build/CMakeFiles/3.30/CompilerIdC/CMakeCCompilerId.c", True),
        ("/x/CMakeCXXCompilerABI.cpp", True),
        ("meson-private/sanitycheckc.c", True),
        ("_configtest.c", True),
        ("conftest.c", True),
        ("src/conftest_data.c", False),
        ("src/my_configtest.c", False),
        ("src/a.c", False),
    ],
)
def test_probes_are_known_by_their_places(source: str, probe: bool) -> None:
    assert CompileCall(source, ("cache_miss",)).is_probe is probe


def test_statistics_add_up() -> None:
    one = CompileStatistics(1, 2, 3, 4, (("a", 1), ("b", 1)), 5, 6, 7, 8)
    two = CompileStatistics(10, 20, 30, 40, (("b", 2), ("c", 3)), 50, 60, 70, 80)
    assert one + two == CompileStatistics(11, 22, 33, 44, (("a", 1), ("b", 3), ("c", 3)), 55, 66, 77, 88)


def test_links_and_calls_of_cython_are_counted_by_their_results() -> None:
    lines = ["hit\t-\ta\n", "miss\t-\tb\n", "hit\t-\tc\n", "other\tterminal\td\n", "cut"]
    assert count_links(lines) == CompileStatistics(link_hits=2, link_misses=1, uncacheable=(("lto_link: terminal", 1),))
    assert count_cython(lines) == CompileStatistics(
        cython_hits=2, cython_misses=1, uncacheable=(("cython: terminal", 1),)
    )
