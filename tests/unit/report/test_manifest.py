from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from tests.values import make_facts, make_inputs, make_request
from wheelkiln.build.configuration import digest_configuration
from wheelkiln.build.editions import RunRequest
from wheelkiln.build.outcome import Gate, GateVerdict, Outcome, RunResult, StageSeconds, Status, WheelFile
from wheelkiln.cache.remote_use import RemoteUse
from wheelkiln.cache.statistics import CompileStatistics
from wheelkiln.image.provide import BuiltImage, Origin
from wheelkiln.report.builder import Made
from wheelkiln.report.manifest import make_manifest, write_manifest_text

_FACTS = make_facts('[project]\nname = "kern"\nversion = "1.2"\n[tool.scikit-build]\nwheel.py-api = "cp311"\n')
_REQUEST = make_request(make_inputs({"python": ["cp311", "cp312", "cp314"]}, facts=_FACTS))
_JOB = _REQUEST.plan.jobs[0]
_WHEEL = WheelFile("kern-1.2-cp311-abi3-manylinux_2_17_x86_64.whl", "a" * 64, 2048)
_BUILT = Outcome(
    _JOB,
    Status.BUILT,
    seconds=12.0,
    wheel=_WHEEL,
    stages=(StageSeconds("compile", 9.0),),
    statistics=CompileStatistics(hits=1, uncacheable=(("x", 1),)),
    log=Path("/secret/place/build.log"),
    memory=190_000_000,
)
_IMAGE = BuiltImage(
    name=_JOB.image,
    reference=_REQUEST.plan.references[_JOB.image],
    digest="sha256:" + "c" * 64,
    origin=Origin.BUILT,
    tools=(("ccache", "4.13.6"),),
    toolchain="gcc 14.2.1 avx512bf16",
)
_RESULT = RunResult((_BUILT,), (_IMAGE,), 13.5)


def test_what_was_built_from_what() -> None:
    manifest = json.loads(write_manifest_text(make_manifest(RunRequest((_REQUEST,)), _RESULT, version="0.1.0")))
    assert {key: manifest[key] for key in ("format", "architecture", "seconds")} == {
        "format": 2,
        "architecture": "x86_64",
        "seconds": 13.5,
    }
    assert manifest["sources"] == [
        {
            "project": "kern",
            "version": "1.2",
            "variant": "default",
            "digest": "d" * 64,
            "epoch": 1_700_000_000,
            "size": 1000,
            "configuration": digest_configuration(_REQUEST),
        }
    ]
    assert manifest["tools"] == {"wheelkiln": "0.1.0", "cibuildwheel": "4.3.3", "docker": "26.1.5"}
    assert manifest["images"] == [
        {
            "name": "manylinux_2_28_x86_64",
            "reference": _IMAGE.reference,
            "digest": "sha256:" + "c" * 64,
            "base": "registry.example/pypa/manylinux_2_28_x86_64@sha256:" + "2" * 64,
            "toolchain": "gcc 14.2.1 avx512bf16",
            "tools": {"ccache": "4.13.6"},
        }
    ]
    assert manifest["jobs"] == [
        {
            "id": "cp311-manylinux_x86_64",
            "identifier": "cp311-manylinux_x86_64",
            "project": "kern",
            "version": "1.2",
            "variant": "default",
            "image": _IMAGE.reference,
            "status": "built",
            "wheel": {"name": _WHEEL.name, "sha256": "a" * 64, "size": 2048},
            "seconds": 12.0,
            "stages": [{"stage": "compile", "seconds": 9.0}],
            "statistics": {
                "hits": 1,
                "misses": 0,
                "probe_hits": 0,
                "probe_misses": 0,
                "uncacheable": [["x", 1]],
                "link_hits": 0,
                "link_misses": 0,
                "cython_hits": 0,
                "cython_misses": 0,
            },
            "covered_by": "",
            "message": "",
            "remote": None,
            "requirements": [],
            "from_store": False,
            "cold_rebuild": None,
            "memory": 190_000_000,
            "host": "",
            "emulated": False,
            "record": None,
            "attempts": 1,
            "findings": [],
            "made": None,
        }
    ]
    assert [skip["id"] for skip in manifest["skipped"]] == ["cp312-manylinux_x86_64", "cp314-manylinux_x86_64"]


def test_what_was_built_is_marked_with_the_run_and_what_was_reused_with_that_of_before() -> None:
    made, before = Made("urn:builder", "", "", "", 1, 2), Made("urn:before", "", "", "", 0, 1)
    outcomes = (_BUILT, replace(_BUILT, status=Status.REUSED), replace(_BUILT, status=Status.FAILED, wheel=None))
    result = replace(_RESULT, outcomes=outcomes)
    for earlier, reused in (({"a" * 64: before}, before), ({"b" * 64: before}, None), (None, None)):
        manifest = make_manifest(RunRequest((_REQUEST,)), result, version="0", made=made, earlier=earlier)
        assert [job.made for job in manifest.jobs] == [made, reused, None]


def test_a_skip_that_became_a_job_is_not_skipped() -> None:
    skipped = _REQUEST.plan.skipped[0]
    covered = Outcome(
        replace(_JOB, id=skipped.id, identifier=skipped.identifier), Status.COVERED, covered_by=_WHEEL.name
    )
    result = RunResult((_BUILT, covered), _RESULT.images, 1.0)
    manifest = make_manifest(RunRequest((_REQUEST,)), result, version="0")
    assert [(job.id, job.status, job.covered_by) for job in manifest.jobs] == [
        ("cp311-manylinux_x86_64", "built", ""),
        ("cp312-manylinux_x86_64", "covered", _WHEEL.name),
    ]
    assert [skip.id for skip in manifest.skipped] == ["cp314-manylinux_x86_64"]


def test_no_path_of_this_machine_is_in_it() -> None:
    text = write_manifest_text(make_manifest(RunRequest((_REQUEST,)), _RESULT, version="0"))
    assert "/secret" not in text
    assert "/var/kiln" not in text
    assert text.endswith("}\n")


def test_how_the_caches_were_used() -> None:
    use = RemoteUse(hits=2, failures=1, failed_in_a_row=1)
    result = replace(
        _RESULT,
        outcomes=(replace(_BUILT, remote=use),),
        gate=Gate(GateVerdict.FAILED, 0.9, 1, 2, ("cp311-manylinux_x86_64",)),
        remote="redis://h:6379",
    )
    manifest = json.loads(write_manifest_text(make_manifest(RunRequest((_REQUEST,)), result, version="0.1.0")))
    assert manifest["cache"] == {
        "mode": "read-write",
        "remote": "redis://h:6379",
        "gate": {
            "verdict": "failed",
            "min_hit_rate": 0.9,
            "hits": 1,
            "calls": 2,
            "jobs": ["cp311-manylinux_x86_64"],
            "reasons": [],
        },
    }
    assert manifest["jobs"][0]["remote"]["hits"] == 2
