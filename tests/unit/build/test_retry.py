from __future__ import annotations

from dataclasses import replace

import pytest

from tests.values import make_facts, make_inputs
from wheelkiln.build.retry import narrow_to_unfinished
from wheelkiln.plan.make import make_plan
from wheelkiln.plan.model import Plan, SkipReason

_CP311, _CP312, _CP313 = (f"cp31{number}-manylinux_x86_64" for number in (1, 2, 3))


def _plan() -> Plan:
    return make_plan(make_inputs({"python": ["cp311", "cp312", "cp313"]}))


@pytest.mark.parametrize("state", ["failed", "rejected", "cancelled", "planned", "started"])
def test_what_did_not_end_well_stays(state: str) -> None:
    plan = narrow_to_unfinished(_plan(), {_CP311: "built", _CP312: state})
    assert [job.id for job in plan.jobs] == [_CP312]
    told = {it.id: it.detail for it in plan.skipped if it.reason is SkipReason.NOTHING_TO_RETRY}
    assert told == {
        _CP311: "--retry-failed: its last build into this directory was good",
        _CP313: "--retry-failed: no run into this directory has tried it",
    }


@pytest.mark.parametrize("state", ["built", "reused", "covered"])
def test_when_all_is_good_nothing_stays_and_no_image_is_asked_for(state: str) -> None:
    plan = narrow_to_unfinished(_plan(), dict.fromkeys((_CP311, _CP312, _CP313), state))
    assert (plan.jobs, plan.images, plan.image_names()) == ((), (), ())


def test_the_part_that_names_a_source_does_not_count() -> None:
    plan = _plan()
    plan = replace(plan, jobs=tuple(replace(job, id=f"kern-1.2/{job.id}") for job in plan.jobs))
    narrowed = narrow_to_unfinished(plan, {_CP312: "failed"})
    assert [job.id for job in narrowed.jobs] == [f"kern-1.2/{_CP312}"]


def test_a_job_that_a_stable_wheel_was_to_serve_brings_its_maker_back() -> None:
    facts = make_facts('[project]\nname = "kern"\nversion = "1.2"\n[tool.scikit-build]\nwheel.py-api = "cp311"\n')
    plan = make_plan(make_inputs({"python": ["cp311", "cp312"]}, facts=facts))
    narrowed = narrow_to_unfinished(plan, {_CP311: "built", _CP312: "failed"})
    assert [job.id for job in narrowed.jobs] == [_CP311]
