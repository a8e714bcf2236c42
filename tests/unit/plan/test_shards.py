from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict

import pytest

from tests.values import make_facts, make_inputs
from wheelkiln.errors import UsageProblem
from wheelkiln.plan.cut import Cut, cut_jobs
from wheelkiln.plan.make import make_plan
from wheelkiln.plan.matrix import make_document
from wheelkiln.plan.model import Plan, SkipReason
from wheelkiln.plan.shards import ShardChoice, check_planned, cut_plans, parse_planned, parse_shard, take_shard

_STABLE = make_facts('[project]\nname = "kern"\nversion = "1.2"\n[tool.scikit-build]\nwheel.py-api = "cp311"\n')


def _cut(plan: Plan, count: int = 2) -> Cut:
    return cut_jobs(plan.jobs, count, by_history=False)


def _written(plan: Plan, cut: Cut) -> str:
    return json.dumps(asdict(make_document([plan], cut.shards)), default=str)


@pytest.mark.parametrize("text", ["", "2", "2/", "/3", "a/b", "-1/2", "1/2/3", "1.5/2", " 1/2", "²/3", "1/9999999"])
def test_what_is_no_shard(text: str) -> None:
    with pytest.raises(UsageProblem, match="not a shard"):
        parse_shard(text)


@pytest.mark.parametrize("text", ["0/3", "4/3", "1/0", "1/1001"])
def test_a_shard_that_does_not_exist(text: str) -> None:
    with pytest.raises(UsageProblem, match="there is no such shard"):
        parse_shard(text)


def test_a_shard() -> None:
    assert parse_shard("2/3") == ShardChoice(2, 3)
    assert str(parse_shard("02/3")) == "2/3"


def test_a_shard_has_its_jobs_and_says_where_the_others_are() -> None:
    plan = make_plan(make_inputs({"python": ["cp311", "cp312", "cp399"], "libc": ["manylinux", "musllinux"]}))
    numbers: Mapping[str, int] = {job.id: 1 if "manylinux" in job.id else 2 for job in plan.jobs}
    taken = take_shard(plan, numbers, ShardChoice(2, 2))
    assert [job.id for job in taken.jobs] == ["cp311-musllinux_x86_64", "cp312-musllinux_x86_64"]
    assert [image.name for image in taken.images] == ["musllinux_1_2"]
    assert {(skip.id, skip.reason, skip.detail) for skip in taken.skipped if skip.reason is SkipReason.OTHER_SHARD} == {
        ("cp311-manylinux_x86_64", SkipReason.OTHER_SHARD, "it belongs to shard 1/2"),
        ("cp312-manylinux_x86_64", SkipReason.OTHER_SHARD, "it belongs to shard 1/2"),
    }
    assert sum(skip.reason is SkipReason.UNKNOWN_IDENTIFIER for skip in taken.skipped) == 2


def test_what_a_stable_abi_wheel_may_serve_goes_with_it() -> None:
    plan = make_plan(make_inputs({"python": ["cp310", "cp311", "cp312", "cp313"]}, facts=_STABLE))
    first, second = (take_shard(plan, _cut(plan).numbers, ShardChoice(number, 2)) for number in (1, 2))
    assert [job.python for job in first.jobs] == ["cp310"]
    assert {skip.id[:5]: skip.reason for skip in first.skipped} == dict.fromkeys(
        ("cp311", "cp312", "cp313"), SkipReason.OTHER_SHARD
    )
    assert [skip.covered_by for skip in first.skipped] == [""] * 3
    assert [(skip.id[:5], skip.covered_by[:5]) for skip in second.skipped] == [
        ("cp312", "cp311"),
        ("cp313", "cp311"),
        ("cp310", ""),
    ]


def test_a_plan_from_elsewhere_is_read_as_it_was_written() -> None:
    plan = make_plan(make_inputs({"python": ["cp311", "cp312", "cp399"]}))
    planned = parse_planned(_written(plan, _cut(plan)), where="plan.json")
    assert planned.cut.id == _cut(plan).id
    assert planned.cut.numbers == _cut(plan).numbers
    assert planned.left_out == {"cp399-manylinux_x86_64"}
    check_planned(planned, [plan], ShardChoice(1, 2), where="plan.json")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "7",
        "{",
        "[" * 100_000,
        "{}",
        '{"shards": []}',
        '{"shards": 3, "jobs": [], "skipped": []}',
        '{"shards": [3], "jobs": [], "skipped": []}',
        '{"shards": [{"jobs": "abc"}], "jobs": [], "skipped": []}',
        '{"shards": [{"jobs": [7]}], "jobs": [], "skipped": []}',
        '{"shards": [{"jobs": []}], "jobs": [{"id": "a"}], "skipped": []}',
        '{"shards": [{"jobs": ["a"]}, {"jobs": ["a"]}], "jobs": [{"id": "a"}], "skipped": []}',
        '{"shards": [{"jobs": []}], "jobs": []}',
    ],
)
def test_what_is_no_plan_with_shards(text: str) -> None:
    with pytest.raises(UsageProblem, match=r"plan\.json"):
        parse_planned(text, where="plan.json")


def test_the_number_of_shards_is_the_plans() -> None:
    plan = make_plan(make_inputs())
    planned = parse_planned(_written(plan, _cut(plan)), where="plan.json")
    with pytest.raises(UsageProblem, match=r"plan\.json has 2 shards, --shard asks for 3/3"):
        check_planned(planned, [plan], ShardChoice(3, 3), where="plan.json")


def test_a_job_that_this_machine_cannot_build_is_named_with_the_reason() -> None:
    plan = make_plan(make_inputs())
    planned = parse_planned(_written(plan, _cut(plan)), where="plan.json")
    here = make_plan(make_inputs({"python": ["cp310"], "image": {"base": "bootstrap"}}, interpreters=()))
    with pytest.raises(UsageProblem, match="cannot be built here") as caught:
        check_planned(planned, [here], ShardChoice(1, 2), where="plan.json")
    lines = caught.value.message.splitlines()[1:]
    assert lines[0].startswith("  cp310-manylinux_x86_64: no CPython 3.10 for x86_64 on this machine")
    assert lines[1] == "  cp311-manylinux_x86_64: the configuration here does not have it"


def test_a_plan_that_does_not_know_a_job_is_of_another_configuration() -> None:
    plan = make_plan(make_inputs({"python": ["cp310", "cp311", "cp312"]}))
    planned = parse_planned(_written(plan, _cut(plan)), where="plan.json")
    with pytest.raises(UsageProblem, match="it does not know cp313-manylinux_x86_64"):
        check_planned(planned, [make_plan(make_inputs())], ShardChoice(1, 2), where="plan.json")


def test_what_the_plan_leaves_out_no_shard_builds() -> None:
    planned_on = make_plan(make_inputs({"python": ["cp311", "cp399"]}))
    text = _written(planned_on, _cut(planned_on)).replace("cp399", "cp312")
    planned = parse_planned(text, where="plan.json")
    here = make_plan(make_inputs({"python": ["cp311", "cp312"]}))
    check_planned(planned, [here], ShardChoice(1, 2), where="plan.json")
    taken = take_shard(here, planned.cut.numbers, ShardChoice(1, 2))
    assert [job.python for job in taken.jobs] == ["cp311"]
    assert [(skip.id[:5], skip.reason) for skip in taken.skipped] == [("cp312", SkipReason.NOT_SELECTED)]


def test_shards_that_only_this_machine_would_cut_are_told() -> None:
    cut, notices = cut_plans([make_plan(make_inputs())], 2)
    assert [len(shard.jobs) for shard in cut.shards] == [2, 2]
    assert notices == ()
    cut, notices = cut_plans([make_plan(make_inputs(estimates={"cp310-manylinux_x86_64": 90.0}))], 2)
    assert [shard.seconds for shard in cut.shards] == [180.0, 180.0]
    assert notices == ()
    past = {"cp310-manylinux_x86_64": 90.0, "cp311-manylinux_x86_64": 1.0, "cp312-manylinux_x86_64": 1.0}
    cut, notices = cut_plans([make_plan(make_inputs(estimates=past))], 2)
    assert [len(shard.jobs) for shard in cut.shards] == [1, 3]
    assert [notice.code for notice in notices] == ["shards-by-history"]
