"""Exact statistics of one job, read from what ccache (CCACHE_STATSLOG) and our caches in images log of each call."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

__all__ = ["CompileCall", "CompileStatistics", "count_calls", "count_cython", "count_links", "parse_statistics_log"]

_HITS = {"direct_cache_hit", "preprocessed_cache_hit"}
_MISS = "cache_miss"
_PROBE_MARKS = (
    "/CMakeScratch/",
    "/CMakeTmp/",
    "/CompilerIdC",
    "CMakeCCompilerABI.c",
    "CMakeCXXCompilerABI.cpp",
    "/meson-private/",
    "/sanitycheckc",
    "/_configtest",
    "/conftest.",
)


@dataclass(frozen=True, slots=True)
class CompileCall:
    """One call of a compiler through ccache: the source it named, and ccache's results for it."""

    source: str
    results: tuple[str, ...]

    @property
    def hit(self) -> bool:
        return bool(_HITS.intersection(self.results))

    @property
    def miss(self) -> bool:
        return not self.hit and _MISS in self.results

    @property
    def reason(self) -> str:
        """What ccache says of a call that it could not serve or keep, besides which of its stores it asked."""
        lookups = ("direct_cache_", "preprocessed_cache_", "local_storage_", "remote_storage_")
        return next((result for result in self.results if not result.startswith(lookups)), self.results[0])

    @property
    def is_probe(self) -> bool:
        """Whether a configure step asked the compiler a question, rather than compiling the project."""
        return any(mark in f"/{self.source}" for mark in _PROBE_MARKS)


@dataclass(frozen=True, slots=True)
class CompileStatistics:
    """Counts of a job's calls.

    hits and misses are the project's own compilations, probe_hits and probe_misses those of configure steps.
    uncacheable maps ccache's reason to its count; links and preprocessor runs are not compilations and not in it.
    link_hits and link_misses are links with link-time optimisation, cython_hits and cython_misses calls of the cython
    command; those that their caches left alone are in uncacheable, with the reason.
    """

    hits: int = 0
    misses: int = 0
    probe_hits: int = 0
    probe_misses: int = 0
    uncacheable: tuple[tuple[str, int], ...] = ()
    link_hits: int = 0
    link_misses: int = 0
    cython_hits: int = 0
    cython_misses: int = 0

    @property
    def links(self) -> int:
        return self.link_hits + self.link_misses

    @property
    def cython_calls(self) -> int:
        return self.cython_hits + self.cython_misses

    @property
    def calls(self) -> int:
        return self.hits + self.misses

    @property
    def hit_rate(self) -> float | None:
        """Hits of cacheable calls between 0 and 1, None when there was none."""
        return self.hits / self.calls if self.calls else None

    def __add__(self, other: CompileStatistics) -> CompileStatistics:
        reasons = Counter(dict(self.uncacheable))
        reasons.update(dict(other.uncacheable))
        return CompileStatistics(
            hits=self.hits + other.hits,
            misses=self.misses + other.misses,
            probe_hits=self.probe_hits + other.probe_hits,
            probe_misses=self.probe_misses + other.probe_misses,
            uncacheable=tuple(sorted(reasons.items())),
            link_hits=self.link_hits + other.link_hits,
            link_misses=self.link_misses + other.link_misses,
            cython_hits=self.cython_hits + other.cython_hits,
            cython_misses=self.cython_misses + other.cython_misses,
        )


_NOT_COMPILATIONS = {"called_for_link", "called_for_preprocessing", "no_input_file", "disabled"}


def parse_statistics_log(lines: Iterable[str]) -> Iterator[CompileCall]:
    """Read the log: a line ``# SOURCE`` begins a call, the lines after it are its results.

    A job that is killed leaves a call without results, which is dropped.
    """
    source: str | None = None
    results: list[str] = []
    for line in lines:
        text = line.strip()
        if text.startswith("#"):
            if source is not None and results:
                yield CompileCall(source, tuple(results))
            source, results = text.removeprefix("#").strip(), []
        elif text:
            results.append(text)
    if source is not None and results:
        yield CompileCall(source, tuple(results))


def count_calls(calls: Iterable[CompileCall]) -> CompileStatistics:
    """Count the calls of one job."""
    counts: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    for call in calls:
        kind = "hits" if call.hit else "misses" if call.miss else ""
        if kind:
            counts[f"probe_{kind}" if call.is_probe else kind] += 1
        elif not _NOT_COMPILATIONS.intersection(call.results):
            reasons[call.reason] += 1
    return CompileStatistics(**counts, uncacheable=tuple(sorted(reasons.items())))


def count_links(lines: Iterable[str]) -> CompileStatistics:
    """Count the LTO links of one job, from lines of result, reason and output between tabs."""
    hits, misses, reasons = _count_results(lines, "lto_link")
    return CompileStatistics(link_hits=hits, link_misses=misses, uncacheable=reasons)


def count_cython(lines: Iterable[str]) -> CompileStatistics:
    """Count the calls of the cython command of one job, from lines of result, reason and source between tabs."""
    hits, misses, reasons = _count_results(lines, "cython")
    return CompileStatistics(cython_hits=hits, cython_misses=misses, uncacheable=reasons)


def _count_results(lines: Iterable[str], what: str) -> tuple[int, int, tuple[tuple[str, int], ...]]:
    """Return the numbers of hits, of misses, and of what was left alone by its reason."""
    counts: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    for line in lines:
        result, reason, *_ = *line.rstrip("\n").split("\t"), "", ""
        if result in ("hit", "miss"):
            counts[result] += 1
        elif result == "other":
            reasons[f"{what}: {reason}"] += 1
    return counts["hit"], counts["miss"], tuple(sorted(reasons.items()))
