"""Where the time of a build goes, stage by stage, beside plain cibuildwheel: pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import median

from results import EVERY, OURS, PLAIN, WARM, Build, Job, builds_of, format_seconds, format_table, median_of

CIBUILDWHEEL_STAGES = (
    "cibuildwheel",
    "start",
    "copy",
    "before-all",
    "setup",
    "before-build",
    "frontend",
    "compile",
    "repair",
    "test",
    "collect",
)
"""Stages in which cibuildwheel and what it calls are at work, ``cibuildwheel`` being its start; all others are
wheelkiln's. It makes the build environment itself, which in a plain run the build frontend does."""
REST, OUTSIDE = "rest", "outside of jobs"


def render_stages(builds: Sequence[Build], project: str, kind: str) -> str:
    """Render where a build's time goes: seconds of each stage and job, beside plain cibuildwheel's mean."""
    found = [build for build in builds_of(builds, project, OURS, kind) if build.jobs]
    if not found:
        return ""
    plain = [build for build in builds_of(builds, project, PLAIN, EVERY) if build.jobs]
    names = [job.name for job in found[0].jobs]
    ours = {
        name: _stage_medians(build_job.stages | _rest(build_job) for build_job in _jobs(found, name)) for name in names
    }
    theirs = _stage_medians(_mean_stages(build) for build in plain)
    stages = list(dict.fromkeys([*_ordered(ours.values(), theirs), REST]))
    rows = []
    for stage in stages:
        cells = [format_seconds(ours[name].get(stage), digits=2) for name in names]
        rows.append((stage, _owner(stage), *cells, format_seconds(theirs.get(stage), digits=2)))
    totals = [format_seconds(median_of(job.seconds for job in _jobs(found, name)), digits=2) for name in names]
    rows.append(("all", "", *totals, format_seconds(median_of(_wall_of_a_job(build) for build in plain), digits=2)))
    rows.append(_outside_row(found, len(names)))
    short = [name.partition("-")[0] for name in names]
    table = format_table(("stage", "whose", *short, f"{PLAIN}, a job"), rows)
    return f"{table}\n{_judge_stages(ours.values(), _outside_of_a_job(found))}\n" if kind == WARM else table


def _outside_row(found: Sequence[Build], columns: int) -> tuple[str, ...]:
    outside = median_of(build.outside for build in found)
    return (OUTSIDE, OURS, format_seconds(outside, digits=2), *["-"] * (columns - 1), "-")


def _judge_stages(ours: Iterable[dict[str, float]], outside: float | None) -> str:
    """Say whether a stage of wheelkiln's is longer than cibuildwheel's longest."""
    longest: dict[str, tuple[float, str]] = {PLAIN: (0.0, ""), OURS: (outside or 0.0, f"{OUTSIDE}, divided by jobs")}
    for stages in ours:
        for stage, seconds in stages.items():
            owner = _owner(stage)
            if owner in longest:
                longest[owner] = max(longest[owner], (seconds, stage))
    (own, own_stage), (theirs, their_stage) = longest[OURS], longest[PLAIN]
    verdict = "not longer" if own <= theirs else "LONGER"
    return (
        f"The longest of wheelkiln's own stages ({own_stage}, {own:.2f} s) is {verdict} than cibuildwheel's longest "
        f"({their_stage}, {theirs:.2f} s)."
    )


def _ordered(ours: Iterable[dict[str, float]], theirs: dict[str, float]) -> list[str]:
    seen = dict.fromkeys(stage for stages in (*ours, theirs) for stage in stages)
    known = [stage for stage in CIBUILDWHEEL_STAGES if stage in seen]
    return [*known, *(stage for stage in seen if stage not in known and stage != REST)]


def _owner(stage: str) -> str:
    if stage == REST:
        return "both"
    return PLAIN if stage in CIBUILDWHEEL_STAGES else OURS


def _rest(job: Job) -> dict[str, float]:
    """What no stage has: most of it is cibuildwheel's start until it names its first step."""
    return {REST: round(job.seconds - sum(job.stages.values()), 3)}


def _jobs(builds: Iterable[Build], name: str) -> list[Job]:
    return [job for build in builds for job in build.jobs if job.name == name]


def _stage_medians(runs: Iterable[dict[str, float]]) -> dict[str, float]:
    found: dict[str, list[float]] = {}
    for stages in runs:
        for stage, seconds in stages.items():
            found.setdefault(stage, []).append(seconds)
    return {stage: median(seconds) for stage, seconds in found.items()}


def _mean_stages(build: Build) -> dict[str, float]:
    count = max(1, len(build.identifiers))
    total = {**build.jobs[0].stages, **_rest(build.jobs[0])}
    return {stage: seconds / count for stage, seconds in total.items()}


def _wall_of_a_job(build: Build) -> float | None:
    return None if build.seconds is None else build.seconds / max(1, len(build.identifiers))


def _outside_of_a_job(builds: Sequence[Build]) -> float | None:
    outside = median_of(build.outside for build in builds)
    return None if outside is None else outside / max(1, len(builds[0].jobs))
