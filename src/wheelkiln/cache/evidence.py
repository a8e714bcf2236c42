"""What others' builds left: ccache's logs, statistics logs and debug directories, read as two builds to compare."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

from wheelkiln.cache.calls import Call, CallLog, is_call_log, parse_call_log
from wheelkiln.cache.inputs import InputDifference, debug_runs, find_difference
from wheelkiln.cache.records import JobRecord
from wheelkiln.cache.statistics import parse_statistics_log
from wheelkiln.cache.units import steady_path
from wheelkiln.errors import UsageProblem

__all__ = ["Comparison", "compare_debug_runs", "is_evidence", "read_comparison"]

_HEAD_LINES = 20
_STATISTICS_LINE = re.compile(r"# .*|[a-z_]+$")


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two builds to compare; previous is None where there is one only. differences are known by the object's place."""

    latest: JobRecord
    previous: JobRecord | None
    differences: Mapping[str, InputDifference] = field(default_factory=dict)


def is_evidence(path: Path) -> bool:
    """Tell whether a path is something that ccache wrote, and not a project's source."""
    if path.is_dir():
        return next(path.rglob("*.ccache-*"), None) is not None
    return path.is_file() and _kind(path) != ""


def read_comparison(paths: tuple[Path, ...]) -> Comparison:
    """Read one or two logs or debug directories, the earlier build first.

    In a single one, that may hold several builds after another, the last call of each unit is compared with the one
    before it.
    """
    logs = [_read_log(path) for path in paths]
    runs = [debug_runs(path) if path.is_dir() else {} for path in paths]
    if len(logs) == 1:
        before, after = _split(logs[0])
        pairs = {unit: tuple(found[-2:]) for unit, found in runs[0].items()}
    else:
        before, after = logs
        pairs = {unit: (runs[0][unit][-1], found[-1]) for unit, found in runs[1].items() if unit in runs[0]}
    latest = _record(paths[-1], after)
    previous = _record(paths[0], before) if before.calls else None
    return Comparison(latest, previous, _differences(pairs))


def compare_debug_runs(before: Path, after: Path) -> dict[str, InputDifference]:
    """Compare two builds' debug directories, unit by unit, where something differs."""
    earlier, later = debug_runs(before), debug_runs(after)
    return _differences({unit: (earlier[unit][-1], found[-1]) for unit, found in later.items() if unit in earlier})


def _differences(pairs: Mapping[str, tuple[Path, ...]]) -> dict[str, InputDifference]:
    found = {}
    for unit, files in pairs.items():
        if len(files) == 2:  # noqa: PLR2004 - a pair
            with files[0].open(errors="replace") as one, files[1].open(errors="replace") as two:
                difference = find_difference(one, two)
            if difference:
                found[unit] = difference
    return found


def _read_log(path: Path) -> CallLog:
    if path.is_dir():
        files = sorted(path.rglob("*.ccache-log"), key=lambda file: file.name.rpartition(".o.")[2])
        logs = [parse_call_log(_lines(file)) for file in files]
        if not logs:
            raise _unusable(path)
        return replace(logs[-1], calls=tuple(call for log in logs for call in log.calls))
    kind = _kind(path)
    if kind == "calls":
        return parse_call_log(_lines(path))
    if kind == "statistics":
        return CallLog(calls=tuple(_bare(call.source, call.results) for call in parse_statistics_log(_lines(path))))
    raise _unusable(path)


def _kind(path: Path) -> str:
    """Tell by a file's first lines what it is: "calls", "statistics" or nothing."""
    with suppress(OSError):
        head = [line for line in islice(_lines(path), _HEAD_LINES) if line.strip()]
        if any(is_call_log(line) for line in head):
            return "calls"
        if head[1:] and head[0].startswith("#") and all(_STATISTICS_LINE.match(line) for line in head):
            return "statistics"
    return ""


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8", errors="replace").splitlines()


def _bare(source: str, results: tuple[str, ...]) -> Call:
    return Call(source, "", "", (), "", "", "", "", results)


def _split(log: CallLog) -> tuple[CallLog, CallLog]:
    """Take the last call of each unit as the latest build's, and the one before it as the previous build's."""
    units: dict[tuple[str, str], list[Call]] = {}
    for call in log.calls:
        units.setdefault((steady_path(call.source), steady_path(call.output)), []).append(call)
    before = tuple(found[-2] for found in units.values() if len(found) > 1)
    return replace(log, calls=before), replace(log, calls=_in_order(log.calls, [found[-1] for found in units.values()]))


def _in_order(calls: Iterable[Call], wanted: Iterable[Call]) -> tuple[Call, ...]:
    ids = {id(call) for call in wanted}
    return tuple(call for call in calls if id(call) in ids)


def _record(path: Path, log: CallLog) -> JobRecord:
    return JobRecord(project="", job=path.name, finished=0.0, built=False, log=log)


def _unusable(path: Path) -> UsageProblem:
    return UsageProblem(
        f"{path} is no log of ccache, no statistics log and no debug directory",
        hint="CCACHE_LOGFILE, CCACHE_STATSLOG and CCACHE_DEBUGDIR (with CCACHE_DEBUG=1) make ccache write them.",
    )
