"""Figures as people read them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from wheelkiln.build.outcome import Gate, GateVerdict, Outcome, Status
from wheelkiln.cache.sharing import Sharing
from wheelkiln.cache.statistics import CompileStatistics
from wheelkiln.plan.model import Skipped

__all__ = [
    "format_cache",
    "format_gate",
    "format_outcome",
    "format_seconds",
    "format_sharing",
    "format_size",
    "format_warnings",
    "group_skipped",
]


def format_seconds(seconds: float | None) -> str:
    """``0.4 s``, ``12.3 s``, ``4 m 05 s``; a dash for nothing known."""
    if seconds is None:
        return "-"
    if round(seconds, 1) < 60:  # noqa: PLR2004 - a minute
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} m {rest:02d} s"


def format_size(size: int) -> str:
    """``173 KiB``."""
    import humanize

    return humanize.naturalsize(size, binary=True, format="%.1f")


def format_cache(statistics: CompileStatistics | None, *, links: bool = True) -> str:
    """``14/14 hits``: the project's own compile calls that ccache could serve, and did; links adds the rest."""
    if statistics is None:
        return "-"
    if not statistics.calls:
        return "no calls"
    text = f"{statistics.hits}/{statistics.calls} hits"
    if links and statistics.links:
        text += f", {statistics.link_hits}/{statistics.links} LTO links"
    if links and statistics.cython_calls:
        text += f", {statistics.cython_hits}/{statistics.cython_calls} Cython"
    return text


def format_outcome(outcome: Outcome) -> str:
    """Say in a line what became of a job."""
    job_id = outcome.job.id
    match outcome.status:
        case Status.BUILT:
            where = f" on {outcome.host}" if outcome.host else ""
            return f"{job_id}: built{where} in {format_seconds(outcome.seconds)}, {format_cache(outcome.statistics)}"
        case Status.REUSED:
            return f"{job_id}: unchanged since it was built{', from the wheel store' if outcome.from_store else ''}"
        case Status.COVERED:
            return f"{job_id}: served by {outcome.covered_by}"
        case Status.CANCELLED:
            return f"{job_id}: {outcome.message}"
        case _:
            return f"{job_id}: {outcome.status} after {format_seconds(outcome.seconds)}: {outcome.message}"


def format_gate(gate: Gate) -> list[str]:
    """Say what the cache gate found, a line for each reason why it did not look at a job."""
    asked = f"{gate.min_hit_rate:.0%}"
    if gate.verdict is GateVerdict.OFF:
        return [f"cache gate: off ({reason})" for reason in gate.reasons]
    found = f"{gate.hits} of {gate.calls} compile calls hit, at least {asked} are asked for"
    return [f"cache gate: {gate.verdict.value}: {found}", *(f"  not looked at: {reason}" for reason in gate.reasons)]


def format_warnings(outcomes: Sequence[Outcome]) -> str:
    """``3 warnings about 2 wheels (build-path, rpath)``; empty where there is none."""
    having = [outcome for outcome in outcomes if outcome.findings]
    if not having:
        return ""
    count = sum(len(outcome.findings) for outcome in having)
    codes = ", ".join(sorted({finding.code for outcome in having for finding in outcome.findings}))
    wheels = f"{len(having)} wheel{'' if len(having) == 1 else 's'}"
    return f"{count} warning{'' if count == 1 else 's'} about {wheels} ({codes})"


def group_skipped(skipped: Iterable[Skipped]) -> list[tuple[list[str], str]]:
    """Put identifiers that are skipped for the same reason together, in the plan's order."""
    groups: dict[str, list[str]] = {}
    for item in skipped:
        groups.setdefault(item.detail, []).append(item.id)
    return [(ids, detail) for detail, ids in groups.items()]


def format_sharing(sharing: Sharing) -> str:
    """Say what the Pythons of a run shared; empty where there was nothing to share."""
    if not sharing.repeated:
        return ""
    told = [f"{sharing.shared} of {sharing.repeated} compilations that an earlier Python had made were shared"]
    if sharing.dependent:
        told.append(f"{sharing.dependent} see the Python")
    if sharing.apart:
        flags = f" ({', '.join(sharing.flags)})" if sharing.flags else ""
        told.append(f"{sharing.apart} have other flags{flags}")
    return "between Pythons: " + "; ".join(told)
