from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.values import make_request
from wheelkiln.build.call_records import keep_calls, sources_compiled_around, with_call_log
from wheelkiln.build.outcome import Outcome, Status
from wheelkiln.build.request import BuildRequest, make_invocation
from wheelkiln.cache.records import StoreCounts, read_latest_record
from wheelkiln.image.memory import ImageMemory
from wheelkiln.plan.model import Job

LOG = """\
[t 7 ] === CCACHE 4.7.5 STARTED ===
[t 7 ] Command line: gcc -c a.c
[t 7 ] Source file: a.c
[t 7 ] Result: cache_miss
"""


def _keep(request: BuildRequest, tmp_path: Path, log: str | None, status: Status, *lines: str) -> Job:
    job = request.plan.jobs[0]
    mount = tmp_path / "mount"
    mount.mkdir(exist_ok=True)
    if log is not None:
        (mount / "ccache-calls.log").write_text(log)
    keep_calls(request, job, tmp_path, lines, Outcome(job, status))
    assert list(mount.iterdir()) == [], "the log shows ccache's settings and is not kept"
    return job


def test_a_jobs_calls_are_kept_with_what_explains_them(tmp_path: Path) -> None:
    request = make_request(root=tmp_path / "root")
    (tmp_path / "root/cache/ccache/0").mkdir(parents=True)
    (tmp_path / "root/cache/ccache/0/stats").write_text("0\n" * 12 + "7\n")
    reference = request.plan.references[request.plan.jobs[0].image]
    ImageMemory(request.cache_root).remember_toolchain(reference, "gcc 14.2.1 avx2")
    job = _keep(request, tmp_path, LOG, Status.BUILT, "/usr/bin/gcc -O2 -c b.c -o b.o")
    record = read_latest_record(request.cache_root, "kern", job.id)
    assert record
    assert [call.source for call in record.calls] == ["a.c"]
    assert (record.built, record.image, record.toolchain) == (True, reference, "gcc 14.2.1")
    assert (record.source, record.bypassed, record.store) == ("d" * 64, ("b.c",), StoreCounts(kibibytes=7))


def test_a_wheel_without_calls_is_a_record(tmp_path: Path) -> None:
    request = make_request(root=tmp_path / "root")
    job = _keep(request, tmp_path, None, Status.BUILT)
    record = read_latest_record(request.cache_root, "kern", job.id)
    assert record
    assert record.calls == ()


def test_a_build_that_failed_before_it_compiled_leaves_the_earlier_record(tmp_path: Path) -> None:
    request = make_request(root=tmp_path / "root")
    job = _keep(request, tmp_path, LOG, Status.FAILED)
    kept = read_latest_record(request.cache_root, "kern", job.id)
    assert kept
    assert not kept.built
    _keep(request, tmp_path, None, Status.FAILED)
    assert read_latest_record(request.cache_root, "kern", job.id) == kept


def test_a_record_that_cannot_be_kept_loses_no_wheel(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    request = replace(make_request(root=tmp_path / "root"), cache_root=tmp_path / "file")
    _keep(request, tmp_path, LOG, Status.BUILT)


@pytest.mark.parametrize(
    ("line", "sources"),
    [
        ("/usr/bin/gcc -O2 -Iinc -c csrc/a.c -o a.o", ("csrc/a.c",)),
        ("      /usr/bin/x86_64-linux-gnu-g++-12 -fPIC -o CMakeFiles/k.o -c /project/k.cpp", ("/project/k.cpp",)),
        ("[1/2] /opt/rh/gcc-toolset-14/root/usr/bin/cc -c x.cc -o x.o && true", ("x.cc",)),
        ("building with /usr/bin/clang -c", ()),
        ("gcc -c csrc/a.c -o a.o", ()),
        ("/opt/wheelkiln/ccache/gcc -c a.c -o a.o", ()),
        ("ccache /usr/bin/gcc -c a.c -o a.o", ()),
        ("/usr/lib/ccache/gcc -c a.c -o a.o", ()),
        ("/usr/bin/gcc -shared a.o -o a.so", ()),
        ("-- Check for working C compiler: /usr/bin/cc - skipped", ()),
        ("/usr/bin/gcc @args -c -o a.o", ("@args -c -o a.o",)),
    ],
)
def test_calls_around_ccache_are_seen_in_the_output(line: str, sources: tuple[str, ...]) -> None:
    assert sources_compiled_around([line, line]) == sources


def test_only_a_build_writes_the_log() -> None:
    request = make_request()
    invocation = make_invocation(request, request.plan.jobs[:1], Path("/job"), "run")
    assert "CCACHE_LOGFILE" not in invocation.environment, "a generated configuration's log would grow for ever"
    assert with_call_log(invocation).environment["CCACHE_LOGFILE"] == "/opt/wheelkiln/mnt/job/ccache-calls.log"
