from __future__ import annotations

import json

from wheelkiln.verify.difference.model import Cause, Difference, Weight
from wheelkiln.verify.difference.records import compare_records
from wheelkiln.verify.difference.text import compare_headers, compare_json, compare_lines


def _told(differences: object) -> list[tuple[str, str, str]]:
    return [(entry.place, entry.one, entry.other) for entry in differences if isinstance(entry, Difference)]  # type: ignore[attr-defined]


def test_lines_of_one_text_only() -> None:
    found = list(compare_lines("a\nb\nc\n", "a\nx\nc\nd\n"))
    assert _told(found) == [("line 2", "b", "x"), ("line 4", "", "d")]


def test_the_same_lines_or_words_in_another_order() -> None:
    (found,) = compare_lines("a\nb\n", "b\na\n")
    assert (found.place, found.cause) == ("line 1: the same lines in another order", Cause.PARALLEL_ORDER)
    (found,) = compare_lines("NAMES = 'a' 'b'\n", "NAMES = 'b' 'a'\n")
    assert found.cause is Cause.RANDOM


def test_line_endings() -> None:
    (found,) = compare_lines("a\n", "a\r\n")
    assert "line endings" in found.place


def test_headers_by_their_keys() -> None:
    one = "Name: kern\nTag: a\nTag: b\nVersion: 1\n\nText\n"
    other = "Name: kern\nTag: b\nTag: a\nVersion: 2\n\nOther text\n"
    found = list(compare_headers(one, other, {"Version": Cause.SOURCE}))
    assert [(entry.place, entry.cause) for entry in found] == [
        ("Tag: the same values in another order", Cause.PARALLEL_ORDER),
        ("Version", Cause.SOURCE),
        ("line 1", None),
    ]


def test_json_by_its_keys() -> None:
    one = {"a": {"b": [1, 2]}, "same": 1, "parts": [{"name": "x", "size": 1}]}
    other = {"a": {"b": [1, 3]}, "same": 1, "parts": [{"name": "y", "size": 1}, {"name": "x", "size": 1}]}
    assert _told(compare_json(json.dumps(one), json.dumps(other))) == [
        ("a.b[1]", "2", "3"),
        ("parts[y].name", "", "y"),
        ("parts[y].size", "", "1"),
    ]


def test_json_that_is_only_laid_out_in_another_way() -> None:
    (found,) = compare_json('{"a": 1, "b": 2}', '{"b": 2, "a": 1}')
    assert "order of keys" in found.place


def test_what_is_no_json_is_compared_by_its_lines() -> None:
    assert _told(compare_json("{", "}")) == [("line 1", "{", "}")]
    deep = "[" * 100_000
    assert list(compare_json(deep, deep + "]"))


def test_deep_json_ends() -> None:
    one = "1"
    for _ in range(200):
        one = f'{{"a": {one}}}'
    (found,) = compare_json(one, one.replace("1", "2"))
    assert found.place.count("a") < 50


def _record(number: int, flags: str = "-O2") -> str:
    requirement = {"requirement": f"cython==3.{number}", "hashes": [f"sha256:{number}"]}
    return json.dumps(
        {
            "epoch": number,
            "image": {"content": f"aa{number}", "toolchain": f"gcc {number}", "programs": {"ccache": f"4.{number}"}},
            "build": {"requirements": [requirement], "configuration": {"environment": {"CFLAGS": flags}}},
            "source": {"digest": f"bb{number}"},
            "machine": {"architecture": "x86_64"},
            "later": f"x{number}",
        },
        sort_keys=True,
    )


def test_what_keys_of_a_record_tell() -> None:
    found = list(compare_records(_record(1), _record(2, "-O3")))
    assert {entry.weight for entry in found} == {Weight.RECORD}
    assert {entry.place: entry.cause for entry in found} == {
        "epoch": Cause.TIMESTAMP,
        "image.content": Cause.IMAGE,
        "image.toolchain": Cause.COMPILER,
        "image.programs.ccache": Cause.REQUIREMENT,
        "build.requirements[cython].requirement": Cause.REQUIREMENT,
        "build.configuration.environment.CFLAGS": Cause.FLAGS,
        "source.digest": Cause.SOURCE,
        "later": None,
    }


def test_other_files_of_one_version_are_another_requirement() -> None:
    one = _record(1)
    (found,) = compare_records(one, one.replace("sha256:1", "sha256:9"))
    assert (found.place, found.cause) == ("build.requirements[cython].hashes[0]", Cause.REQUIREMENT)


def test_native_flags_of_a_record() -> None:
    (found,) = compare_records(_record(1), _record(1, "-O2 -march=native"))
    assert found.cause is Cause.CPU_NATIVE


def test_blank_lines_have_no_words_to_order() -> None:
    (found,) = compare_lines("a\n  \nb\n", "a\nb\n")
    assert found.cause is None
