from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.values import make_job
from wheelkiln.build.ledger import Ledger, LedgerEntry, PastJob, ledger_of
from wheelkiln.build.outcome import Outcome, StageSeconds, Status, WheelFile
from wheelkiln.build.request import JobInputs
from wheelkiln.cache.statistics import CompileStatistics
from wheelkiln.errors import EnvironmentProblem
from wheelkiln.plan.emulation import measure_slowdowns

_WHEEL = WheelFile("kern-1.2-cp312-cp312-x.whl", "a" * 64, 100)


def _built(seconds: float = 4.0, wheel: WheelFile = _WHEEL) -> Outcome:
    return Outcome(
        make_job(),
        Status.BUILT,
        seconds=seconds,
        wheel=wheel,
        stages=(StageSeconds("compile", 3.0),),
        statistics=CompileStatistics(hits=1, uncacheable=(("x", 1),)),
    )


def test_a_build_is_found_by_its_key(tmp_path: Path) -> None:
    ledger = ledger_of(tmp_path / "cache")
    ledger.record("key", "kern", "1.2", _built(), 1_700_000_000.5)
    assert ledger.find("key") == LedgerEntry(_WHEEL, 4.0, 1_700_000_000.5)
    assert ledger.find("other") is None
    assert (tmp_path / "cache/ledger.sqlite").is_file()


def test_the_last_good_build_counts(tmp_path: Path) -> None:
    ledger = ledger_of(tmp_path)
    newer = WheelFile("newer.whl", "b" * 64, 5)
    ledger.record("key", "kern", "1.2", _built(), 2.0)
    ledger.record("key", "kern", "1.2", _built(wheel=newer), 1.0)
    ledger.record("key", "kern", "1.2", Outcome(make_job(), Status.FAILED, seconds=1.0), 3.0)
    entry = ledger.find("key")
    assert entry is not None
    assert entry.wheel == newer


def test_the_history_is_told_oldest_first(tmp_path: Path) -> None:
    ledger = ledger_of(tmp_path)
    assert ledger.history() == ()
    ledger.record("a", "kern", "1.2", _built(4.0), 2.0, run="run-2")
    ledger.record("a", "kern", "1.1", Outcome(make_job(id="x@avx512"), Status.FAILED, seconds=1.0), 1.0, run="run-1")
    ledger.record("b", "other", "1", _built(), 3.0)
    first, second = ledger.history("kern")
    assert first == PastJob("run-1", "kern", "1.1", "x@avx512", "failed", 1.0, 1.0)
    assert (first.variant, second.variant) == ("avx512", "default")
    assert second.statistics == CompileStatistics(hits=1, uncacheable=(("x", 1),))
    assert second.sha256 == _WHEEL.sha256
    assert [job.project for job in ledger.history()] == ["kern", "kern", "other"]


def test_what_is_forgotten_is_not_found(tmp_path: Path) -> None:
    ledger = ledger_of(tmp_path)
    assert ledger.forget() == 0
    for number, project in enumerate(("kern", "kern", "other")):
        ledger.record(f"{number}", project, "1.2", _built(), float(number))
    assert ledger.forget("kern", before=1.0) == 1
    assert [job.finished for job in ledger.history()] == [1.0, 2.0]
    assert ledger.forget("kern") == 1
    assert ledger.forget(before=2.0) == 0
    assert ledger.forget() == 1


def test_what_a_run_records_again_replaces_what_it_had_recorded(tmp_path: Path) -> None:
    ledger = ledger_of(tmp_path)
    ledger.record("key", "kern", "1.2", _built(0.0), 1.0, run="r")
    assert ledger.find("key") is not None
    assert dict(ledger.estimates("kern")) == {}
    ledger.record("key", "kern", "1.2", _built(4.0), 2.0, run="r")
    ledger.record("key", "kern", "1.2", _built(5.0), 3.0, run="other")
    assert [(job.run, job.seconds) for job in ledger.history()] == [("r", 4.0), ("other", 5.0)]


def test_peaks_are_the_highest_of_the_last_good_builds(tmp_path: Path) -> None:
    ledger = ledger_of(tmp_path)
    assert dict(ledger.peaks("kern")) == {}
    for number, memory in enumerate((900, 50, None, 70, 10, 20, 30)):
        ledger.record(f"{number}", "kern", "1.2", replace(_built(), memory=memory), float(number))
    ledger.record("x", "kern", "1.2", Outcome(make_job(), Status.FAILED, memory=5000), 9.0)
    ledger.record("y", "other", "1", replace(_built(), memory=6000), 9.0)
    assert dict(ledger.peaks("kern")) == {"cp312-manylinux_x86_64": 70}


def test_a_failed_build_is_not_found(tmp_path: Path) -> None:
    ledger = ledger_of(tmp_path)
    ledger.record("key", "kern", "1.2", Outcome(make_job(), Status.FAILED), 1.0)
    assert ledger.find("key") is None


def test_estimates_are_the_last_good_seconds_of_each_job(tmp_path: Path) -> None:
    ledger = ledger_of(tmp_path)
    ledger.record("a", "kern", "1.1", _built(9.0), 1.0)
    ledger.record("b", "kern", "1.2", _built(5.0), 2.0)
    ledger.record("c", "kern", "1.2", Outcome(make_job(), Status.FAILED, seconds=0.1), 3.0)
    ledger.record("d", "other", "1", _built(77.0), 4.0)
    assert dict(ledger.estimates("kern")) == {"cp312-manylinux_x86_64": 5.0}
    assert dict(ledger.estimates("unknown")) == {}


def test_asking_for_estimates_makes_no_file(tmp_path: Path) -> None:
    assert dict(ledger_of(tmp_path / "cache").estimates("kern")) == {}
    assert list(tmp_path.iterdir()) == []


def test_hostile_names_are_values(tmp_path: Path) -> None:
    ledger = ledger_of(tmp_path)
    ledger.record("k'; DROP TABLE job; --", "kern", "1", _built(), 1.0)
    assert ledger.find("k'; DROP TABLE job; --") is not None


def test_a_damaged_file_is_named_with_the_way_out(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    path.write_bytes(b"this is no database" * 100)
    with pytest.raises(EnvironmentProblem, match=r"the ledger .*ledger.sqlite cannot be used") as caught:
        Ledger(path).find("key")
    assert "move it away" in caught.value.hint


def test_a_ledger_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(EnvironmentProblem, match="written by a newer wheelkiln"):
        Ledger(path).record("key", "kern", "1", _built(), 1.0)


def test_two_runs_share_it(tmp_path: Path) -> None:
    one, two = ledger_of(tmp_path), ledger_of(tmp_path)
    one.record("a", "kern", "1", _built(), 1.0)
    two.record("b", "kern", "1", _built(), 1.0)
    assert one.find("b") is not None
    assert two.find("a") is not None


def test_what_a_job_was_last_built_from(tmp_path: Path) -> None:
    ledger = ledger_of(tmp_path)
    assert ledger.last_inputs("kern") == {}
    ledger.remember_inputs("kern", "cp312", JobInputs("s", "1"))
    ledger.remember_inputs("kern", "cp312", JobInputs("s", "2"))
    ledger.remember_inputs("other", "cp312", JobInputs("t", "3"))
    assert ledger.last_inputs("kern") == {"cp312": JobInputs("s", "2")}


def test_builds_that_compiled_everything_tell_what_emulation_costs(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.sqlite")

    def build(name: str, seconds: float, **changes: Any) -> None:
        statistics = changes.pop("statistics", CompileStatistics(misses=3))
        outcome = Outcome(make_job(name), Status.BUILT, seconds=seconds, statistics=statistics, **changes)
        ledger.record("k", "kern", "1", outcome, 1.0, run=f"run-{seconds}")

    assert ledger.timed_builds() == ()
    build("cp312-manylinux_x86_64", 10.0)
    build("cp312-manylinux_aarch64", 60.0, emulated=True)
    build("cp312-manylinux_x86_64", 1.0, statistics=CompileStatistics(hits=3))
    build("cp312-manylinux_aarch64", 9.0, host="graviton")
    assert measure_slowdowns(ledger.timed_builds()) == {"aarch64": 6.0}
