"""bench/caches.py: what it reads from outputs and how it lays out its tables. Nothing is timed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from caches import Report
from measure import Measured, StageReader, reason_of
from results import (
    COLD,
    EVERY,
    FIRST,
    MOUNTED,
    OURS,
    PLAIN,
    SECOND,
    STORE,
    UNCHANGED,
    WARM,
    Build,
    Job,
    render_builds,
    render_overhead,
    render_pythons,
)
from stage_table import render_stages
from subjects import Subject, narrowed
from ways import plain_config, read_manifest, read_output
from wheelkiln.cache.statistics import CompileStatistics

OUTPUT = """\
Starting container image localhost/image:1...
Copying project into container...
Building cp312-manylinux_x86_64 wheel
Setting up build environment...
Building wheel...
* Creating isolated environment: venv+pip...
* Installing packages in isolated environment:
* Getting build dependencies for wheel...
* Building wheel...
gcc -c it.c
Repairing wheel...
Building cp313-manylinux_x86_64 wheel
Setting up build environment...
Building wheel...
* Creating isolated environment: venv+pip...
* Building wheel...
Repairing wheel...
Copying wheels back to host...
"""


def a_build(way: str, kind: str, seconds: float | None = None, *, run: int = 1, **values: Any) -> Build:
    return Build("alpha", way, kind, run, values.pop("identifiers", ("cp312-manylinux_x86_64",)), seconds, **values)


def cells(table: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.strip("|\n").split("|")] for line in table.splitlines()]


def row_of(table: str, *start: str) -> list[str]:
    (found,) = [row for row in cells(table) if row[: len(start)] == list(start)]
    return found


def test_stages_are_added_up_over_identifiers() -> None:
    """A line a second: a stage lasts until the next one's line, and comes back for the second identifier."""
    now = [0.0]
    reader = StageReader(lambda: now[0])
    for line in OUTPUT.splitlines():
        now[0] += 1
        reader.read(line)
    now[0] += 1

    assert reader.finish() == {
        "start": 1,
        "copy": 2,
        "setup": 2,
        "frontend": 2,
        "environment": 4,
        "compile": 3,
        "repair": 3,  # until the next identifier is set up
        "collect": 1,
    }


def test_cibuildwheel_output_to_a_build() -> None:
    done = Measured(0, 20.0, {"start": 1.0, "compile": 12.5}, ())
    build = read_output(a_build(MOUNTED, SECOND), done, CompileStatistics(hits=3, misses=1, probe_misses=7))

    assert (build.seconds, build.compile_seconds, build.hits, build.calls) == (20.0, 12.5, 3, 4)
    assert build.jobs == (Job("all", 20.0, {"start": 1.0, "compile": 12.5}),)


def test_without_a_compile_stage_or_a_log_nothing_is_claimed() -> None:
    build = read_output(a_build(PLAIN, EVERY), Measured(0, 20.0, {"frontend": 19.0}, ()), None)

    assert (build.compile_seconds, build.hits, build.calls) == (None, None, None)
    assert row_of(render_builds([build]), "alpha", PLAIN)[2:] == ["20.0 s", "-", "-", "-", "-", "-"]


def test_a_failed_command_keeps_the_line_that_says_why() -> None:
    tail = ("gcc -c it.c", "it.c:1: fatal error: no.h: No such file", "note: this is from the backend", "Traceback")
    build = read_output(a_build(PLAIN, EVERY), Measured(1, 2.0, {}, tail), None)

    assert build.seconds is None
    assert build.error == "it.c:1: fatal error: no.h: No such file"
    assert reason_of(["one", "the last"]) == "the last"
    assert reason_of([]) == ""


def manifest(*statuses: str) -> dict[str, Any]:
    stages = [{"stage": "compile", "seconds": 2.0}, {"stage": "verify", "seconds": 0.5}]
    statistics = {"hits": 4, "misses": 1, "probe_hits": 9, "probe_misses": 9, "uncacheable": []}
    jobs = [
        {
            "identifier": f"cp31{number}-manylinux_x86_64",
            "status": status,
            "seconds": 5.0 if status == "built" else 0.0,
            "stages": stages if status == "built" else [],
            "statistics": statistics if status == "built" else None,
        }
        for number, status in enumerate(statuses)
    ]
    return {"jobs": jobs, "seconds": 10.5}


def test_manifest_to_a_build() -> None:
    build = read_manifest(a_build(OURS, WARM), manifest("built", "covered", "built"), 11.0)

    assert (build.seconds, build.compile_seconds, build.hits, build.calls) == (11.0, 4.0, 8, 10)
    assert build.outside == 1.0
    assert [job.name for job in build.jobs] == ["cp310-manylinux_x86_64", "cp312-manylinux_x86_64"]


def test_jobs_side_by_side_leave_what_is_outside_of_the_run() -> None:
    side_by_side = {**manifest("built", "built"), "seconds": 6.0}

    assert read_manifest(a_build(OURS, WARM), side_by_side, 6.8).outside == 0.8


@pytest.mark.parametrize("kind", [UNCHANGED, STORE])
def test_what_had_to_be_reused_and_was_built_has_no_time(kind: str) -> None:
    assert read_manifest(a_build(OURS, kind), manifest("reused", "reused"), 0.4).seconds == 0.4

    built = read_manifest(a_build(OURS, kind), manifest("reused", "built"), 6.0)

    assert built.seconds is None
    assert row_of(render_builds([built]), "alpha", f"wheelkiln, {kind}")[2] == "- (1 of 2 were built again)"


def test_table_of_builds_takes_medians_and_ratios_within_a_run() -> None:
    """Run 2 was on a busy machine: its ratios are those of the others."""
    builds = []
    for run, slow in ((1, 1.0), (2, 3.0), (3, 1.0)):
        builds += [
            a_build(PLAIN, EVERY, 100 * slow, run=run, memory=200 * 2**20),
            a_build(MOUNTED, FIRST, 110 * slow, run=run, hits=0, calls=4),
            a_build(MOUNTED, SECOND, 90 * slow, run=run, hits=1, calls=4),
            a_build(OURS, COLD, 102 * slow, run=run, hits=0, calls=4),
            a_build(OURS, WARM, 5.1 * slow, run=run, hits=4 if run != 3 else 3, calls=4, compile_seconds=1.5),
        ]

    table = render_builds(builds)

    assert row_of(table, "alpha", PLAIN)[2:] == ["100.0 s", "-", "-", "-", "-", "200 MiB"]
    assert row_of(table, "alpha", "cibuildwheel + ccache, second")[2:] == [
        *("90.0 s", "90%", "82%", "-", "1/4 (25.0%)", "-"),
    ]
    assert row_of(table, "alpha", "wheelkiln, warm")[2:] == ["5.1 s", "5.1%", "5.0%", "1.5 s", "3/4 (75.0%)", "-"]
    assert not [row for row in cells(table) if "unchanged" in row[1]]


def test_a_failure_is_a_row_that_a_table_can_hold() -> None:
    table = render_builds([a_build(PLAIN, EVERY, error="a | b\nc"), a_build(OURS, COLD, 4.0)])

    assert "failed: a \\| b c" in table
    assert row_of(table, "alpha", "wheelkiln, cold")[2:4] == ["4.0 s", "-"]


def test_stage_table_sets_ours_beside_theirs() -> None:
    two = ("cp312-manylinux_x86_64", "cp313-manylinux_x86_64")
    jobs = tuple(Job(name, 4.0, {"start": 0.5, "compile": 1.0, "verify": 2.0}) for name in two)
    plain = a_build(PLAIN, EVERY, 30.0, identifiers=two, jobs=(Job("all", 30.0, {"start": 0.6, "compile": 20.0}),))
    warm = a_build(OURS, WARM, 9.0, identifiers=two, jobs=jobs, outside=1.0)

    table = render_stages([plain, warm], "alpha", WARM)

    assert row_of(table, "stage") == ["stage", "whose", "cp312", "cp313", "cibuildwheel, a job"]
    assert row_of(table, "start") == ["start", "cibuildwheel", "0.50 s", "0.50 s", "0.30 s"]
    assert row_of(table, "verify") == ["verify", "wheelkiln", "2.00 s", "2.00 s", "-"]
    assert row_of(table, "rest") == ["rest", "both", "0.50 s", "0.50 s", "4.70 s"]
    assert row_of(table, "all") == ["all", "", "4.00 s", "4.00 s", "15.00 s"]
    assert row_of(table, "outside of jobs") == ["outside of jobs", "wheelkiln", "1.00 s", "-", "-"]
    assert "(verify, 2.00 s) is LONGER than cibuildwheel's longest (compile, 1.00 s)" in table


def test_stage_table_needs_a_warm_build() -> None:
    assert not render_stages([a_build(PLAIN, EVERY, 3.0)], "alpha", WARM)


def test_pythons_table() -> None:
    four = tuple(f"cp31{number}-manylinux_x86_64" for number in range(4))
    builds = [
        a_build(OURS, COLD, 40.0),
        a_build(OURS, COLD, 52.0, identifiers=four, hits=33, calls=48),
    ]

    assert row_of(render_pythons(builds), "alpha") == ["alpha", OURS, "40.0 s", "52.0 s (4)", "1.30", "33/48 (68.8%)"]


def test_overhead_table_judges_by_share_or_seconds() -> None:
    slow = [a_build(PLAIN, EVERY, 100.0), a_build(OURS, COLD, 102.0)]
    short = [a_build(PLAIN, EVERY, 5.0), a_build(OURS, COLD, 5.9)]
    bad = [a_build(PLAIN, EVERY, 20.0), a_build(OURS, COLD, 22.0)]

    assert row_of(render_overhead(slow), "alpha", "median")[4:] == ["+2.0%", "+2.00 s"]
    assert row_of(render_overhead(short), "alpha", "median")[4:] == ["+18.0%", "+0.90 s"]
    assert row_of(render_overhead(bad), "alpha", "median")[4:] == ["+10.0%", "+2.00 s (too much)"]


def test_project_settings_stay_and_ours_win(tmp_path: Path) -> None:
    names = ("cp312-manylinux_x86_64",)
    subject = Subject("alpha", tmp_path / "a.tar.gz", tmp_path, (), image="img:1", arch="x86_64", identifiers=names)
    settings = {"before-build": "touch it", "build": "*", "overrides": [{"select": "*", "environment": {"A": "1"}}]}

    table = plain_config(subject, settings, tmp_path, "t", cached=True)["tool"]["cibuildwheel"]

    assert (table["before-build"], table["build"], table["archs"]) == ("touch it", list(names), ["x86_64"])
    assert table["overrides"][0] == {"select": "*", "environment": {"A": "1"}}
    assert table["overrides"][1]["environment"]["CCACHE_DIR"] == "/ccache"
    assert table["overrides"][1]["manylinux-x86_64-image"] == "img:1"
    plain = plain_config(subject, {}, tmp_path, "t", cached=False)["tool"]["cibuildwheel"]["overrides"][0]
    assert plain["environment"]["CCACHE_DISABLE"] == "1"


def test_one_python_of_several() -> None:
    names = ("cp39-manylinux_x86_64", "cp312-manylinux_x86_64")
    subject = Subject("a", Path("a"), Path(), ("--base", "b", "--python=cp39", "--python=cp312"), identifiers=names)

    one = narrowed(subject, "cp312")

    assert one.identifiers == names[1:]
    assert one.options == ("--base", "b", "--python=cp312")


def test_results_are_kept_as_json_and_table(tmp_path: Path) -> None:
    facts = {"pythons": ["cp312"], "cpus": 2, "machine": "x86_64", "base": "bootstrap", "runs": 1}
    report = Report(tmp_path / "results", "caches", facts)
    report.add([a_build(OURS, WARM, 2.0)])
    report.write(plot=False)

    assert '"seconds": 2.0' in (tmp_path / "results" / "caches.json").read_text()
    assert (tmp_path / "results" / "caches.md").read_text() == report.text()
    assert "| wheelkiln, warm | 2.0 s" in report.text()
