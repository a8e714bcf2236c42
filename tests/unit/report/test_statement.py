from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from tests.records import make_record_value
from tests.values import make_inputs, make_request
from wheelkiln.build.editions import RunRequest
from wheelkiln.build.outcome import Outcome, RunResult, Status, WheelFile
from wheelkiln.cache.lock import Pin
from wheelkiln.image.provide import BuiltImage, Origin
from wheelkiln.report.builder import Builder, Made
from wheelkiln.report.manifest import make_manifest
from wheelkiln.report.statement import WheelOrigin, contradictions, make_predicate, make_statement, origin_of
from wheelkiln.source.origin import EditionChanges, OriginKind
from wheelkiln.verify.record import RecordedEdition

_REQUEST = make_request(make_inputs({"python": ["cp312"]}))
_JOB = _REQUEST.plan.jobs[0]
_OUTCOME = Outcome(
    _JOB,
    Status.BUILT,
    wheel=WheelFile("kern-1.2-cp312-cp312-manylinux_2_17_x86_64.whl", "a" * 64, 2048),
    requirements=("setuptools==80.9.0",),
)
_REFERENCE = _REQUEST.plan.references[_JOB.image]
_IMAGE = BuiltImage(_JOB.image, _REFERENCE, "sha256:" + "c" * 64, Origin.BUILT, toolchain="gcc 14.2.1")
_MADE = Made("https://ci.example/w", "https://ci.example/runs/1", "git+https://ci.example/k@v1", "e" * 40, 1, 61)
_ELSE = Builder("urn:else", "urn:else:run")


def _origin(outcome: Outcome = _OUTCOME, made: Made | None = _MADE, **changes: Any) -> WheelOrigin:
    result = RunResult((outcome,), (_IMAGE,), 2.0)
    manifest = make_manifest(RunRequest((_REQUEST,)), result, version="0.1.0", made=made)
    return replace(origin_of(manifest, manifest.jobs[0]), **changes)


def _dependencies(origin: WheelOrigin) -> dict[str, Any]:
    return {it["name"]: it for it in make_predicate(origin, _ELSE)["buildDefinition"]["resolvedDependencies"]}


def test_the_statement_has_the_wheel_as_its_one_subject() -> None:
    statement = json.loads(make_statement(_origin(), _ELSE))
    assert statement["_type"] == "https://in-toto.io/Statement/v1"
    assert statement["subject"] == [
        {"name": "kern-1.2-cp312-cp312-manylinux_2_17_x86_64.whl", "digest": {"sha256": "a" * 64}}
    ]
    assert statement["predicateType"] == "https://slsa.dev/provenance/v1"
    assert statement["predicate"] == make_predicate(_origin(), _ELSE)


def test_what_was_asked_for() -> None:
    definition = make_predicate(_origin(), _ELSE)["buildDefinition"]
    assert definition["externalParameters"] == {
        "source": {"project": "kern", "version": "1.2", "digest": "d" * 64},
        "variant": "default",
        "identifier": "cp312-manylinux_x86_64",
        "configuration": _origin().source.configuration,
    }
    assert definition["internalParameters"] == {
        "sourceDateEpoch": 1_700_000_000,
        "reused": False,
        "tools": {"wheelkiln": "0.1.0", "cibuildwheel": "4.3.3", "docker": "26.1.5"},
        "architecture": "x86_64",
        "emulated": False,
        "toolchain": "gcc 14.2.1",
    }


def test_what_went_in() -> None:
    found = _dependencies(_origin())
    assert list(found) == ["source", "workflow", "image", "base image", "setuptools"]
    assert found["source"]["uri"] == f"urn:wheelkiln:source:{'d' * 64}"
    assert found["workflow"]["digest"] == {"gitCommit": "e" * 40}
    assert found["image"]["digest"] == {"sha256": "c" * 64}
    assert found["base image"]["digest"] == {"sha256": "2" * 64}
    assert found["setuptools"] == {"name": "setuptools", "uri": "pkg:pypi/setuptools@80.9.0"}


def test_digests_of_requirements() -> None:
    one, two = "sha256:" + "1" * 64, "sha256:" + "2" * 64
    pins = (Pin("one==1", (one,)), Pin("several==1", (one, two)), Pin("other==1", ("md5:1",)), Pin("loose>=1"))
    found = _dependencies(_origin(requirements=pins))
    assert found["one"]["digest"] == {"sha256": "1" * 64}
    assert found["several"]["annotations"] == {"oneOfSha256": ["1" * 64, "2" * 64]}
    assert "digest" not in found["several"]
    assert "digest" not in found["other"]
    assert "loose" not in found


def test_an_image_that_is_not_known_and_one_without_a_pinned_base() -> None:
    assert "image" not in _dependencies(_origin(image=None))
    image = _origin().image
    assert image is not None
    assert "base image" not in _dependencies(_origin(image=replace(image, base="bootstrap")))
    assert "digest" not in _dependencies(_origin(image=replace(image, digest="")))["image"]


def test_the_run_that_built_it_is_told_and_not_the_one_that_tells() -> None:
    assert make_predicate(_origin(), _ELSE)["runDetails"] == {
        "builder": {"id": "https://ci.example/w", "version": {"wheelkiln": "0.1.0"}},
        "metadata": {
            "invocationId": "https://ci.example/runs/1",
            "startedOn": "1970-01-01T00:00:01Z",
            "finishedOn": "1970-01-01T00:01:01Z",
        },
    }
    local = make_predicate(_origin(made=replace(_MADE, invocation="", repository="", revision="")), _ELSE)
    assert "invocationId" not in local["runDetails"]["metadata"]
    assert "workflow" not in [it["name"] for it in local["buildDefinition"]["resolvedDependencies"]]


def test_for_a_reused_wheel_no_run_and_no_time_are_claimed() -> None:
    predicate = make_predicate(_origin(replace(_OUTCOME, status=Status.REUSED)), _ELSE)
    assert predicate["buildDefinition"]["internalParameters"]["reused"] is True
    assert predicate["runDetails"] == {"builder": {"id": "urn:else", "version": {"wheelkiln": "0.1.0"}}}


def _recorded(**changes: Any) -> dict[str, Any]:
    predicate = make_predicate(_origin(record=make_record_value(**changes)), _ELSE)
    return dict(predicate["buildDefinition"])


def _source(**changes: Any) -> dict[str, Any]:
    record = make_record_value()
    found: dict[str, Any] = _dependencies(_origin(record=replace(record, source=replace(record.source, **changes))))
    return dict(found["source"])


def test_where_the_source_is_to_be_had() -> None:
    index = _source()
    assert (index["uri"], index["digest"]) == ("pkg:pypi/kern@1.2", {"sha256": "e" * 64})
    assert index["annotations"] == {"project": "kern", "version": "1.2", "digest": "d" * 64}
    git = _source(kind=OriginKind.GIT, url="https://a.example/k.git", commit="f" * 40, file="", sha256="")
    assert (git["uri"], git["digest"]) == (f"git+https://a.example/k.git@{'f' * 40}", {"gitCommit": "f" * 40})
    for kind in (OriginKind.DIRECTORY, OriginKind.SDIST):
        assert _source(kind=kind)["uri"] == f"urn:wheelkiln:source:{'d' * 64}"
    assert "digest" not in _source(kind=OriginKind.DIRECTORY, sha256="")


def test_a_record_tells_the_settings_and_no_value_that_may_be_secret() -> None:
    told = _recorded()["externalParameters"]
    assert told["cibuildwheel"] == {"overrides": [{"select": "*", "repair-wheel-command": "true {wheel}"}]}
    assert (told["frontend"], told["variables"]) == ("build", {"CIBW_CONFIG_SETTINGS": "a=b"})
    assert told["withheld"] == ["CIBW_ENVIRONMENT", "TOKEN"]
    assert "0a1b" not in str(told)


def test_a_record_tells_the_images_recipe_and_content() -> None:
    found = _dependencies(_origin(record=make_record_value()))
    assert found["image"]["annotations"] == {"recipe": "7" * 64, "content": "9" * 64}


def test_a_record_has_the_digests_of_requirements() -> None:
    result = RunResult((_OUTCOME,), (_IMAGE,), 2.0)
    manifest = make_manifest(RunRequest((_REQUEST,)), result, version="0.1.0")
    tools = {"wheelkiln": "0.1.0", "cibuildwheel": "4.3.3", "auditwheel": "6.8.2"}
    origin = origin_of(manifest, manifest.jobs[0], make_record_value(tools=tools))
    assert _dependencies(origin)["cmake"]["digest"] == {"sha256": "1" * 64}
    assert "setuptools" not in _dependencies(origin)
    assert origin.tools == {"wheelkiln": "0.1.0", "cibuildwheel": "4.3.3", "docker": "26.1.5", "auditwheel": "6.8.2"}


def test_a_record_that_tells_another_story_than_the_manifest() -> None:
    assert list(contradictions(_origin())) == []
    assert list(contradictions(_origin(record=make_record_value()))) == []
    (told,) = contradictions(_origin(record=make_record_value(version="1.3")))
    assert told == "its record says '1.3' is its version, the manifest says '1.2'"
    edition = RecordedEdition("e" * 64, EditionChanges())
    (told,) = contradictions(_origin(record=make_record_value(edition=edition)))
    assert "digest of the source" in told
