from __future__ import annotations

import json

from wheelkiln.verify.difference.model import Cause, Difference
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


def test_what_keys_of_a_record_tell() -> None:
    one = {
        "epoch": 1,
        "image": {"digest": "sha256:aa"},
        "requirements": ["cython==3.0.11"],
        "environment": {"CFLAGS": "-O2"},
        "toolchain": "gcc 12",
        "source": {"sha256": "aa"},
        "other": "x",
    }
    other = {
        "epoch": 2,
        "image": {"digest": "sha256:bb"},
        "requirements": ["cython==3.1.2"],
        "environment": {"CFLAGS": "-O3"},
        "toolchain": "gcc 14",
        "source": {"sha256": "bb"},
        "other": "y",
    }
    assert {entry.place: entry.cause for entry in compare_records(json.dumps(one), json.dumps(other))} == {
        "epoch": Cause.TIMESTAMP,
        "image.digest": Cause.IMAGE,
        "requirements[cython]": Cause.REQUIREMENT,
        "environment.CFLAGS": Cause.FLAGS,
        "toolchain": Cause.COMPILER,
        "source.sha256": Cause.SOURCE,
        "other": None,
    }


def test_native_flags_of_a_record() -> None:
    one, other = ({"environment": {"CFLAGS": flags}} for flags in ("-O2", "-O2 -march=native"))
    (found,) = compare_records(json.dumps(one), json.dumps(other))
    assert found.cause is Cause.CPU_NATIVE
