from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.values import make_facts, make_inputs, make_request
from wheelkiln.build.editions import RunRequest
from wheelkiln.build.outcome import Outcome, RunResult, StageSeconds, Status, WheelFile
from wheelkiln.build.retry import narrow_to_unfinished
from wheelkiln.image.provide import BuiltImage, Origin
from wheelkiln.plan.model import SkipReason
from wheelkiln.report.left_out import keep_left_out
from wheelkiln.report.manifest import Manifest, make_manifest

_MADE = make_request(make_inputs({"python": ["cp311", "cp312", "cp313"]}))
_REQUEST = replace(_MADE, plan=replace(_MADE.plan, references=dict.fromkeys(_MADE.plan.references, "localhost/x:1")))
_STATES = {"cp311-manylinux_x86_64": "built", "cp312-manylinux_x86_64": "failed", "cp313-manylinux_x86_64": "built"}
_IMAGE = BuiltImage("manylinux_2_28_x86_64", "localhost/x:1", "sha256:c", Origin.BUILT)


def _wheel(python: str) -> WheelFile:
    return WheelFile(f"kern-1.2-{python}-{python}-manylinux_2_17_x86_64.whl", "a" * 64, 2048)


def _told(outcomes: tuple[Outcome, ...], request: Any = _REQUEST) -> Manifest:
    return make_manifest(RunRequest((request,)), RunResult(outcomes, (_IMAGE,), 1.0), version="0.1.0")


def _built(job: Any) -> Outcome:
    return Outcome(job, Status.BUILT, 2.0, _wheel(job.python), (StageSeconds("compile", 2.0),), attempts=2)


_FIRST = _told(tuple(_built(job) if job.python != "cp312" else Outcome(job, Status.FAILED) for job in _MADE.plan.jobs))
_NARROW = replace(_REQUEST, plan=narrow_to_unfinished(_REQUEST.plan, _STATES))
_RETRIED = _told(tuple(map(_built, _NARROW.plan.jobs)), _NARROW)


def test_a_retry_tells_only_of_what_it_tried() -> None:
    assert [job.id for job in _RETRIED.jobs] == ["cp312-manylinux_x86_64"]
    assert [skip.reason for skip in _RETRIED.skipped] == [SkipReason.NOTHING_TO_RETRY] * 2


def test_what_it_left_out_stays_in_the_manifest_as_found_finished() -> None:
    kept = keep_left_out(_RETRIED, _FIRST, lambda _: True)
    assert [(job.identifier.partition("-")[0], job.status.value) for job in kept.jobs] == [
        ("cp311", "reused"),
        ("cp312", "built"),
        ("cp313", "reused"),
    ]
    assert [job.wheel for job in kept.jobs] == [_wheel(python) for python in ("cp311", "cp312", "cp313")]
    assert (kept.jobs[0].seconds, kept.jobs[0].stages, kept.jobs[0].attempts) == (0.0, (), 1)
    assert (kept.skipped, kept.images) == ((), _RETRIED.images)
    assert keep_left_out(kept, _FIRST, lambda _: True) == kept


def test_a_wheel_that_does_not_lie_there_any_more_is_left_out() -> None:
    kept = keep_left_out(_RETRIED, _FIRST, lambda wheel: "cp311" in wheel.name)
    assert [job.id for job in kept.jobs] == ["cp311-manylinux_x86_64", "cp312-manylinux_x86_64"]
    assert [skip.id for skip in kept.skipped] == ["cp313-manylinux_x86_64"]


@pytest.mark.parametrize(
    "before",
    [
        replace(_FIRST, sources=tuple(replace(source, digest="e" * 64) for source in _FIRST.sources)),
        replace(_FIRST, sources=tuple(replace(source, configuration="e" * 64) for source in _FIRST.sources)),
        replace(_FIRST, tools={**_FIRST.tools, "cibuildwheel": "3.0"}),
        replace(_FIRST, jobs=tuple(replace(job, image="localhost/x:2") for job in _FIRST.jobs)),
    ],
)
def test_nothing_is_kept_of_another_source_or_way_of_building(before: Manifest) -> None:
    assert keep_left_out(_RETRIED, before, lambda _: True) == _RETRIED


def test_the_image_of_another_platform_is_kept_with_its_jobs() -> None:
    before = replace(
        _FIRST,
        jobs=tuple(
            replace(job, identifier=job.identifier.replace("x86_64", "aarch64"), image="localhost/arm:1")
            for job in _FIRST.jobs
        ),
        images=tuple(replace(image, reference="localhost/arm:1") for image in _FIRST.images),
    )
    kept = keep_left_out(_RETRIED, before, lambda _: True)
    assert [image.reference for image in kept.images] == ["localhost/x:1", "localhost/arm:1"]


def test_pythons_that_a_wheel_serves_stay_with_it() -> None:
    facts = make_facts('[project]\nname = "kern"\nversion = "1.2"\n[tool.scikit-build]\nwheel.py-api = "cp311"\n')
    made = make_request(make_inputs({"python": ["cp310", "cp311", "cp312"]}, facts=facts))
    request = replace(made, plan=replace(made.plan, references=dict.fromkeys(made.plan.references, "localhost/x:1")))
    stable = WheelFile("kern-1.2-cp311-abi3-manylinux_2_17_x86_64.whl", "a" * 64, 2048)
    first, second, third = (job for _, job in RunRequest((request,)).in_order())
    before = _told(
        (
            Outcome(first, Status.FAILED),
            Outcome(second, Status.BUILT, 1.0, stable),
            Outcome(third, Status.COVERED, covered_by=stable.name),
        ),
        request,
    )
    states = {
        "cp310-manylinux_x86_64": "failed",
        "cp311-manylinux_x86_64": "built",
        "cp312-manylinux_x86_64": "covered",
    }
    narrow = replace(request, plan=narrow_to_unfinished(request.plan, states))
    kept = keep_left_out(_told(tuple(map(_built, narrow.plan.jobs)), narrow), before, lambda _: True)
    assert [job.status.value for job in kept.jobs] == ["built", "reused", "covered"]
    gone = keep_left_out(_told(tuple(map(_built, narrow.plan.jobs)), narrow), before, lambda _: False)
    assert [job.status.value for job in gone.jobs] == ["built"], "nobody serves a Python whose wheel is gone"
