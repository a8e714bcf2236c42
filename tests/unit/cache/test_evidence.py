from __future__ import annotations

from pathlib import Path

import pytest

from wheelkiln.cache.causes import Cause
from wheelkiln.cache.doctor import diagnose
from wheelkiln.cache.evidence import Comparison, compare_debug_runs, is_evidence, read_comparison
from wheelkiln.errors import UsageProblem

LOGS = Path(__file__).parent / "logs"


def causes(comparison: Comparison) -> list[Cause]:
    found = diagnose(comparison.latest, comparison.previous, comparison.differences)
    return [diagnosis.cause for diagnosis in found]


def write_log(path: Path, *calls: str) -> Path:
    lines = []
    for number, flags in enumerate(calls):
        lines += [
            f"[t {number} ] === CCACHE 4.7.5 STARTED ===",
            f"[t {number} ] Command line: gcc {flags} -c a.c -o a.o",
            f"[t {number} ] Working directory: /w",
            f"[t {number} ] Source file: a.c",
            f"[t {number} ] Object file: a.o",
            f"[t {number} ] Manifest key: m{flags}",
            f"[t {number} ] Result key: r{flags}",
            f"[t {number} ] Result: cache_miss",
        ]
    path.write_text("\n".join(lines) + "\n")
    return path


def write_debug(directory: Path, stamp: str, flags: str, text: str) -> None:
    (directory / "w").mkdir(parents=True, exist_ok=True)
    write_log(directory / f"w/a.o.{stamp}.ccache-log", flags)
    hashed = f'=== PREPROCESSOR MODE ===\n### cpp\n# 1 "\ngen/t.h\n"\n{text}\n'
    (directory / f"w/a.o.{stamp}.ccache-input-text").write_text(hashed)


def test_one_log_with_two_builds(tmp_path: Path) -> None:
    log = write_log(tmp_path / "log", "-O1", "-O2", "-O3")
    comparison = read_comparison((log,))
    assert comparison.previous
    assert [call.command[1] for call in comparison.previous.calls] == ["-O2"]
    assert [call.command[1] for call in comparison.latest.calls] == ["-O3"]
    assert causes(comparison) == [Cause.FLAGS_CHANGED]
    assert comparison.latest.job == "log"


def test_two_logs(tmp_path: Path) -> None:
    one, two = write_log(tmp_path / "one", "-O1"), write_log(tmp_path / "two", "-O2")
    assert causes(read_comparison((one, two))) == [Cause.FLAGS_CHANGED]


def test_one_log_with_one_build(tmp_path: Path) -> None:
    comparison = read_comparison((write_log(tmp_path / "log", "-O1"),))
    assert comparison.previous is None
    assert causes(comparison) == [Cause.FIRST_BUILD]


def test_a_statistics_log(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("# a.c\ncache_miss\n# b.c\nmultiple_source_files\n# a.c\ncache_miss\n")
    assert set(causes(read_comparison((tmp_path / "log",)))) == {Cause.UNKNOWN, Cause.UNCACHEABLE}


def test_a_debug_directory_with_two_builds(tmp_path: Path) -> None:
    write_debug(tmp_path / "debug", "20260101_000000_000001", "", "int x = 1;")
    write_debug(tmp_path / "debug", "20260101_000000_000002", "", "int x = 2;")
    comparison = read_comparison((tmp_path / "debug",))
    (difference,) = comparison.differences.values()
    assert (difference.file, difference.before, difference.after) == ("gen/t.h", "int x = 1;", "int x = 2;")
    assert list(comparison.differences) == ["w/a.o"]


def test_two_debug_directories(tmp_path: Path) -> None:
    write_debug(tmp_path / "one", "20260101_000000_000001", "", "int x = 1;")
    write_debug(tmp_path / "two", "20260101_000000_000002", "", "int x = 2;")
    assert list(read_comparison((tmp_path / "one", tmp_path / "two")).differences) == ["w/a.o"]
    assert list(compare_debug_runs(tmp_path / "one", tmp_path / "two")) == ["w/a.o"]
    assert compare_debug_runs(tmp_path / "one", tmp_path / "none") == {}


def test_what_is_evidence_and_what_a_source(tmp_path: Path) -> None:
    write_debug(tmp_path / "debug", "20260101_000000_000001", "", "")
    (tmp_path / "project").mkdir()
    (tmp_path / "statistics").write_text("# a.c\ncache_miss\n")
    (tmp_path / "kern-1.tar.gz").write_bytes(b"\x1f\x8b\x08\xff\xfe")
    (tmp_path / "setup.py").write_text("# a comment\nimport setuptools\n")
    assert is_evidence(LOGS / "many-calls.log")
    assert is_evidence(tmp_path / "debug")
    assert is_evidence(tmp_path / "statistics")
    assert not is_evidence(tmp_path / "project")
    assert not is_evidence(tmp_path / "kern-1.tar.gz")
    assert not is_evidence(tmp_path / "setup.py")
    assert not is_evidence(tmp_path / "kern==1.0")


def test_what_is_no_evidence_is_named(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("nothing\n")
    for name in ("text", "absent", "."):
        with pytest.raises(UsageProblem, match="is no log of ccache"):
            read_comparison((tmp_path / name,))
