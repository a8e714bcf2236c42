from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.values import make_inputs, make_request
from wheelkiln.build.editions import RunRequest
from wheelkiln.build.outcome import Outcome, RunResult, Status, WheelFile
from wheelkiln.errors import VerificationError
from wheelkiln.report.builder import Made
from wheelkiln.report.manifest import ManifestShard, make_manifest, write_manifest_text
from wheelkiln.report.manifest_file import parse_manifest

_REQUEST = make_request(make_inputs({"python": ["cp311", "cp312"]}))
_OUTCOMES = (
    Outcome(
        _REQUEST.plan.jobs[0], Status.BUILT, 2.0, WheelFile("kern-1.2-cp311-cp311-linux_x86_64.whl", "a" * 64, 2048)
    ),
    Outcome(_REQUEST.plan.jobs[1], Status.FAILED, message="no"),
)
_MANIFEST = make_manifest(
    RunRequest((_REQUEST,)),
    RunResult(_OUTCOMES, (), 3.0),
    version="0.1.0",
    shards=(ManifestShard(1, 2, "b" * 64, ("x",)),),
    made=Made("urn:x", "", "", "", 0, 1),
)
_SHARD = {"number": 1, "count": 2, "plan": "b" * 64, "jobs": ["x"]}
_TEXT = write_manifest_text(_MANIFEST)


def _changed(change: Callable[[dict[str, Any]], Any]) -> str:
    table = json.loads(_TEXT)
    change(table)
    return json.dumps(table)


def _refused(text: str) -> str:
    with pytest.raises(VerificationError) as caught:
        parse_manifest(text, where="m.json")
    return caught.value.message


def test_a_manifest_is_read_as_it_was_written() -> None:
    assert parse_manifest(_TEXT, where="m.json") == _MANIFEST


def test_one_of_before_there_were_shards() -> None:
    text = _changed(lambda table: [table.pop(name) for name in ("shards", "sharing")])
    assert parse_manifest(text, where="m.json").shards == ()


def test_a_wheel_with_a_variant_label() -> None:
    name = "kern-1.2-cp311-cp311-linux_x86_64-x86_64_v4.whl"
    manifest = parse_manifest(_changed(lambda table: table["jobs"][0]["wheel"].update(name=name)), where="m.json")
    assert manifest.jobs[0].wheel is not None
    assert manifest.jobs[0].wheel.name == name


def test_what_a_later_wheelkiln_adds_is_left_out() -> None:
    assert parse_manifest(_changed(lambda table: table.update(later=1)), where="m.json") == _MANIFEST


@pytest.mark.parametrize("text", ["", "{", "7", "[]", "null", "{}", '{"format": "1"}', "[" * 100_000, "9" * 5000])
def test_what_is_no_manifest(text: str) -> None:
    assert _refused(text).startswith("m.json is not ")


def test_one_of_another_format() -> None:
    assert _refused(_changed(lambda table: table.update(format=99))) == "m.json was written by a newer wheelkiln"
    assert _refused(_changed(lambda table: table.update(format=1))) == "m.json was written by an older wheelkiln"


def _of_source(**values: Any) -> Callable[[dict[str, Any]], Any]:
    return lambda table: table["sources"][0].update(values)


def _of_wheel(**values: Any) -> Callable[[dict[str, Any]], Any]:
    return lambda table: table["jobs"][0]["wheel"].update(values)


def _of_job(**values: Any) -> Callable[[dict[str, Any]], Any]:
    return lambda table: table["jobs"][0].update(values)


def _of_made(**values: Any) -> Callable[[dict[str, Any]], Any]:
    return lambda table: table["jobs"][0]["made"].update(values)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda table: table.pop("jobs"), "jobs: Field required"),
        (lambda table: table.update(jobs={}), "jobs: Input should be"),
        (_of_source(project="a/../b"), "sources: 'a/../b' is not a normalised name"),
        (_of_source(version="../1"), "sources: '../1' is not a version"),
        (_of_source(digest=7), "sources.0.digest: Input should be a valid string"),
        (_of_job(version="1.3"), "'cp311-manylinux_x86_64' is of none of the sources"),
        (lambda table: table.update(seconds=float("inf")), "seconds"),
        (lambda table: table.update(shards=[_SHARD | {"number": 3}]), "there is no shard 3/2"),
        (lambda table: table.update(shards=[_SHARD | {"count": 10**12}]), "there is no shard 1/1000000000000"),
        (lambda table: table.update(shards=[_SHARD | {"plan": "x"}]), "of 'x'"),
        (lambda table: table.update(shards=[_SHARD | {"jobs": "x"}]), "shards.0.jobs: Input should be"),
        (lambda table: table["jobs"].append(table["jobs"][0]), "'cp311-manylinux_x86_64' is there twice"),
        (_of_job(identifier="../../x"), "'../../x' is not a build identifier"),
        (_of_job(identifier="cp3x-manylinux"), "is not a build identifier"),
        (_of_job(status="done"), "jobs.0.status: Input should be"),
        (_of_job(status="failed"), "it is failed, and has a wheel"),
        (_of_job(wheel=None), "it is built, and has no wheel"),
        (_of_job(seconds=float("nan")), "seconds"),
        (_of_job(covered_by="../x.whl"), "'../x.whl' is not a wheel's file name"),
        (_of_made(started=2), "'cp311-manylinux_x86_64': the run that built it is none that can be"),
        (_of_made(started=-1), "the run that built it is none that can be"),
        (_of_made(finished=10**15), "the run that built it is none that can be"),
        (_of_made(builder="urn:a\nb"), "the run that built it is none that can be"),
        (_of_made(started="1"), "jobs.0.made.started: Input should be"),
        (_of_wheel(name="/etc/passwd"), "is not a wheel's file name"),
        (_of_wheel(name="kern-1.2-cp311-cp311-../../x.whl"), "is not a wheel's file name"),
        (_of_wheel(name="kern-1.2-cp311-cp311-a\n.whl"), "is not a wheel's file name"),
        (_of_wheel(sha256="A" * 64), "is not a SHA-256"),
        (_of_wheel(sha256=7), "jobs.0.wheel.sha256: Input should be a valid string"),
        (_of_wheel(size="2048"), "jobs.0.wheel.size: Input should be a valid integer"),
    ],
)
def test_what_a_manifest_cannot_hold(change: Callable[[dict[str, Any]], Any], told: str) -> None:
    message = _refused(_changed(change))
    assert message.startswith("m.json is not a valid manifest:\n  ")
    assert told in message


def test_faults_beyond_the_tenth_are_counted() -> None:
    lines = _refused(_changed(lambda table: table.update(jobs=[7] * 30))).splitlines()
    assert len(lines) == 12
    assert lines[-1] == "  and 20 more"
