from __future__ import annotations

from pathlib import Path

from wheelkiln.cache.calls import CallLog, is_call_log, parse_call_log

LOGS = Path(__file__).parent / "logs"


def read(name: str) -> CallLog:
    """Read a log that ccache 4.7.5 wrote; its default settings and its locks are left out of the file."""
    return parse_call_log((LOGS / name).read_text(encoding="utf-8").splitlines())


def test_a_miss_is_read_with_its_keys() -> None:
    log = read("many-calls.log")
    first = log.calls[0]
    assert (log.version, len(log.calls)) == ("4.7.5", 10)
    assert (first.source, first.output, first.compiler) == ("a.c", "a.o", "/usr/bin/gcc")
    assert first.command == ("gcc", "-O2", '-DNAME="x', 'y"', "-Iinc", "-c", "a.c", "-o", "a.o")
    assert (first.directory, first.namespace) == ("/project", "ns-a")
    assert first.manifest_key == "91ddrk0vneojqd0evsji5njc9np2dmkv2"
    assert first.result_key == "1ad6mu2g3j4o03n07hm37r12e791dg2d0"
    assert first.absent == (first.manifest_key, first.result_key)
    assert first.stored == (first.result_key, first.manifest_key)
    assert (first.hit, first.miss, first.is_probe, first.remarks) == (False, True, False, ())


def test_a_hit_has_the_keys_of_the_miss_before_it() -> None:
    miss, hit = read("many-calls.log").calls[:2]
    assert (hit.manifest_key, hit.result_key) == (miss.manifest_key, miss.result_key)
    assert (hit.hit, hit.absent, hit.stored) == (True, (), ())
    assert hit.results[0] == "direct_cache_hit"


def test_time_macros_are_remarked() -> None:
    dated = read("many-calls.log").calls[2]
    assert dated.remarks == ("Found __TIME__ in d.c",)
    assert (dated.manifest_key, dated.result_key[:4]) == ("", "fbc2")


def test_what_ccache_could_not_serve_has_its_reason() -> None:
    calls = read("many-calls.log").calls
    assert [call.results for call in calls[5:9]] == [
        ("called_for_link",),
        ("called_for_preprocessing",),
        ("multiple_source_files",),
        ("no_input_file",),
    ]
    assert calls[7].remarks == ("Multiple input files: a.c and d.c",)
    assert calls[8].remarks == ("No input file found",)
    assert [call.source for call in calls[5:9]] == ["", "a.c", "a.c", "nosuch.c"]


def test_an_unsupported_option_is_named() -> None:
    lines = [
        "[t 7 ] === CCACHE 4.7.5 STARTED ===",
        "[t 7 ] Command line: gcc -save-temps -c a.c -o a.o",
        "[t 7 ] Compiler option -save-temps is unsupported",
        "[t 7 ] Detected input file: a.c",
        "[t 7 ] Using command-line prefix /opt/wheelkiln/links/link.sh",
        "[t 7 ] Failed; falling back to running the real compiler",
        "[t 7 ] Result: unsupported_compiler_option",
    ]
    (call,) = parse_call_log(lines).calls
    assert (call.source, call.remarks) == ("a.c", ("Compiler option -save-temps is unsupported",))


def test_calls_side_by_side_are_told_apart() -> None:
    calls = {call.source: call for call in read("side-by-side.log").calls}
    assert sorted(calls) == ["s1.cpp", "s2.cpp"]
    assert calls["s1.cpp"].output == "s1.o"
    assert "-g" in calls["s2.cpp"].command
    assert "-g" not in calls["s1.cpp"].command
    assert calls["s2.cpp"].remarks == ("Hashing CWD /project",)
    assert {call.miss for call in calls.values()} == {True}


def test_cleanups_and_settings_are_read() -> None:
    log = read("cleanup.log")
    assert (log.cleanups, log.setting("max_size"), log.setting("namespace")) == (1, "40000", "ns-a")
    assert len(log.calls) == 1, "a call that was killed has no result"


def test_a_process_number_can_come_again() -> None:
    lines = [
        "[t 7 ] === CCACHE 4.13 STARTED ===",
        "[t 7 ] Source file: a.c",
        "[t 7 ] Result: cache_miss",
        "[t 7 ] === CCACHE 4.13 STARTED ===",
        "[t 7 ] Source file: b.c",
        "[t 7 ] Result: cache_miss",
    ]
    assert [call.source for call in parse_call_log(lines).calls] == ["a.c", "b.c"]


def test_newer_versions_name_the_compiler_and_the_header() -> None:
    lines = [
        "[t 7 ] === CCACHE 4.13 STARTED ===",
        "[t 7 ] Compiler: /usr/bin/g++",
        "[t 7 ] Mismatch for gen/t.h: hash 1 != 2",
        "[t 7 ] Result: cache_miss",
    ]
    (call,) = parse_call_log(lines).calls
    assert (call.compiler, call.remarks) == ("/usr/bin/g++", ("Mismatch for gen/t.h: hash 1 != 2",))


def test_a_password_is_not_kept() -> None:
    lines = [
        "[t 7 ] === CCACHE 4.13 STARTED ===",
        "[t 7 ] Config: (environment) remote_storage = redis://me:secret@host",
        "[t 7 ] Command line: gcc -DURL=http://me:secret@host/ -c a.c",
        "[t 7 ] Failed to get it from http://me:secret@host/",
        "[t 7 ] Result: cache_miss",
    ]
    log = parse_call_log(lines)
    assert "secret" not in repr(log)
    assert log.calls[0].command[1] == "-DURL=http://***@host/"


def test_what_is_no_log_has_no_calls() -> None:
    assert parse_call_log(["", "# a.c", "cache_miss", "[t 7 ] Result: cache_miss"]) == CallLog()
    assert is_call_log("[2026-11-24T11:21:40.344570 6816 ] === CCACHE 4.7.5 STARTED ===")
    assert not is_call_log("# a.c")
