"""Tables of plans and outcomes, for a terminal of any width."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from wheelkiln.build.outcome import Outcome, Status
from wheelkiln.cache.statistics import CompileStatistics
from wheelkiln.plan.model import Plan
from wheelkiln.report.text import format_cache, format_seconds, format_size

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["NARROW", "outcome_table", "plan_table"]

NARROW = 96
"""Below this many columns the tables leave out details."""
_STYLES = {
    Status.BUILT: "green",
    Status.REUSED: "cyan",
    Status.COVERED: "cyan",
    Status.FAILED: "bold red",
    Status.REJECTED: "bold red",
}
_SHOWN_STAGES = ("environment", "compile", "repair", "test")


def plan_table(plan: Plan, width: int) -> Table:
    """One row for each job: where it is built, under which cache namespace, and how long it took last time."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("job", no_wrap=True)
    if width >= NARROW:
        table.add_column("image", overflow="fold")
        table.add_column("cache namespace", overflow="fold")
    table.add_column("estimate", justify="right", no_wrap=True)
    for job in plan.jobs:
        details = [plan.references.get(job.image, job.image), job.namespace] if width >= NARROW else []
        table.add_row(job.id, *details, format_seconds(job.estimate))
    return table


def outcome_table(outcomes: Sequence[Outcome], width: int) -> Table:
    """One row for each job: what became of it, how large, how long in which stage, and what the cache did."""
    from rich.table import Table

    wide = width >= NARROW
    stages = [name for name in _SHOWN_STAGES if any(name in _stages(outcome) for outcome in outcomes)] if wide else []
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("job", no_wrap=not width < len("cp310-manylinux_x86_64") + 44, overflow="fold")
    table.add_column("status", no_wrap=True)
    table.add_column("size", justify="right", no_wrap=True)
    for stage in stages:
        table.add_column(stage, justify="right", no_wrap=True)
    if wide:
        table.add_column("rest", justify="right", no_wrap=True)
    table.add_column("total", justify="right", no_wrap=True)
    table.add_column("compile cache", justify="right", no_wrap=True)
    for outcome in outcomes:
        table.add_row(*_row(outcome, stages, wide=wide), style=_STYLES[outcome.status] if not outcome.good else None)
    if len(outcomes) > 1:
        total = sum(outcome.seconds for outcome in outcomes)
        blanks = [""] * (len(stages) + wide + 1)
        table.add_section()
        table.add_row("all", "", *blanks, format_seconds(total), format_cache(_sum(outcomes)), style="bold")
    return table


def _row(outcome: Outcome, stages: Sequence[str], *, wide: bool) -> list[str]:
    seconds = _stages(outcome)
    ran = outcome.status in (Status.BUILT, Status.FAILED, Status.REJECTED)
    cells = [outcome.job.id, outcome.status.value, format_size(outcome.wheel.size) if outcome.wheel else "-"]
    cells += [format_seconds(seconds.get(stage)) for stage in stages]
    if wide:
        rest = outcome.seconds - sum(seconds.get(stage, 0.0) for stage in stages)
        cells.append(format_seconds(rest) if ran else "-")
    return [*cells, format_seconds(outcome.seconds) if ran else "-", format_cache(outcome.statistics)]


def _stages(outcome: Outcome) -> dict[str, float]:
    return {stage.stage: stage.seconds for stage in outcome.stages}


def _sum(outcomes: Sequence[Outcome]) -> CompileStatistics | None:
    known = [outcome.statistics for outcome in outcomes if outcome.statistics is not None]
    return sum(known, CompileStatistics()) if known else None
