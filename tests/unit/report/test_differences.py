from __future__ import annotations

import json
from pathlib import Path

from tests.archives import write_wheel
from wheelkiln.report.differences import comparison_json, comparison_lines
from wheelkiln.verify.comparison import Comparison, compare_wheels
from wheelkiln.verify.difference.model import Comparison as Model
from wheelkiln.verify.difference.model import MemberDifference, Presence


def _compared(tmp_path: Path) -> Comparison:
    one = write_wheel(tmp_path / "a", files={"kern/built.txt": b"built 2024-01-01\n", "kern/old.py": b""})
    other = write_wheel(tmp_path / "b", files={"kern/built.txt": b"built 2024-01-02\n"})
    return compare_wheels(one, other)


def test_lines(tmp_path: Path) -> None:
    lines = list(comparison_lines(_compared(tmp_path), 100))
    assert lines[0].endswith(".whl")
    assert lines[2:10] == [
        "  differs: kern/built.txt",
        "    line 1",
        "      - built 2024-01-01",
        "      + built 2024-01-02",
        "  differs: kern/old.py (only in the first)",
        "likely cause: a time is built in [timestamp]",
        "  kern/built.txt: line 1: built 2024-01-01 | built 2024-01-02",
        "  try: Take times from SOURCE_DATE_EPOCH, which wheelkiln sets, or leave them out. gcc's __DATE__",
    ]
    assert max(map(len, lines[2:])) <= 100


def test_equal_wheels(tmp_path: Path) -> None:
    wheel = write_wheel(tmp_path)
    assert list(comparison_lines(compare_wheels(wheel, wheel), 80))[-1] == "identical"


def test_many_members_are_cut_unless_all_are_asked_for() -> None:
    members = tuple(MemberDifference(f"kern/{number:02}.py", Presence.FIRST) for number in range(30))
    found = Model("a.whl", "b.whl", ("1" * 64, "2" * 64), (), members)
    assert list(comparison_lines(found, 80))[-1] == "  and 10 more members differ"
    assert sum("differs:" in line for line in comparison_lines(found, 80, all_members=True)) == 30


def test_names_cannot_reach_the_terminal() -> None:
    found = Model("a\x1b[2J.whl", "b.whl", ("1", "2"), (), (MemberDifference("k\x1b[2J\n.py"),))
    assert all(line.isprintable() for line in comparison_lines(found, 80))


def test_the_json(tmp_path: Path) -> None:
    told = json.loads(json.dumps(comparison_json(_compared(tmp_path))))
    assert (told["format"], told["identical"]) == (1, False)
    assert [cause["code"] for cause in told["causes"]] == ["timestamp"]
    kinds = {member["name"]: (member["presence"], member["kind"]) for member in told["members"]}
    assert kinds["kern/built.txt"] == ("both", "text")
    assert kinds["kern/old.py"][0] == "first"
    (found,) = next(entry["differences"] for entry in told["members"] if entry["name"] == "kern/built.txt")
    assert (found["place"], found["cause"], found["weight"]) == ("line 1", "timestamp", "direct")
