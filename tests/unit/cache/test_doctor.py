from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.unit.cache.values import HIT, MISS, make_call, make_record
from wheelkiln.cache.calls import Call
from wheelkiln.cache.causes import EXPLANATIONS, Cause, Weight
from wheelkiln.cache.doctor import diagnose, diagnose_job
from wheelkiln.cache.inputs import InputDifference
from wheelkiln.cache.records import JobRecord, StoreCounts, keep_record

OTHER: dict[str, Any] = {"manifest_key": "m2", "result_key": "r2"}
"""Keys that are not those of the build before."""


def causes(latest: JobRecord, previous: JobRecord | None) -> list[tuple[Cause, str]]:
    return [(found.cause, found.detail) for found in diagnose(latest, previous)]


def judge(before: Call, after: Call) -> list[tuple[Cause, str]]:
    return causes(make_record(after), make_record(before))


def test_nothing_is_wrong_where_everything_hit() -> None:
    assert causes(make_record(make_call(results=HIT)), make_record(make_call())) == []


def test_a_first_build_has_nothing_to_compare_with() -> None:
    assert causes(make_record(make_call()), None) == [(Cause.FIRST_BUILD, "")]
    assert causes(make_record(make_call()), make_record()) == [(Cause.FIRST_BUILD, "")]
    assert causes(make_record(make_call(results=HIT)), None) == []


def test_units_with_one_cause_are_one_diagnosis() -> None:
    before = make_record(make_call("a.c"), make_call("b.c"))
    after = make_record(make_call("a.c", namespace="other", **OTHER), make_call("b.c", namespace="other", **OTHER))
    (found,) = diagnose(after, before)
    assert (found.cause, found.units) == (Cause.NAMESPACE_CHANGED, ("a.c", "b.c"))
    assert found.detail == "kern-x86_64-default -> other"
    assert found.remedy == EXPLANATIONS[Cause.NAMESPACE_CHANGED].remedy


def test_probes_of_configure_steps_are_no_misses() -> None:
    probe = make_call("build/CMakeFiles/CMakeScratch/x/test.c", **OTHER)
    assert causes(make_record(probe, make_call(results=HIT)), make_record(make_call())) == []


def test_a_random_environment() -> None:
    before = make_call(command=("gcc", "-I/tmp/build-env-aaaa11/lib/python3/site-packages/np", "-c", "a.c"))
    after = make_call(command=("gcc", "-I/tmp/build-env-bbbb22/lib/python3/site-packages/np", "-c", "a.c"), **OTHER)
    assert judge(before, after) == [(Cause.RANDOM_ENVIRONMENT, "/tmp/build-env-aaaa11 -> /tmp/build-env-bbbb22")]


def test_a_random_build_directory_in_arguments_and_as_working_directory() -> None:
    place = "/tmp/tmpaaaa1111"
    moved = "/tmp/tmpbbbb2222"
    remarks = (f"Hashing CWD {moved}",)
    before = make_call(command=("gcc", "-g", f"-I{place}/gen", "-c", "a.c"), directory=place)
    after = make_call(command=("gcc", "-g", f"-I{moved}/gen", "-c", "a.c"), directory=moved, remarks=remarks, **OTHER)
    assert judge(before, after) == [(Cause.RANDOM_BUILD_DIRECTORY, f"{place} -> {moved}")]
    alone = make_call(directory=moved, remarks=remarks, **OTHER)
    assert judge(make_call(directory=place), alone) == [(Cause.RANDOM_BUILD_DIRECTORY, f"{place} -> {moved}")]


def test_a_working_directory_that_is_not_hashed_is_no_cause() -> None:
    after = make_call(directory="/tmp/tmpbbbb2222", result_key="r2")
    assert judge(make_call(directory="/tmp/tmpaaaa1111"), after)[0][0] is Cause.GENERATED_HEADER


def test_another_compiler() -> None:
    assert judge(make_call(), make_call(compiler="/usr/bin/clang", **OTHER)) == [
        (Cause.COMPILER_CHANGED, "/usr/bin/gcc -> /usr/bin/clang")
    ]
    newer = make_record(make_call(**OTHER), toolchain="gcc 14.2.1")
    assert causes(newer, make_record(make_call())) == [(Cause.COMPILER_CHANGED, "gcc 12.2.0 -> gcc 14.2.1")]


def test_other_flags_are_named() -> None:
    after = make_call(command=("gcc", "-O3", "-DX=1", "-c", "a.c"), **OTHER)
    assert judge(make_call(), after) == [(Cause.FLAGS_CHANGED, "removed -O2; added -O3 -DX=1")]


def test_many_flags_are_cut_short() -> None:
    more = tuple(f"-D{number}" for number in range(9))
    after = make_call(command=("gcc", "-O2", *more, "-c", "a.c"), **OTHER)
    assert judge(make_call(), after)[0][1] == "added -D0 -D1 -D2 -D3 -D4 -D5 and 3 more"


def test_two_inputs_that_differ_are_both_told() -> None:
    after = make_call(namespace="x", command=("gcc", "-O3", "-c", "a.c"), **OTHER)
    assert {cause for cause, _ in judge(make_call(), after)} == {Cause.NAMESPACE_CHANGED, Cause.FLAGS_CHANGED}


def test_time_macros() -> None:
    macro = make_call(manifest_key="", result_key="r2", remarks=("Found __TIME__ in src/v.h", "Found __DATE__ in a.c"))
    later = make_record(macro, epoch=1_700_000_099)
    before = make_record(make_call(manifest_key=""))
    told = "__DATE__, __TIME__ in a.c src/v.h"
    assert causes(later, before) == [(Cause.TIME_MACRO, f"{told}; SOURCE_DATE_EPOCH 1700000000 -> 1700000099")]
    assert causes(make_record(macro), before) == [(Cause.TIME_MACRO, told)]


def test_an_equal_manifest_key_means_another_header() -> None:
    after = make_call(result_key="r2")
    assert judge(make_call(), after)[0][0] is Cause.GENERATED_HEADER
    named = make_call(result_key="r2", remarks=("Mismatch for gen/t.h: hash 1 != 2",))
    assert judge(make_call(), named) == [(Cause.GENERATED_HEADER, "gen/t.h")]


def test_another_manifest_key_alone_means_another_text_of_the_source() -> None:
    ((cause, detail),) = judge(make_call(), make_call(**OTHER))
    assert cause is Cause.GENERATED_SOURCE
    assert "and so is the sdist" in detail


def test_keys_that_tell_nothing_are_said_to() -> None:
    (found,) = diagnose(
        make_record(make_call(manifest_key="", result_key="r2")), make_record(make_call(manifest_key=""))
    )
    assert found.cause is Cause.UNKNOWN
    assert "--run" in found.remedy


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"source": "e" * 64}, (Cause.SOURCE_CHANGED, "")),
        ({"requirements": ("numpy==2.1",)}, (Cause.REQUIREMENTS_CHANGED, "numpy==2.1")),
        ({"image": "localhost/kiln:2"}, (Cause.IMAGE_CHANGED, "localhost/kiln:1 -> localhost/kiln:2")),
    ],
)
def test_what_may_change_the_text_is_expected(changes: dict[str, Any], found: tuple[Cause, str]) -> None:
    for call in (make_call(result_key="r2"), make_call(**OTHER)):
        latest = make_record(call, **changes)
        assert causes(latest, make_record(make_call())) == [found]
        assert diagnose(latest, make_record(make_call()))[0].weight is Weight.EXPECTED


def test_an_entry_that_ccache_removed_for_space() -> None:
    settings = (("max_size", "5.0G"),)
    latest = make_record(make_call(), store=StoreCounts(10, 2048, 3), settings=settings)
    previous = make_record(make_call(), store=StoreCounts(9, 1024, 2))
    assert causes(latest, previous) == [(Cause.EVICTED, "the cache holds 2.0 MiB, the limit is 5.0G")]


def test_an_entry_that_vanished() -> None:
    assert judge(make_call(results=HIT, stored=()), make_call())[0][0] is Cause.CACHE_LOST
    latest = make_record(make_call(), settings=(("cache_dir", "/b"),))
    previous = make_record(make_call(), settings=(("cache_dir", "/a"),))
    assert causes(latest, previous) == [(Cause.CACHE_LOST, "/a -> /b")]


def test_an_entry_that_was_never_stored() -> None:
    before = make_call(stored=(), remarks=("Failed to write to /c/1: No space left on device",))
    assert judge(before, make_call()) == [(Cause.NOT_STORED, "Failed to write to /c/1: No space left on device")]


def test_a_unit_of_no_earlier_build() -> None:
    latest = make_record(make_call("new.c", **OTHER), make_call(results=HIT))
    assert causes(latest, make_record(make_call())) == [(Cause.NEW_UNIT, "")]
    changed = make_record(make_call("new.c", **OTHER), make_call(results=HIT), source="e" * 64)
    assert causes(changed, make_record(make_call())) == [(Cause.SOURCE_CHANGED, "")]


def test_a_wheel_without_a_compilation() -> None:
    link = make_call("a.o", results=("called_for_link",))
    for record in (make_record(), make_record(link)):
        ((cause, detail),) = causes(record, None)
        assert cause is Cause.LAUNCHER_NOT_REACHED
        assert "no compilation" in detail
    assert causes(make_record(built=False), None) == []


def test_compilers_that_the_output_shows_by_their_path() -> None:
    (found,) = diagnose(make_record(make_call("a.c", results=HIT), bypassed=("b.c", "c.c")))
    assert (found.cause, found.units) == (Cause.LAUNCHER_NOT_REACHED, ("b.c", "c.c"))


def test_a_compilation_that_went_missing() -> None:
    latest = make_record(make_call("a.c", results=HIT))
    previous = make_record(make_call("a.c"), make_call("b.c"))
    (found,) = diagnose(latest, previous)
    assert (found.cause, found.units) == (Cause.LAUNCHER_NOT_REACHED, ("b.c",))
    changed = make_record(make_call("a.c", results=HIT), source="e" * 64)
    assert diagnose(changed, previous) == (), "another source may have fewer files"


def test_uncacheable_calls_have_ccaches_reason() -> None:
    said = "Multiple input files: a.c and b.c"
    call = make_call(results=("multiple_source_files",), remarks=(said,))
    (found,) = diagnose(make_record(call))
    assert (found.cause, found.detail) == (
        Cause.UNCACHEABLE,
        "multiple_source_files: Multiple input files: SOURCE and b.c",
    )
    assert found.remedy == "Compile one source file a call."


@pytest.mark.parametrize("result", ["compile_failed", "preprocessor_error", "called_for_link", "no_input_file"])
def test_what_is_no_compilation_or_failed_is_not_the_caches_matter(result: str) -> None:
    assert causes(make_record(make_call(results=(result,)), make_call(results=HIT)), None) == []


def test_native_code_is_a_risk_even_when_it_hits() -> None:
    call = make_call(results=HIT, command=("gcc", "-mtune=native", "-march=native", "-c", "a.c"))
    (found,) = diagnose(make_record(call), make_record(call))
    assert (found.cause, found.weight, found.detail) == (Cause.NATIVE_CODE, Weight.RISK, "-march=native -mtune=native")


def test_faults_come_first() -> None:
    calls = (
        make_call("new.c", **OTHER),
        make_call("a.c", command=("gcc", "-march=native", "-c", "a.c"), results=HIT),
        make_call("b.c", namespace="other", **OTHER),
    )
    found = diagnose(make_record(*calls), make_record(make_call("a.c"), make_call("b.c")))
    assert [one.weight for one in found] == [Weight.FAULT, Weight.RISK, Weight.EXPECTED]


def test_a_statistics_log_has_no_keys() -> None:
    bare = Call("a.c", "", "", (), "", "", "", "", MISS)
    (found,) = diagnose(make_record(bare), make_record(bare))
    assert (found.cause, found.remedy) == (Cause.UNKNOWN, "Let ccache write its own log: CCACHE_LOGFILE.")


@pytest.mark.parametrize(
    ("difference", "cause"),
    [
        (InputDifference("cpp", "int x = 1;", "int x = 2;", "gen/t.h"), Cause.GENERATED_HEADER),
        (InputDifference("cpp", "int x = 1;", "int x = 2;", "a.c"), Cause.GENERATED_SOURCE),
        (
            InputDifference(
                "path", "/tmp/build-env-aaaa/x/site-packages/f.h", "/tmp/build-env-bbbb/x/site-packages/f.h"
            ),
            Cause.RANDOM_ENVIRONMENT,
        ),
        (InputDifference("cwd", "/tmp/tmpaaaa1111", "/tmp/tmpbbbb2222"), Cause.RANDOM_BUILD_DIRECTORY),
        (InputDifference("compiler", "gcc version 12", "gcc version 13"), Cause.COMPILER_CHANGED),
        (InputDifference("arg", "-O2", "-O3"), Cause.FLAGS_CHANGED),
        (InputDifference("sourcecode hash", "a", "b"), Cause.GENERATED_SOURCE),
        (InputDifference("LANG", "C", "de"), Cause.UNKNOWN),
    ],
)
def test_what_ccache_hashed_tells_more_than_keys(difference: InputDifference, cause: Cause) -> None:
    found = diagnose(make_record(make_call(**OTHER)), make_record(make_call()), {"project/a.o": difference})
    assert [one.cause for one in found] == [cause]
    assert found[0].detail.endswith(f"{difference.before} -> {difference.after}")


def test_a_job_is_diagnosed_from_what_was_kept(tmp_path: Path) -> None:
    assert diagnose_job(tmp_path, "kern", "cp312-manylinux_x86_64") == ()
    keep_record(tmp_path, make_record(make_call()))
    assert [one.cause for one in diagnose_job(tmp_path, "kern", "cp312-manylinux_x86_64")] == [Cause.FIRST_BUILD]
    keep_record(tmp_path, make_record(make_call(namespace="other", **OTHER)))
    assert [one.cause for one in diagnose_job(tmp_path, "kern", "cp312-manylinux_x86_64")] == [Cause.NAMESPACE_CHANGED]


def test_every_cause_has_an_explanation() -> None:
    assert set(EXPLANATIONS) == set(Cause)
    assert all(explained.remedy.endswith(".") for explained in EXPLANATIONS.values())
