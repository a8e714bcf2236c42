from __future__ import annotations

import pytest

from tests.unit.cache.values import make_call
from wheelkiln.cache.units import ArgumentDifference, MovedDirectory, compare_arguments, pair_calls, steady_path


@pytest.mark.parametrize(
    ("path", "steady"),
    [
        ("/tmp/build-env-k2x9q1/lib/python3.12/site-packages", "/tmp/*/lib/python3.12/site-packages"),
        ("-I/tmp/pip-build-env-a_b1c2d3/overlay/include", "-I/tmp/*/overlay/include"),
        ("/tmp/pip-build-env-a_b1c2d3/overlay/include", "/tmp/*/overlay/include"),
        ("/tmp/pip-req-build-x8d7a_2b/src/a.c", "/tmp/*/src/a.c"),
        ("/tmp/tmpab12cd_e/build", "/tmp/*/build"),
        ("/home/dev/.cache/uv/builds-v0/.tmpA1b2C3/include", "/home/dev/.cache/uv/builds-v0/*/include"),
        ("/project/.mesonpy-x1y2z3/a.c", "/project/*/a.c"),
        ("/project/template.c", "/project/template.c"),
        ("/tmp/tmp.Xa81kQ9zpo/a.c", "/tmp/*/a.c"),
        ("src/tmpl.c", "src/tmpl.c"),
        ("src/tmp_generated/a.c", "src/tmp_generated/a.c"),
        ("build/temp.linux-x86_64-cpython-312/a.o", "build/temp.linux-x86_64-cpython-312/a.o"),
    ],
)
def test_random_parts_of_paths(path: str, steady: str) -> None:
    assert steady_path(path) == steady


def test_equal_arguments_do_not_differ() -> None:
    words = ("-O2", "-c", "a.c", "-o", "a.o")
    assert compare_arguments(words, words) == ArgumentDifference()


def test_where_the_output_goes_does_not_matter() -> None:
    one = ("-O2", "-MF", "x/a.d", "-c", "a.c", "-o", "/tmp/tmpaaaaaaaa/a.o")
    two = ("-O2", "-MF", "y/a.d", "-c", "a.c", "-o", "/tmp/tmpbbbbbbbb/a.o")
    assert compare_arguments(one, two) == ArgumentDifference()


def test_a_build_environment_that_moved() -> None:
    one = ("-I/tmp/build-env-aaaa1111/lib/python3.12/site-packages/numpy/include", "-c", "a.c")
    two = ("-I/tmp/build-env-bbbb2222/lib/python3.12/site-packages/numpy/include", "-c", "a.c")
    assert compare_arguments(one, two) == ArgumentDifference(
        moved=(MovedDirectory("/tmp/build-env-aaaa1111", "/tmp/build-env-bbbb2222", environment=True),)
    )


def test_one_directory_is_told_once_for_all_its_arguments() -> None:
    one = ("-I/tmp/tmpaaaa1111/a", "-isystem", "/tmp/tmpaaaa1111/b", "-c", "/tmp/tmpaaaa1111/x.c")
    two = ("-I/tmp/tmpbbbb2222/a", "-isystem", "/tmp/tmpbbbb2222/b", "-c", "/tmp/tmpbbbb2222/x.c")
    (moved,) = compare_arguments(one, two).moved
    assert moved == MovedDirectory("/tmp/tmpaaaa1111", "/tmp/tmpbbbb2222", environment=False)


def test_a_name_of_no_known_kind_is_random_in_a_temporary_place_alone() -> None:
    assert compare_arguments(("-I/tmp/x9f3a/inc",), ("-I/tmp/k2m8d/inc",)).moved
    elsewhere = compare_arguments(("-I/opt/v1.20/inc",), ("-I/opt/v1.21/inc",))
    assert (elsewhere.moved, elsewhere.removed, elsewhere.added) == ((), ("-I/opt/v1.20/inc",), ("-I/opt/v1.21/inc",))


def test_flags_beside_a_moved_directory() -> None:
    one = ("-O2", "-I/tmp/tmpaaaa1111/a", "-c", "a.c")
    two = ("-O3", "-I/tmp/tmpbbbb2222/a", "-c", "a.c", "-g")
    difference = compare_arguments(one, two)
    assert len(difference.moved) == 1
    assert (difference.removed, difference.added) == (("-O2",), ("-O3", "-g"))


def test_another_order_is_a_difference() -> None:
    difference = compare_arguments(("-Ia", "-Ib"), ("-Ib", "-Ia"))
    assert difference == ArgumentDifference(reordered=True)
    assert difference.flags


def test_units_are_found_again() -> None:
    a, b, twice = make_call("a.c"), make_call("b.c"), make_call("a.c", output="other.o")
    assert list(pair_calls([a, b], [b, a, twice])) == [(b, b), (a, a), (None, twice)]


def test_units_are_found_again_at_a_random_path() -> None:
    before, after = make_call("/tmp/tmpaaaa1111/a.c"), make_call("/tmp/tmpbbbb2222/a.c")
    assert list(pair_calls([before], [after])) == [(before, after)]


def test_names_alone_serve_where_a_path_changed_otherwise() -> None:
    before, after = make_call("/one/way/a.c"), make_call("/another/a.c")
    same, other = make_call("/one/x/a.c"), make_call("/one/x/a.c")
    assert list(pair_calls([same, before], [after, other])) == [(before, after), (same, other)]


def test_a_unit_that_is_compiled_twice_is_paired_in_order() -> None:
    one, two = make_call("a.c", command=("gcc", "-O1")), make_call("a.c", command=("gcc", "-O2"))
    assert list(pair_calls([one, two], [one, two, two])) == [(one, one), (two, two), (None, two)]
