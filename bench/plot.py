"""The picture of the main table: wall time and hit rate of every build, grouped by project."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from results import (
    COLD,
    EVERY,
    FIRST,
    MOUNTED,
    OURS,
    PLAIN,
    ROWS,
    SECOND,
    STORE,
    UNCHANGED,
    WARM,
    Build,
    median_seconds,
    worst_hit_rate,
)

_COLOURS = {
    (PLAIN, EVERY): "#8c8c8c",
    (MOUNTED, FIRST): "#f2b880",
    (MOUNTED, SECOND): "#d9770b",
    (OURS, COLD): "#9cc3e6",
    (OURS, WARM): "#2f7fc1",
    (OURS, UNCHANGED): "#1b4f80",
    (OURS, STORE): "#0d2a45",
}
_SECOND_BUILDS = ((MOUNTED, SECOND), (OURS, WARM))
_LEAST_WIDTH, _PROJECT_WIDTH, _HEIGHT = 8.0, 2.7, 7.0
_WHOLE_SECONDS = 10.0
"""From here on, a bar's label has no decimals."""
_LOWEST = 0.1
"""Seconds at which the bars begin."""
_GROUP = 0.86
"""Share of a project's room that its bars fill."""


def draw(builds: Sequence[Build], directory: Path, name: str) -> list[Path]:
    """Write the picture as SVG and PNG; raise ImportError without matplotlib."""
    import matplotlib as mpl

    mpl.use("agg")
    mpl.rcParams["svg.hashsalt"] = name  # the same figures give the same file
    from matplotlib import pyplot as plt

    projects = list(dict.fromkeys(build.project for build in builds if build.seconds))  # all that failed is left out
    width = max(_LEAST_WIDTH, 2.0 + _PROJECT_WIDTH * len(projects))
    figure, (times, hits) = plt.subplots(
        2, 1, figsize=(width, _HEIGHT), height_ratios=(3, 1), sharex=True, layout="constrained"
    )
    _draw_times(times, builds, projects)
    _draw_hits(hits, builds, projects)
    figure.legend(*times.get_legend_handles_labels(), loc="outside upper center", ncols=3, frameon=False, fontsize=9)
    files = [directory / f"{name}.svg", directory / f"{name}.png"]
    for file in files:
        figure.savefig(file, dpi=150, metadata={"Date": None} if file.suffix == ".svg" else None)
    plt.close(figure)
    return files


def _draw_times(axes: Any, builds: Sequence[Build], projects: Sequence[str]) -> None:
    present = [row for row in ROWS if any(median_seconds(builds, project, *row) for project in projects)]
    bar = _GROUP / max(1, len(present))
    for place, row in enumerate(present):
        points = [(number, median_seconds(builds, project, *row)) for number, project in enumerate(projects)]
        known = [(number, seconds) for number, seconds in points if seconds]
        offset = (place - (len(present) - 1) / 2) * bar
        title = row[0] if row[1] == EVERY else f"{row[0]}, {row[1]}"
        drawn = axes.bar(
            [number + offset for number, _ in known],
            [seconds for _, seconds in known],
            width=bar * 0.94,
            color=_COLOURS[row],
            label=title,
        )
        axes.bar_label(drawn, [_short(seconds) for _, seconds in known], padding=2, fontsize=7.5)
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.set_ylabel("wall time in seconds (logarithmic)")
    seconds = [median_seconds(builds, project, *row) or 1.0 for project in projects for row in present]
    axes.set_ylim(min(_LOWEST, min(seconds) / 2), 2 * max(seconds))
    _tidy(axes)


def _draw_hits(axes: Any, builds: Sequence[Build], projects: Sequence[str]) -> None:
    bar = _GROUP / (2 * len(_SECOND_BUILDS))
    for place, row in enumerate(_SECOND_BUILDS):
        points = [(number, worst_hit_rate(builds, project, *row)) for number, project in enumerate(projects)]
        known = [(number, 100 * rate) for number, rate in points if rate is not None]
        offset = (place - (len(_SECOND_BUILDS) - 1) / 2) * bar
        drawn = axes.bar(
            [number + offset for number, _ in known], [rate for _, rate in known], width=bar * 0.94, color=_COLOURS[row]
        )
        axes.bar_label(drawn, [f"{rate:.0f} %" for _, rate in known], padding=2, fontsize=7.5)
    axes.set_ylim(0, 125)
    axes.set_yticks([0, 50, 100])
    axes.set_ylabel("hits of the\nsecond build in %")
    axes.set_xticks(range(len(projects)), projects)
    axes.set_xlim(-0.55, len(projects) - 0.45)
    _tidy(axes)


def _tidy(axes: Any) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="#e3e3e3", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(axis="x", length=0, labelsize=10)


def _short(seconds: float) -> str:
    return f"{seconds:.0f}" if seconds >= _WHOLE_SECONDS else f"{seconds:.1f}"
