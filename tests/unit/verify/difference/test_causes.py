from __future__ import annotations

import pytest

from wheelkiln.verify.difference.causes import EXPLANATIONS, find_causes
from wheelkiln.verify.difference.model import Cause, Difference, MemberDifference, Presence, Weight


def _member(name: str, *differences: tuple[Cause | None, Weight]) -> MemberDifference:
    return MemberDifference(
        name, differences=tuple(Difference(f"at {number}", "x", "y", *told) for number, told in enumerate(differences))
    )


def _found(*members: MemberDifference) -> list[Cause]:
    return [cause.cause for cause in find_causes((), members)]


def test_each_cause_is_explained() -> None:
    assert set(EXPLANATIONS) == set(Cause)
    assert all(one.title[0].islower() and one.remedy.endswith(".") for one in EXPLANATIONS.values())


def test_records_come_before_what_is_seen_and_more_members_before_fewer() -> None:
    members = (
        _member("a", (Cause.PATH, Weight.DIRECT), (Cause.TIMESTAMP, Weight.DIRECT)),
        _member("b", (Cause.TIMESTAMP, Weight.DIRECT), (Cause.RANDOM, Weight.HINT)),
        _member("c", (Cause.FLAGS, Weight.RECORD)),
    )
    assert _found(*members) == [Cause.FLAGS, Cause.TIMESTAMP, Cause.PATH]


def test_hints_count_where_nothing_else_does() -> None:
    assert _found(_member("a", (Cause.RANDOM, Weight.HINT), (None, Weight.HINT))) == [Cause.RANDOM]


@pytest.mark.parametrize(
    ("members", "cause"),
    [
        ([_member("a", (Cause.BUILD_ID_ONLY, Weight.CONSEQUENCE))], Cause.BUILD_ID_ONLY),
        ([_member("a", (Cause.BUILD_ID_ONLY, Weight.CONSEQUENCE), (None, Weight.HINT))], Cause.UNKNOWN),
        (
            [_member("a", (Cause.BUILD_ID_ONLY, Weight.CONSEQUENCE)), MemberDifference("b", Presence.FIRST)],
            Cause.UNKNOWN,
        ),
        ([_member("a", (None, Weight.HINT))], Cause.UNKNOWN),
        ([], Cause.ARCHIVE),
    ],
)
def test_without_any_other_cause(members: list[MemberDifference], cause: Cause) -> None:
    assert _found(*members) == [cause]


def test_evidence_is_the_strongest_and_short() -> None:
    many = tuple(Difference(f"line {number}", "x" * 200, "", Cause.PATH) for number in range(9))
    strong = Difference("line 99", "one", "two", Cause.PATH, Weight.DIRECT)
    (cause,) = find_causes((), (MemberDifference("a", differences=(*many, strong)),))
    assert cause.evidence[0] == "a: line 99: one | two"
    assert len(cause.evidence) == 5
    assert max(map(len, cause.evidence)) < 130
    assert cause.weight is Weight.DIRECT
