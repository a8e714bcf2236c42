from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from wheelkiln.cache.statistics import CompileCall, CompileStatistics, count_calls, parse_statistics_log

_RESULTS = st.sampled_from(
    [
        "direct_cache_hit",
        "preprocessed_cache_hit",
        "cache_miss",
        "direct_cache_miss",
        "called_for_link",
        "called_for_preprocessing",
        "unsupported_compiler_option",
        "bad_output_file",
        "local_storage_write",
    ]
)
_SOURCES = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), min_size=1, max_size=30).map(
    lambda text: "x" + text.strip()
)
_CALLS = st.lists(
    st.builds(CompileCall, _SOURCES.map(str.strip), st.lists(_RESULTS, min_size=1, max_size=4).map(tuple)), max_size=20
)


def _write(calls: list[CompileCall]) -> list[str]:
    return [line for call in calls for line in (f"# {call.source}", *call.results)]


@given(_CALLS)
def test_a_log_is_read_as_it_was_written(calls: list[CompileCall]) -> None:
    assert list(parse_statistics_log(_write(calls))) == calls


@given(st.lists(st.text(max_size=20), max_size=30))
def test_any_text_is_read_without_a_crash(lines: list[str]) -> None:
    for call in parse_statistics_log(lines):
        assert call.results
    count_calls(parse_statistics_log(lines))


@given(_CALLS)
def test_every_compilation_is_counted_once(calls: list[CompileCall]) -> None:
    statistics = count_calls(calls)
    others = [
        call
        for call in calls
        if not call.hit and not call.miss and {"called_for_link", "called_for_preprocessing"} & set(call.results)
    ]
    uncacheable = sum(count for _, count in statistics.uncacheable)
    probes = statistics.probe_hits + statistics.probe_misses
    assert statistics.calls + probes + uncacheable == len(calls) - len(others)
    assert statistics.hits + statistics.probe_hits == sum(call.hit for call in calls)


@given(_CALLS, _CALLS)
def test_counting_together_is_adding_up(one: list[CompileCall], two: list[CompileCall]) -> None:
    assert count_calls(one + two) == count_calls(one) + count_calls(two)


@given(_CALLS)
def test_nothing_is_the_neutral_element(calls: list[CompileCall]) -> None:
    statistics = count_calls(calls)
    assert statistics + CompileStatistics() == statistics
    assert statistics.hit_rate is None or 0 <= statistics.hit_rate <= 1
