"""The plan and the manifest as other programs see them: JSON that comes back as it was, and obeys its schema."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from pydantic import TypeAdapter

from tests.golden.cases import CASES
from tests.values import IMAGE_ID, make_host, make_inputs, make_request
from wheelkiln.build.editions import RunRequest
from wheelkiln.build.outcome import Outcome, RunResult, StageSeconds, Status, WheelFile
from wheelkiln.cache.statistics import CompileStatistics
from wheelkiln.cli.schema import make_schema
from wheelkiln.image.provide import BuiltImage, Origin
from wheelkiln.plan.make import make_plan
from wheelkiln.plan.matrix import PlanDocument, make_document
from wheelkiln.report.manifest import Manifest, make_manifest, write_manifest_text

_PLANS = TypeAdapter(PlanDocument)
_MANIFESTS = TypeAdapter(Manifest)


def _errors(what: str, value: Any) -> list[str]:
    return [error.message for error in jsonschema.Draft202012Validator(make_schema(what)).iter_errors(value)]


@pytest.mark.parametrize(
    "table",
    [
        {},
        {"image": {"base": "bootstrap"}, "policy": "manylinux2014"},
        {"image": {"base": "ghcr.io/acme/base:1"}, "arch": ["aarch64", "x86_64"], "python": ["cp39", "cp399"]},
        {"libc": ["musllinux", "manylinux"], "image": {"requires": ["sve2"], "labels": {"a": "b"}}},
    ],
)
def test_a_plan_survives_json(table: dict[str, Any]) -> None:
    plan = make_plan(make_inputs(table, host=make_host(emulated=frozenset({"aarch64"}))))
    plan = replace(plan, references={"x": "localhost/x:1"})
    document = make_document([plan])
    text = json.dumps(asdict(document), default=str)
    assert _PLANS.validate_json(text) == document
    assert _errors("plan", json.loads(text)) == []


def test_the_golden_plan_obeys_the_schema() -> None:
    plan = json.loads(CASES["plan/every-reason.json"]())
    assert _errors("plan", plan) == []
    assert asdict(_PLANS.validate_python(plan))["skipped"][0]["reason"] == "requires-python"


def test_a_plan_that_lacks_something_does_not_obey() -> None:
    plan = json.loads(CASES["plan/every-reason.json"]())
    del plan["jobs"]
    assert _errors("plan", plan) == ["'jobs' is a required property"]


def _manifest() -> Manifest:
    request = make_request(make_inputs({"python": ["cp311", "cp312", "cp399"]}))
    good, bad = request.plan.jobs
    outcomes = (
        Outcome(
            good,
            Status.BUILT,
            seconds=1.5,
            wheel=WheelFile("x.whl", "a" * 64, 7),
            stages=(StageSeconds("compile", 1.0),),
            statistics=CompileStatistics(1, 2, 3, 4, (("x", 5),)),
            log=Path("/x"),
        ),
        Outcome(bad, Status.FAILED, message="broken ünï"),
    )
    image = BuiltImage(
        good.image,
        request.plan.references[good.image],
        IMAGE_ID,
        Origin.BUILT,
        (("gcc", "14"),),
        "gcc 14.2.1 avx512bf16",
    )
    return make_manifest(RunRequest((request,)), RunResult(outcomes, (image,), 2.0), version="0.1.0")


def test_a_manifest_survives_json() -> None:
    manifest = _manifest()
    text = write_manifest_text(manifest)
    assert _MANIFESTS.validate_json(text) == manifest
    assert _errors("manifest", json.loads(text)) == []
    assert "ünï" in text


def test_a_manifest_with_a_status_of_its_own_does_not_obey() -> None:
    value = json.loads(write_manifest_text(_manifest()))
    value["jobs"][0]["status"] = "splendid"
    assert len(_errors("manifest", value)) == 1
