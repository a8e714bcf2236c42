"""Caches as tables and JSON: their sizes, and their hits over time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wheelkiln.build.ledger import PastJob
from wheelkiln.build.outcome import Status
from wheelkiln.cache.inventory import CacheSize
from wheelkiln.cache.statistics import CompileStatistics
from wheelkiln.report.tables import NARROW
from wheelkiln.report.text import format_cache, format_seconds, format_size

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["CACHES_FORMAT", "Group", "cache_tables", "caches_as_json", "group_by_project", "group_by_run"]

CACHES_FORMAT = 1
_SHOWN_RUNS = 10


@dataclass(frozen=True, slots=True)
class Group:
    """Jobs that belong together, the oldest first."""

    jobs: tuple[PastJob, ...]

    @property
    def last(self) -> PastJob:
        return self.jobs[-1]

    @property
    def failed(self) -> int:
        return sum(job.status in (Status.FAILED, Status.REJECTED) for job in self.jobs)

    @property
    def statistics(self) -> CompileStatistics | None:
        known = [job.statistics for job in self.jobs if job.statistics is not None]
        return sum(known, CompileStatistics()) if known else None

    @property
    def seconds(self) -> float:
        return round(sum(job.seconds for job in self.jobs), 3)


def group_by_project(history: Sequence[PastJob]) -> tuple[Group, ...]:
    """Put the jobs of each project and variant together, the last used first."""
    groups: dict[tuple[str, str], list[PastJob]] = {}
    for job in history:
        groups.setdefault((job.project, job.variant), []).append(job)
    found = [Group(tuple(jobs)) for jobs in groups.values()]
    return tuple(sorted(found, key=lambda group: -group.last.finished))


def group_by_run(history: Sequence[PastJob]) -> tuple[Group, ...]:
    """Put the jobs of each run together, the newest first; jobs of an unknown run stand alone."""
    groups: dict[object, list[PastJob]] = {}
    for number, job in enumerate(history):
        groups.setdefault(job.run or number, []).append(job)
    found = [Group(tuple(jobs)) for jobs in groups.values()]
    return tuple(sorted(found, key=lambda group: -group.last.finished))


def cache_tables(sizes: Sequence[CacheSize], history: Sequence[PastJob], width: int) -> Iterator[Table]:
    """Yield the tables: the caches, then the projects, then the last runs."""
    yield _size_table(sizes)
    if history:
        yield _project_table(group_by_project(history), width)
        yield _run_table(group_by_run(history)[:_SHOWN_RUNS], width)


def caches_as_json(directory: Path, sizes: Sequence[CacheSize], history: Sequence[PastJob]) -> dict[str, Any]:
    """Return the same for programs, and every job that ended as a series; sizes are in bytes, times in UTC."""
    return {
        "format": CACHES_FORMAT,
        "directory": str(directory),
        "caches": [
            {"name": size.cache.name, "size": size.size, "files": size.files, "limit": size.cache.limit_bytes}
            for size in sizes
        ],
        "projects": [
            {"project": group.last.project, "variant": group.last.variant, **_sums(group)}
            for group in group_by_project(history)
        ],
        "runs": [
            {"run": group.last.run, "project": group.last.project, "version": group.last.version, **_sums(group)}
            for group in group_by_run(history)
        ],
        "builds": [_build(job) for job in history],
    }


def _sums(group: Group) -> dict[str, Any]:
    return {
        "time": _iso(group.last.finished),
        "jobs": len(group.jobs),
        "failed": group.failed,
        "seconds": group.seconds,
        **_counts(group.statistics),
    }


def _build(job: PastJob) -> dict[str, Any]:
    return {
        "time": _iso(job.finished),
        "run": job.run,
        "project": job.project,
        "version": job.version,
        "variant": job.variant,
        "job": job.id,
        "status": job.status,
        "seconds": job.seconds,
        **_counts(job.statistics),
    }


def _counts(statistics: CompileStatistics | None) -> dict[str, int | None]:
    return {
        "hits": statistics.hits if statistics else None,
        "misses": statistics.misses if statistics else None,
    }


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _size_table(sizes: Iterable[CacheSize]) -> Table:
    table = _table(("cache", "size", "files", "limit"))
    for size in sizes:
        files = f"{size.files:,}".replace(",", " ")
        table.add_row(size.cache.name, format_size(size.size), files, size.cache.limit or "-")
    return table


def _project_table(groups: Sequence[Group], width: int) -> Table:
    wide = width >= NARROW
    table = _table(("project", *(("variant", "failed", "seconds") if wide else ()), "jobs", "hits", "last"))
    for group in groups:
        last = group.last
        name = last.project if wide or last.variant == "default" else f"{last.project}@{last.variant}"
        details = (last.variant, str(group.failed), format_seconds(group.seconds)) if wide else ()
        table.add_row(name, *details, str(len(group.jobs)), _rate(group.statistics), _local(last.finished, wide=wide))
    return table


def _run_table(groups: Sequence[Group], width: int) -> Table:
    wide = width >= NARROW
    columns = ("run of", *(("version", "failed", "seconds") if wide else ()), "jobs", "hits", "at")
    table = _table(columns)
    for group in groups:
        last = group.last
        details = (last.version, str(group.failed), format_seconds(group.seconds)) if wide else ()
        hits = format_cache(group.statistics).removesuffix(" hits")
        table.add_row(last.project, *details, str(len(group.jobs)), hits, _local(last.finished, wide=wide))
    return table


def _rate(statistics: CompileStatistics | None) -> str:
    rate = statistics.hit_rate if statistics else None
    return "-" if rate is None else f"{100 * rate:.0f} %"


def _local(seconds: float, *, wide: bool) -> str:
    """The time by this machine's clock, as its user reads it."""
    moment = datetime.fromtimestamp(seconds, UTC).astimezone()
    return f"{moment:%Y-%m-%d %H:%M}" if wide else f"{moment:%m-%d %H:%M}"


def _table(columns: Sequence[str]) -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for number, name in enumerate(columns):
        table.add_column(name, justify="left" if number == 0 or name in ("variant", "version") else "right")
        table.columns[-1].no_wrap = number > 0
        table.columns[-1].overflow = "fold"
    return table
