"""Tables of plans and outcomes, for a terminal of any width."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from wheelkiln.build.outcome import Outcome, Status
from wheelkiln.cache.statistics import CompileStatistics
from wheelkiln.plan.matrix import PlanDocument
from wheelkiln.plan.model import Shard
from wheelkiln.report.text import format_cache, format_seconds, format_size

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["NARROW", "outcome_table", "plan_table", "shard_table"]

NARROW = 96
"""Below this many columns the tables leave out details."""
_STYLES = {
    Status.BUILT: "green",
    Status.REUSED: "cyan",
    Status.COVERED: "cyan",
    Status.FAILED: "bold red",
    Status.REJECTED: "bold red",
    Status.CANCELLED: "yellow",
}
_ROOMY = 128
"""From this many columns on they also have what became of LTO links."""
_VERY_NARROW = 56
_FOLDS = len("cp310-manylinux_x86_64") + 44
_SHORTEST_JOB = 12
_CACHE = "compile cache"
_SHOWN_STAGES = ("environment", "compile", "repair", "test")


def plan_table(plan: PlanDocument, width: int) -> Table:
    """One row for each job: where it is built, under which cache namespace, and how long it took last time."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("job", no_wrap=True)
    if width >= NARROW:
        table.add_column("image", overflow="fold")
        table.add_column("cache namespace", overflow="fold")
    spread = any(job.host for job in plan.jobs)
    if spread:
        table.add_column("host", no_wrap=True)
    numbers = {job_id: str(shard.number) for shard in plan.shards for job_id in shard.jobs}
    if numbers:
        table.add_column("shard", justify="right", no_wrap=True)
    table.add_column("estimate", justify="right", no_wrap=True)
    for job in plan.jobs:
        details = [job.image, job.namespace] if width >= NARROW else []
        details += [job.host or "this machine"] if spread else []
        details += [numbers[job.id]] if numbers else []
        table.add_row(job.id, *details, format_seconds(job.estimate))
    return table


def shard_table(shards: Sequence[Shard]) -> Table:
    """One row for each shard: how many jobs it has, and how long they take one after another."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("shard", "jobs", "estimate"):
        table.add_column(name, justify="right", no_wrap=True)
    for shard in shards:
        table.add_row(f"{shard.number}/{len(shards)}", str(len(shard.jobs)), format_seconds(shard.seconds))
    return table


def outcome_table(outcomes: Sequence[Outcome], width: int) -> Table:
    """One row for each job: what became of it, how large, how long in which stage, and what the cache did."""
    from rich.table import Table

    columns = _columns(outcomes, width)
    links = width >= _ROOMY
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in columns:
        if name == "job":
            table.add_column(name, no_wrap=width >= _FOLDS, overflow="fold", min_width=_SHORTEST_JOB)
        else:
            table.add_column(name, justify="left" if name in ("host", "status") else "right", no_wrap=True)
    for outcome in outcomes:
        cells = _cells(outcome, columns) | {_CACHE: format_cache(outcome.statistics, links=links)}
        table.add_row(*(cells[name] for name in columns), style=None if outcome.good else _STYLES[outcome.status])
    if len(outcomes) > 1:
        seconds = format_seconds(sum(outcome.seconds for outcome in outcomes))
        sums = {"job": "all", "total": seconds, _CACHE: format_cache(_sum(outcomes), links=links)}
        table.add_section()
        table.add_row(*(sums.get(name, "") for name in columns), style="bold")
    return table


def _columns(outcomes: Sequence[Outcome], width: int) -> list[str]:
    """Choose what fits: the stages on a wide terminal, neither size nor cache on a very narrow one."""
    if width < _VERY_NARROW:
        return ["job", "status", "total"]
    if width < NARROW:
        return ["job", "status", "size", "total", _CACHE]
    host = ["host"] if any(outcome.host for outcome in outcomes) else []
    stages = [name for name in _SHOWN_STAGES if any(name in _stages(outcome) for outcome in outcomes)]
    return ["job", *host, "status", "size", *stages, "rest", "total", _CACHE]


def _cells(outcome: Outcome, columns: Sequence[str]) -> dict[str, str]:
    seconds = _stages(outcome)
    ran = outcome.status in (Status.BUILT, Status.FAILED, Status.REJECTED) or outcome.seconds > 0
    rest = outcome.seconds - sum(seconds.get(name, 0.0) for name in columns)
    return {name: format_seconds(seconds.get(name)) for name in columns} | {
        "job": outcome.job.id,
        "host": outcome.host or ("this machine" if ran else "-"),
        "status": outcome.status.value,
        "size": format_size(outcome.wheel.size) if outcome.wheel else "-",
        "rest": format_seconds(rest) if ran else "-",
        "total": format_seconds(outcome.seconds) if ran else "-",
    }


def _stages(outcome: Outcome) -> dict[str, float]:
    return {stage.stage: stage.seconds for stage in outcome.stages}


def _sum(outcomes: Sequence[Outcome]) -> CompileStatistics | None:
    known = [outcome.statistics for outcome in outcomes if outcome.statistics is not None]
    return sum(known, CompileStatistics()) if known else None
