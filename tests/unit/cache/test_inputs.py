from __future__ import annotations

from pathlib import Path

import pytest

from wheelkiln.cache.inputs import HashedInput, InputDifference, debug_runs, find_difference, parse_input_text

REAL = Path(__file__).parent / "logs/input-after.txt"
"""What ccache 4.7.5 hashed of a small C++ file that includes one header."""

TEXT = REAL.read_text(encoding="utf-8").splitlines()


def changed(old: str, new: str) -> list[str]:
    assert old in "\n".join(TEXT)
    return "\n".join(TEXT).replace(old, new).splitlines()


def test_the_parts_of_a_real_text() -> None:
    parts = list(parse_input_text(TEXT))
    assert HashedInput("COMMON", "namespace", "ns-a") in parts
    assert HashedInput("DIRECT MODE", "arg", "-O3") in parts
    assert HashedInput("PREPROCESSOR MODE", "path", "gen/t.h", "gen/t.h") in parts
    assert parts[-1] == HashedInput("PREPROCESSOR MODE", "cpp", "int g(){return 2;}", "n.cpp")
    (compiler,) = [part for part in parts if part.part == "compiler"]
    assert compiler.text.startswith("Using built-in specs.")
    assert "gcc version 12.2.0" in compiler.text


def test_the_compilers_answer_came_through_a_pipe_in_pieces() -> None:
    pieces = (REAL.parent / "input-before.txt").read_text(encoding="utf-8").splitlines()
    assert find_difference(pieces, [line for line in TEXT if "-O3" not in line]) is None


def test_equal_texts_do_not_differ() -> None:
    assert find_difference(TEXT, TEXT) is None


@pytest.mark.parametrize(
    ("old", "new", "difference"),
    [
        ("\nns-a\n", "\nns-b\n", InputDifference("namespace", "ns-a", "ns-b")),
        ("return 2;", "return 3;", InputDifference("cpp", "int g(){return 2;}", "int g(){return 3;}", "n.cpp")),
        ('\ngen/t.h\n" 1\n', '\ngen/t.h\n" 1\nint x;\n', InputDifference("path", "n.cpp", "int x;", "gen/t.h")),
        ("\ngen/t.h\n", "\n/tmp/tmpaaaa1111/t.h\n", InputDifference("path", "gen/t.h", "/tmp/tmpaaaa1111/t.h")),
        ("b0bdi2qc", "c0bdi2qc", None),
    ],
)
def test_the_first_difference_is_found(old: str, new: str, difference: InputDifference | None) -> None:
    found = find_difference(TEXT, changed(old, new))
    if difference is None:
        assert found
        assert found.part == "sourcecode hash"
        return
    assert found
    assert (found.before, found.after) == (difference.before, difference.after)
    assert difference.part == found.part or difference.after == "int x;"


def test_a_difference_far_in_a_long_line_is_shown() -> None:
    found = find_difference(TEXT, changed("gcc version 12.2.0", "gcc version 13.1.0"))
    assert found
    assert found.part == "compiler"
    assert "gcc version 12.2.0" in found.before
    assert "gcc version 13.1.0" in found.after
    assert len(found.after) <= 160


def test_the_text_tells_more_than_its_hash() -> None:
    both = "\n".join(changed("return 2;", "return 3;")).replace("b0bdi2qc", "c0bdi2qc").splitlines()
    found = find_difference(TEXT, both)
    assert found
    assert found.part == "cpp"


def test_a_section_that_one_lacks_is_left_out() -> None:
    direct = "\n".join(TEXT).partition("=== PREPROCESSOR MODE ===")[0].splitlines()
    assert find_difference(direct, changed("return 2;", "return 3;")) is None


def test_the_builds_in_a_debug_directory(tmp_path: Path) -> None:
    place = tmp_path / "tmp/tmpaaaa1111/x"
    place.mkdir(parents=True)
    for name in ("20260102_000000_000002", "20260101_000000_000001"):
        (place / f"a.o.{name}.ccache-input-text").touch()
    (place / "b.o.ccache-input-text").touch()
    (place / "b.o.ccache-log").touch()
    runs = debug_runs(tmp_path)
    assert sorted(runs) == ["tmp/*/x/a.o", "tmp/*/x/b.o"]
    assert [path.name[4:12] for path in runs["tmp/*/x/a.o"]] == ["20260101", "20260102"]
