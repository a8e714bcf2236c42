"""The cache gate: a compile cache that was restored has to serve the share of calls that the configuration asks for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from wheelkiln.build.outcome import Gate, GateVerdict, Outcome, Status
from wheelkiln.build.request import JobInputs
from wheelkiln.cache.statistics import CompileStatistics
from wheelkiln.config.model import CacheConfig

__all__ = ["Restored", "cache_is_empty", "judge_hits"]

_GENERAL = frozenset({"ccache.conf", "CACHEDIR.TAG", "stats", "lock", "tmp"})


@dataclass(frozen=True, slots=True)
class Restored:
    """The compile cache as a run found it: whether it was empty, and what each job had last been built from."""

    empty: bool
    last_inputs: Mapping[str, JobInputs]


def judge_hits(
    cache: CacheConfig, outcomes: Sequence[Outcome], restored: Restored, inputs: Mapping[str, JobInputs]
) -> Gate | None:
    """Judge the jobs that were built together; None where the configuration asks for nothing."""
    if not cache.min_hit_rate:
        return None
    looked_at: list[Outcome] = []
    reasons: dict[str, list[str]] = {}
    for outcome in outcomes:
        reason = _why_not(cache, outcome, restored, inputs)
        if reason:
            reasons.setdefault(reason, []).append(outcome.job.id)
        else:
            looked_at.append(outcome)
    told = tuple(f"{', '.join(ids)}: {reason}" for reason, ids in reasons.items())
    sums = sum((outcome.statistics for outcome in looked_at if outcome.statistics), CompileStatistics())
    if sums.hit_rate is None:
        return Gate(GateVerdict.OFF, cache.min_hit_rate, reasons=told)
    verdict = GateVerdict.FAILED if sums.hit_rate < cache.min_hit_rate else GateVerdict.PASSED
    ids = tuple(outcome.job.id for outcome in looked_at)
    return Gate(verdict, cache.min_hit_rate, sums.hits, sums.calls, ids, told)


def _why_not(cache: CacheConfig, outcome: Outcome, restored: Restored, inputs: Mapping[str, JobInputs]) -> str:
    """Return why a job's misses are no fault of the cache; nothing when they would be."""
    if outcome.status is not Status.BUILT:
        return "not built by this run"
    if outcome.statistics is None or not outcome.statistics.calls:
        return "nothing was compiled"
    if cache.gate_on == "always":
        return ""
    if restored.empty:
        return "the compile cache was empty"
    last = restored.last_inputs.get(outcome.job.id)
    return _what_changed(last, inputs[outcome.job.id], source_may_differ=cache.gate_on == "changed-source")


def _what_changed(last: JobInputs | None, now: JobInputs, *, source_may_differ: bool) -> str:
    if last is None:
        return "no build with this cache directory is known"
    if last.setting != now.setting:
        return "image, configuration or tools are not those of the last build"
    if last.source != now.source and not source_may_differ:
        return "the source is not that of the last build"
    return ""


def cache_is_empty(directory: Path) -> bool:
    """Tell whether a compile cache holds no entry: those lie in directories that are named by a digit of their hash."""
    return not any(
        entry.is_file() and entry.name not in _GENERAL
        for digit in "0123456789abcdef"
        for entry in (directory / digit).rglob("*")
    )
