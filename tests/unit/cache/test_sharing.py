from __future__ import annotations

from wheelkiln.cache.calls import Call, CallLog
from wheelkiln.cache.records import JobRecord
from wheelkiln.cache.sharing import Sharing, count_sharing


def _call(name: str, key: str, *flags: str, result: str = "cache_miss") -> Call:
    return Call(
        source=f"src/{name}.c",
        output=f"build/{name}.o",
        compiler="/usr/bin/gcc",
        command=("gcc", *flags, "-c", f"src/{name}.c", "-o", f"build/{name}.o"),
        directory="/project",
        namespace="kern-x86_64-default",
        manifest_key="m" + key,
        result_key=key,
        results=(result,),
    )


def _record(python: str, *calls: Call) -> JobRecord:
    return JobRecord("kern", f"{python}-manylinux_x86_64", 1.0, built=True, log=CallLog("4.11", calls=calls))


def test_one_job_has_nobody_to_share_with() -> None:
    assert count_sharing([]) == Sharing()
    assert count_sharing([_record("cp312", _call("a", "1"))]) == Sharing()


def test_equal_results_are_shared_and_units_that_see_the_python_are_not() -> None:
    first = _record("cp312", _call("core", "1"), _call("binding", "2", "-I/py312"))
    second = _record("cp313", _call("core", "1", result="direct_cache_hit"), _call("binding", "3", "-I", "/py313"))
    found = count_sharing([first, second])
    assert found == Sharing(repeated=2, shared=1, dependent=1)
    assert found.shareable == 1


def test_other_flags_keep_units_apart_and_are_named() -> None:
    first = _record("cp311", _call("core", "1", "-fwrapv", "-O3"))
    second = _record("cp312", _call("core", "2", "-fno-strict-overflow", "-O3"))
    third = _record("cp313", _call("core", "2", "-fno-strict-overflow", "-O3"))
    found = count_sharing([first, second, third])
    assert (found.repeated, found.shared, found.apart) == (2, 1, 1)
    assert set(found.flags) == {"-fwrapv", "-fno-strict-overflow"}
    assert found.shareable == 2


def test_a_flag_that_is_not_hashed_keeps_nothing_apart() -> None:
    first = _record("cp310", _call("binding", "1", "-Wno-unused-result", "-O3"))
    second = _record("cp311", _call("binding", "2", "-O3"))
    assert count_sharing([first, second], ["-Wno-unused-result"]) == Sharing(repeated=1, dependent=1)
    assert count_sharing([first, second]).flags == ("-Wno-unused-result",)


def test_units_without_a_counterpart_or_a_key_do_not_count() -> None:
    first = _record("cp312", _call("core", "1"))
    second = _record("cp313", _call("other", "2"), _call("core", ""))
    assert count_sharing([first, second]) == Sharing()
