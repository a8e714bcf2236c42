"""What was measured, as values, and the tables that are made of it: pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from load import Load

PLAIN = "cibuildwheel"
MOUNTED = "cibuildwheel + ccache"
OURS = "wheelkiln"
WAYS = (PLAIN, MOUNTED, OURS)
EVERY, FIRST, SECOND = "every build", "first", "second"
COLD, WARM, UNCHANGED, STORE = "cold", "warm", "unchanged", "from the store"
ROWS = (
    (PLAIN, EVERY),
    (MOUNTED, FIRST),
    (MOUNTED, SECOND),
    (OURS, COLD),
    (OURS, WARM),
    (OURS, UNCHANGED),
    (OURS, STORE),
)
FIRST_OF = {MOUNTED: FIRST, OURS: COLD}
"""The build of a way that its later ones are compared with; plain cibuildwheel keeps nothing, so it has none."""

_WHOLE_PERCENT = 0.1
OVERHEAD_SHARE, OVERHEAD_SECONDS = 0.03, 1.0
"""What a cold build may take more than plain cibuildwheel: this share, or these seconds a job."""


@dataclass(frozen=True, slots=True)
class Job:
    """One job's wall seconds and those of its stages; plain cibuildwheel's jobs are one entry together."""

    name: str
    seconds: float
    stages: dict[str, float]


@dataclass(frozen=True, slots=True)
class Build:
    """One build of one project.

    seconds is None when it failed (error says why) or was not what it had to be (note says what it was). memory is
    the peak of the containers' anonymous memory in bytes, outside the seconds before, between and after the jobs. None
    stands for what could not be measured. load is of the compilers in the containers.
    """

    project: str
    way: str
    kind: str
    run: int
    identifiers: tuple[str, ...]
    seconds: float | None = None
    compile_seconds: float | None = None
    hits: int | None = None
    calls: int | None = None
    memory: int | None = None
    jobs: tuple[Job, ...] = ()
    outside: float | None = None
    load: Load | None = None
    error: str = ""
    note: str = ""


def compile_seconds_of(jobs: Iterable[Job]) -> float | None:
    """Add up the compile stages; None where no job has one, as with a frontend that does not announce it."""
    found = [job.stages["compile"] for job in jobs if "compile" in job.stages]
    return round(sum(found), 3) if found else None


def render_builds(builds: Sequence[Build]) -> str:
    """Render the main table: a row for each project and kind of build, medians of its runs."""
    rows = []
    for project in _projects(builds):
        rows += [_build_row(builds, project, way, kind) for way, kind in ROWS if builds_of(builds, project, way, kind)]
    titles = ("project", "build", "wall time", "of plain", "of its first", "compile step", "hits", "peak memory")
    return format_table(titles, rows)


def _build_row(builds: Sequence[Build], project: str, way: str, kind: str) -> tuple[str, ...]:
    found = builds_of(builds, project, way, kind)
    title = way if kind == EVERY else f"{way}, {kind}"
    worst = next((build for build in found if build.error), None) or next((b for b in found if b.note), None)
    if worst is not None:
        text = f"failed: {_cell(worst.error)}" if worst.error else f"- ({_cell(worst.note)})"
        return (project, title, text, *["-"] * 5)
    first = FIRST_OF.get(way)
    return (
        project,
        title,
        format_seconds(median_of(build.seconds for build in found)),
        _share(median_of(_ratios(builds, found, (PLAIN, EVERY)))) if way != PLAIN else "-",
        _share(median_of(_ratios(builds, found, (way, first)))) if first and kind != first else "-",
        format_seconds(median_of(build.compile_seconds for build in found)),
        _hits(found),
        _memory(median_of(build.memory for build in found)),
    )


def _ratios(builds: Sequence[Build], found: Sequence[Build], against: tuple[str, str]) -> list[float | None]:
    """Divide each build's wall time by that of the other in the same run."""
    ratios: list[float | None] = []
    for build in found:
        others = builds_of(builds, build.project, *against)
        other = next((entry.seconds for entry in others if entry.run == build.run), None)
        ratios.append(build.seconds / other if build.seconds is not None and other else None)
    return ratios


def _hits(found: Sequence[Build]) -> str:
    """Show the run with the fewest hits."""
    counted = [
        (build.hits / build.calls, build.hits, build.calls) for build in found if build.hits is not None and build.calls
    ]
    if not counted:
        return "-"
    rate, hits, calls = min(counted)
    return f"{hits}/{calls} ({rate:.0%})" if rate in (0.0, 1.0) else f"{hits}/{calls} ({rate:.1%})"


def render_pythons(builds: Sequence[Build]) -> str:
    """Render the cold build of all Pythons against that of one, for each way that was measured."""
    rows: list[tuple[str, ...]] = []
    for project in _projects(builds):
        for way, kind in ((PLAIN, EVERY), (OURS, COLD)):
            found = builds_of(builds, project, way, kind)
            few = {build.run: build for build in found if len(build.identifiers) == 1}
            many = [build for build in found if len(build.identifiers) > 1]
            error = next((build.error for build in found if build.error), "")
            if error:
                rows.append((project, way, f"failed: {_cell(error)}", "-", "-", "-"))
            elif few and many:
                rows.append((project, way, *_pythons_cells(few, many)))
    return format_table(("project", "way, cold", "one Python", "all Pythons", "ratio", "hits of all"), rows)


def _pythons_cells(few: dict[int, Build], many: Sequence[Build]) -> tuple[str, ...]:
    pairs = [(few[build.run].seconds, build.seconds) for build in many if build.run in few]
    ratio = median_of(all_ / one for one, all_ in pairs if one and all_)
    return (
        format_seconds(median_of(build.seconds for build in few.values())),
        f"{format_seconds(median_of(build.seconds for build in many))} ({len(many[0].identifiers)})",
        "-" if ratio is None else f"{ratio:.2f}",
        _hits(many),
    )


def render_overhead(builds: Sequence[Build]) -> str:
    """Render pairs of a plain and a cold build, and whether the median stays within the limit."""
    rows = []
    for project in _projects(builds):
        plain = {build.run: build for build in builds_of(builds, project, PLAIN, EVERY)}
        pairs = [(plain[build.run], build) for build in builds_of(builds, project, OURS, COLD) if build.run in plain]
        differences: list[tuple[float, float]] = []
        for theirs, ours in pairs:
            rows.append((project, f"pair {ours.run}", *_pair_cells(theirs, ours)))
            if theirs.seconds and ours.seconds:
                more = ours.seconds - theirs.seconds
                differences.append((more / theirs.seconds, more / max(1, len(ours.identifiers))))
        if differences:
            share, seconds = (median(values) for values in zip(*differences, strict=True))
            good = share <= OVERHEAD_SHARE or seconds <= OVERHEAD_SECONDS
            verdict = f"{seconds:+.2f} s{'' if good else ' (too much)'}"
            rows.append((project, "median", "", "", f"{share:+.1%}", verdict))
    return format_table(("project", "", f"{PLAIN}, no cache", f"{OURS}, cold", "more", "more, a job"), rows)


def _pair_cells(theirs: Build, ours: Build) -> tuple[str, ...]:
    if not theirs.seconds or not ours.seconds:
        return (*(_cell(build.error) or format_seconds(build.seconds) for build in (theirs, ours)), "-", "-")
    more = ours.seconds - theirs.seconds
    a_job = f"{more / max(1, len(ours.identifiers)):+.2f} s"
    return (format_seconds(theirs.seconds), format_seconds(ours.seconds), f"{more / theirs.seconds:+.1%}", a_job)


def _projects(builds: Iterable[Build]) -> list[str]:
    return list(dict.fromkeys(build.project for build in builds))


def builds_of(builds: Iterable[Build], project: str, way: str, kind: str) -> list[Build]:
    return [build for build in builds if (build.project, build.way, build.kind) == (project, way, kind)]


def median_seconds(builds: Iterable[Build], project: str, way: str, kind: str) -> float | None:
    """Return the median wall time of one row of the main table."""
    return median_of(build.seconds for build in builds_of(builds, project, way, kind))


def worst_hit_rate(builds: Iterable[Build], project: str, way: str, kind: str) -> float | None:
    """Return the lowest share of hits among a row's runs."""
    found = builds_of(builds, project, way, kind)
    return min((b.hits / b.calls for b in found if b.hits is not None and b.calls), default=None)


def median_of(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return median(known) if known else None


def _formatted(value: float | None, form: Callable[[float], str]) -> str:
    return "-" if value is None else form(value)


def format_seconds(value: float | None, *, digits: int = 1) -> str:
    return _formatted(value, lambda seconds: f"{seconds:.{digits}f} s")


def _share(value: float | None) -> str:
    return _formatted(value, lambda share: f"{share:.0%}" if share >= _WHOLE_PERCENT else f"{share:.1%}")


def _memory(value: float | None) -> str:
    return _formatted(value, lambda size: f"{size / 2**20:.0f} MiB")


def _cell(text: str) -> str:
    """Make a text fit into one cell of a Markdown table."""
    return " ".join(text.split()).replace("|", "\\|")[:120]


def format_table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Lay out a Markdown table that is readable as plain text, too."""
    widths = [max(len(row[column]) for row in (titles, *rows)) for column in range(len(titles))]
    lines = [titles, ["-" * width for width in widths], *rows]
    return "".join(
        f"| {' | '.join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))} |\n" for line in lines
    )
