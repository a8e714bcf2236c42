from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.values import make_facts, make_host, make_inputs, make_request
from wheelkiln.build.editions import RunRequest
from wheelkiln.build.outcome import Gate, GateVerdict, Outcome, RunResult, Status, WheelFile
from wheelkiln.build.request import BuildRequest
from wheelkiln.errors import VerificationError
from wheelkiln.image.provide import BuiltImage, Origin
from wheelkiln.plan.cut import cut_jobs
from wheelkiln.plan.model import Skipped, SkipReason
from wheelkiln.plan.shards import ShardChoice, take_shard
from wheelkiln.report.agreement import Part
from wheelkiln.report.joining import join_manifests
from wheelkiln.report.manifest import Manifest, ManifestShard, make_manifest

_MADE = make_request(make_inputs({"python": ["cp310", "cp311", "cp312", "cp399"]}))
_REFERENCES = dict.fromkeys(_MADE.plan.references, "localhost/x:1")
_WHOLE = replace(_MADE, plan=replace(_MADE.plan, references=_REFERENCES))
_CUT = cut_jobs(_WHOLE.plan.jobs, 3, by_history=False)
_PLAN = _CUT.id


def _wheel(python: str, digit: str = "a") -> WheelFile:
    return WheelFile(f"kern-1.2-{python}-{python}-manylinux_2_17_x86_64.whl", digit * 64, 2048)


def _shard(number: int, request: BuildRequest = _WHOLE, **outcome: Any) -> Part:
    """The K-th of three shards; each has one job, which is built unless told otherwise."""
    choice = ShardChoice(number, 3)
    request = replace(request, plan=take_shard(request.plan, _CUT.numbers, choice))
    outcomes = tuple(
        replace(Outcome(job, Status.BUILT, 2.0 * number, _wheel(job.python)), **outcome) for job in request.plan.jobs
    )
    image = BuiltImage("manylinux_2_28_x86_64", "localhost/x:1", "sha256:" + "c" * 64, Origin.BUILT, (), "gcc")
    shards = (ManifestShard(number, 3, _PLAN, _CUT.shards[number - 1].jobs),)
    result = RunResult(outcomes, (image,), float(number))
    manifest = make_manifest(RunRequest((request,)), result, version="0.1.0", shards=shards)
    return Part(Path(f"/s{number}"), manifest)


def _changed(part: Part, **changes: Any) -> Part:
    return replace(part, manifest=replace(part.manifest, **changes))


def _join(*parts: Part, allow_missing: bool = False) -> Manifest:
    return join_manifests(parts, allow_missing=allow_missing)[0]


_ALL = (_shard(1), _shard(2), _shard(3))


def test_the_shards_are_the_whole() -> None:
    joined = _join(*_ALL)
    assert [(job.id, job.status) for job in joined.jobs] == [
        ("cp310-manylinux_x86_64", "built"),
        ("cp311-manylinux_x86_64", "built"),
        ("cp312-manylinux_x86_64", "built"),
    ]
    assert [(skip.id, skip.reason) for skip in joined.skipped] == [("cp399-manylinux_x86_64", "unknown-identifier")]
    assert [(shard.number, shard.count, shard.plan) for shard in joined.shards] == [(n, 3, _PLAN) for n in (1, 2, 3)]
    assert joined.seconds == 3.0
    assert joined.sources == _ALL[0].manifest.sources
    assert len(joined.images) == 1


def test_the_order_of_the_directories_does_not_matter() -> None:
    assert all(_join(*order) == _join(*_ALL) for order in itertools.permutations(_ALL))


def test_merging_again_changes_nothing() -> None:
    joined = _join(*_ALL)
    assert _join(Part(Path("/out"), joined)) == joined
    assert _join(Part(Path("/s1"), joined), *_ALL[1:]) == joined


def test_a_missing_shard_is_named() -> None:
    with pytest.raises(VerificationError, match=r"not all shards are there: 2/3\n") as caught:
        _join(_ALL[0], _ALL[2])
    assert caught.value.exit_code == 8
    assert "--allow-missing merges what is there." in caught.value.hint


def test_what_a_missing_shard_has_stays_skipped_with_that_reason() -> None:
    joined, notices = join_manifests([_ALL[0], _ALL[2]], allow_missing=True)
    assert [job.id[:5] for job in joined.jobs] == ["cp310", "cp312"]
    assert {skip.id[:5]: skip.detail for skip in joined.skipped} == {
        "cp311": "it belongs to shard 2/3",
        "cp399": "cibuildwheel 4.3.3 does not know it",
    }
    assert [notice.message for notice in notices] == ["not there: 2/3"]
    assert _join(Part(Path("/out"), joined), _ALL[1]) == _join(*_ALL)


def test_a_shard_that_says_nothing_of_one_of_its_jobs_is_not_whole() -> None:
    """As after a run that tried again what had failed, and nothing else."""
    partial = _changed(_ALL[1], jobs=())
    with pytest.raises(VerificationError, match="cp311-manylinux_x86_64 of 2/3"):
        _join(_ALL[0], partial, _ALL[2])
    assert len(_join(_ALL[0], partial, _ALL[2], allow_missing=True).jobs) == 2
    assert _join(_ALL[0], partial, *_ALL[1:]) == _join(*_ALL)


def test_shards_of_different_plans_are_told_apart() -> None:
    other = _changed(_ALL[1], shards=(ManifestShard(2, 3, "e" * 64, ()),))
    with pytest.raises(VerificationError, match="not all shards are there of 2 plans: ") as caught:
        _join(_ALL[0], other, _ALL[2])
    assert "planned different jobs" in caught.value.hint
    assert "wheelkiln plan --shards N" in caught.value.hint


def test_whole_runs_of_two_machines_join_too() -> None:
    here = _changed(_ALL[0], shards=(), skipped=(), architecture="aarch64")
    there = _changed(_ALL[1], shards=(), skipped=(), tools={**_ALL[1].manifest.tools, "docker": "27.0"})
    joined = _join(here, there)
    assert joined.architecture == "aarch64, x86_64"
    assert joined.tools["docker"] == "26.1.5, 27.0"
    assert _join(Part(Path("/out"), joined), there) == joined


def _of_source(**values: Any) -> Callable[[Part], Part]:
    return lambda part: _changed(part, sources=tuple(replace(source, **values) for source in part.manifest.sources))


def _of_jobs(**values: Any) -> Callable[[Part], Part]:
    return lambda part: _changed(part, jobs=tuple(replace(job, **values) for job in part.manifest.jobs))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (_of_source(version="1.3"), "  project and version:\n    kern 1.2 in /s1, /s3\n    kern 1.3 in /s2"),
        (_of_source(project="other"), "  project and version:\n"),
        (
            _of_source(digest="e" * 64),
            f"  source (digest):\n    {'d' * 64} in /s1, /s3\n    {'e' * 64} in /s2",
        ),
        (_of_source(epoch=1), "  SOURCE_DATE_EPOCH:\n"),
        (_of_source(configuration="f" * 64), "  configuration (digest):\n"),
        (lambda part: _changed(part, tools={**part.manifest.tools, "cibuildwheel": "4.4"}), "  cibuildwheel:\n"),
        (lambda part: _changed(part, tools={**part.manifest.tools, "wheelkiln": "9"}), "  wheelkiln:\n"),
        (
            _of_jobs(image="localhost/x:2"),
            "  image of manylinux_x86_64 for kern 1.2 (default):\n"
            "    localhost/x:1 in /s1, /s3\n    localhost/x:2 in /s2",
        ),
    ],
)
def test_what_differs_is_told(change: Callable[[Part], Part], told: str) -> None:
    with pytest.raises(VerificationError, match="these directories do not belong together") as caught:
        _join(_ALL[0], change(_ALL[1]), _ALL[2])
    assert told in caught.value.message
    assert caught.value.exit_code == 8


def test_an_image_that_was_built_twice_is_a_notice() -> None:
    other = _changed(_ALL[1], images=(replace(_ALL[1].manifest.images[0], digest="sha256:" + "e" * 64),))
    joined, notices = join_manifests([_ALL[0], other, _ALL[2]], allow_missing=False)
    assert [notice.code for notice in notices] == ["image-contents"]
    assert len(joined.images) == 2


def test_one_name_for_two_wheels_is_refused_with_both_places() -> None:
    abi3 = WheelFile("kern-1.2-cp310-abi3-manylinux_2_17_x86_64.whl", "a" * 64, 2048)
    one, two = _shard(1, wheel=abi3), _shard(2, wheel=replace(abi3, sha256="b" * 64))
    with pytest.raises(VerificationError, match="different wheels") as caught:
        _join(one, two, _ALL[2])
    assert f"  {abi3.name}: {'a' * 64} in /s1, {'b' * 64} in /s2" in caught.value.message
    assert len(_join(one, _shard(2, wheel=abi3), _ALL[2]).jobs) == 3, "equal ones are one"


def test_two_names_for_one_job_are_refused() -> None:
    again = replace(_shard(1, wheel=_wheel("cp311")), place=Path("/again"))
    with pytest.raises(VerificationError, match="different wheels") as caught:
        _join(*_ALL, again)
    assert "  cp310-manylinux_x86_64: kern-1.2-cp311" in caught.value.message


def test_a_job_that_failed_stays_unless_it_was_built_elsewhere() -> None:
    failed = _shard(2, status=Status.FAILED, wheel=None, message="no header")
    joined = _join(_ALL[0], failed, _ALL[2])
    assert [(job.status, job.message) for job in joined.jobs][1] == ("failed", "no header")
    assert [job.status for job in _join(_ALL[0], replace(failed, place=Path("/x")), _ALL[1], _ALL[2]).jobs] == [
        "built"
    ] * 3


def test_a_python_that_is_left_to_another_shard_must_be_served() -> None:
    abi3 = "kern-1.2-cp310-abi3-manylinux_2_17_x86_64.whl"
    covered = _shard(2, status=Status.COVERED, wheel=None, covered_by=abi3)
    serving = _shard(1, wheel=WheelFile(abi3, "a" * 64, 1))
    assert _join(serving, covered, _ALL[2]).jobs[1].covered_by == abi3
    with pytest.raises(VerificationError, match="served by wheels that no directory has"):
        _join(_ALL[0], covered, _ALL[2])
    failed = _shard(1, status=Status.FAILED, wheel=None)
    assert _join(failed, covered, _ALL[2]).jobs[0].status == "failed"


def test_a_gate_that_failed_is_told() -> None:
    gate = Gate(GateVerdict.FAILED, 0.9, 1, 2)
    one = _changed(_ALL[0], cache=replace(_ALL[0].manifest.cache, gate=gate))
    joined, notices = join_manifests([one, *_ALL[1:]], allow_missing=False)
    assert [notice.message for notice in notices] == ["the cache gate of /s1 failed: 1 of 2 calls hit"]
    assert joined.cache.gate is None


def test_a_skip_of_one_machine_is_a_job_of_another() -> None:
    table = {"python": ["cp311"], "arch": ["x86_64", "aarch64"]}
    parts = []
    for place, emulated in (("/a", {"aarch64"}), ("/b", set())):
        request = make_request(make_inputs(table, host=make_host(emulated=frozenset(emulated))))
        outcomes = tuple(Outcome(job, Status.BUILT, wheel=_wheel("cp311")) for job in request.plan.jobs)
        manifest = make_manifest(RunRequest((request,)), RunResult(outcomes, (), 1.0), version="1")
        parts.append(Part(Path(place), manifest))
    assert [skip.reason for skip in parts[1].manifest.skipped] == ["no-emulator"]
    assert _join(*parts).skipped == ()


def test_pythons_are_in_their_own_order() -> None:
    request = make_request(make_inputs({"python": ["cp39", "cp310", "cp313", "cp313t"]}, facts=make_facts()))
    outcomes = tuple(Outcome(job, Status.BUILT, wheel=_wheel(job.python)) for job in reversed(request.plan.jobs))
    joined = _join(Part(Path("/a"), make_manifest(RunRequest((request,)), RunResult(outcomes, (), 1.0), version="1")))
    assert [job.id.partition("-")[0] for job in joined.jobs] == ["cp39", "cp310", "cp313", "cp313t"]


def _left_out(part: Part, reason: SkipReason = SkipReason.NOTHING_TO_RETRY) -> Part:
    """A whole run's manifest after --retry-failed: one job is told of, the others are not."""
    jobs = part.manifest.jobs
    skipped = tuple(Skipped(job.id, job.identifier, reason, "--retry-failed: its last build was good") for job in jobs)
    return _changed(part, jobs=jobs[:1], skipped=skipped[1:])


def test_what_a_retry_left_out_is_missed() -> None:
    retried = _left_out(_whole())
    with pytest.raises(VerificationError, match=r"not all jobs are there: cp311-manylinux_x86_64, cp312-") as caught:
        _join(retried)
    assert caught.value.hint is not None
    assert caught.value.hint.startswith("'build --retry-failed' left them out")
    assert [job.id for job in _join(retried, allow_missing=True).jobs] == ["cp310-manylinux_x86_64"]


def test_but_not_where_another_part_has_it() -> None:
    assert len(_join(_left_out(_whole()), replace(_whole(), place=Path("/other"))).jobs) == 3


def test_nor_where_it_was_never_to_be_built() -> None:
    assert len(_join(_left_out(_whole(), SkipReason.NOT_SELECTED)).jobs) == 1


def _whole() -> Part:
    outcomes = tuple(Outcome(job, Status.BUILT, 1.0, _wheel(job.python)) for job in _WHOLE.plan.jobs)
    manifest = make_manifest(RunRequest((_WHOLE,)), RunResult(outcomes, (), 1.0), version="0.1.0")
    return Part(Path("/whole"), manifest)
