from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.unit.cache.test_calls import read
from wheelkiln.cache.calls import CallLog
from wheelkiln.cache.records import (
    JobRecord,
    StoreCounts,
    keep_record,
    read_latest_record,
    read_previous_record,
    read_store_counts,
    recorded_jobs,
)

RECORD = JobRecord(
    project="kern",
    job="cp312-manylinux_x86_64@avx",
    finished=1.5,
    built=True,
    log=read("many-calls.log"),
    image="localhost/kiln:1",
    toolchain="gcc 12.2.0",
    source="d" * 64,
    bypassed=("a.c",),
    store=StoreCounts(1, 2, 3),
)


def test_a_record_comes_back_as_it_was_kept(tmp_path: Path) -> None:
    keep_record(tmp_path, RECORD)
    assert read_latest_record(tmp_path, "kern", RECORD.job) == RECORD
    assert read_previous_record(tmp_path, "kern", RECORD.job) is None


def test_the_last_two_builds_are_kept(tmp_path: Path) -> None:
    for number in range(3):
        keep_record(tmp_path, replace(RECORD, finished=float(number)))
    latest = read_latest_record(tmp_path, "kern", RECORD.job)
    previous = read_previous_record(tmp_path, "kern", RECORD.job)
    assert latest
    assert previous
    assert (latest.finished, previous.finished) == (2.0, 1.0)
    assert len([path for path in tmp_path.rglob("*") if path.is_file()]) == 2


def test_the_jobs_of_a_project_are_listed(tmp_path: Path) -> None:
    for job in ("cp313-x", "cp312-x"):
        keep_record(tmp_path, replace(RECORD, job=job))
        keep_record(tmp_path, replace(RECORD, job=job))
    assert recorded_jobs(tmp_path, "kern") == ("cp312-x", "cp313-x")
    assert recorded_jobs(tmp_path, "other") == ()


@pytest.mark.parametrize("name", ["../../etc", "..", ".", "/etc/passwd", "a/b", "a\0b"])
def test_no_name_leads_elsewhere(tmp_path: Path, name: str) -> None:
    root = tmp_path / "cache"
    keep_record(root, replace(RECORD, project=name, job=name))
    (kept,) = (path for path in tmp_path.rglob("*") if path.is_file())
    assert kept.parent.parent == root / "calls"
    assert read_latest_record(root, name, name)


@pytest.mark.parametrize("damage", [b"", b"not gzip", b"\x1f\x8b\x08\x00"])
def test_a_damaged_record_is_none(tmp_path: Path, damage: bytes) -> None:
    keep_record(tmp_path, RECORD)
    (path,) = (path for path in tmp_path.rglob("*") if path.is_file())
    path.write_bytes(damage or path.read_bytes()[:-20])
    assert read_latest_record(tmp_path, "kern", RECORD.job) is None


def test_the_projects_own_compilations() -> None:
    assert [call.source for call in RECORD.compilations] == ["a.c", "a.c", "d.c", "d.c", "a.c", "a.c"]
    assert len(RECORD.calls) == 10
    assert replace(RECORD, log=CallLog()).compilations == ()


def test_a_cache_directorys_counters_are_added_up(tmp_path: Path) -> None:
    numbers = ["0"] * 40
    numbers[11], numbers[12], numbers[29] = "3", "40", "2"
    for directory in ("0", "f", "0/a"):
        (tmp_path / directory).mkdir()
        (tmp_path / directory / "stats").write_text("\n".join(numbers) + "\n")
    (tmp_path / "1").mkdir()
    (tmp_path / "1/stats").write_text("damaged")
    (tmp_path / "2").mkdir()
    (tmp_path / "2/stats").write_text("0\n")
    assert read_store_counts(tmp_path) == StoreCounts(9, 120, 6)
    assert read_store_counts(tmp_path / "none") == StoreCounts()
