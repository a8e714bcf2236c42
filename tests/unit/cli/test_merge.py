from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from tests.archives import write_wheel
from tests.fakes import Answer, FakeRunner
from tests.values import make_inputs, make_request
from wheelkiln.build.editions import RunRequest
from wheelkiln.build.outcome import Outcome, RunResult, Status, WheelFile
from wheelkiln.cli import merge
from wheelkiln.errors import BuildError, UsageProblem, VerificationError
from wheelkiln.plan.cut import cut_jobs
from wheelkiln.plan.shards import ShardChoice, take_shard
from wheelkiln.report.manifest import MANIFEST_NAME, ManifestShard, make_manifest, write_manifest_text
from wheelkiln.system.files import sha256_of

_WHOLE = make_request(make_inputs({"python": ["cp311", "cp312"]}))


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WHEELKILN_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path


def _shard(number: int, **changes: Any) -> Path:
    """Write what the K-th of two shards leaves in its output directory."""
    directory = Path(f"s{number}")
    cut = cut_jobs(_WHOLE.plan.jobs, 2, by_history=False)
    request = replace(_WHOLE, plan=take_shard(_WHOLE.plan, cut.numbers, ShardChoice(number, 2)))
    (job,) = request.plan.jobs
    path = write_wheel(directory, f"kern-1.2-{job.python}-{job.python}-manylinux_2_17_x86_64.whl")
    outcome = Outcome(job, Status.BUILT, 1.0, WheelFile(path.name, sha256_of(path), path.stat().st_size))
    result = RunResult((replace(outcome, **changes),), (), 1.0)
    manifest = make_manifest(
        RunRequest((request,)), result, version="0.1.0", shards=(ManifestShard(number, 2, cut.id, (job.id,)),)
    )
    (directory / MANIFEST_NAME).write_text(write_manifest_text(manifest))
    return directory


def _merge(*arguments: str) -> Result:
    return CliRunner().invoke(merge.command, list(arguments), catch_exceptions=False, standalone_mode=False)


def _merge_with_fakes(*places: Path, target: Path = Path("out"), allow_missing: bool = False) -> Path:
    target = target.resolve()
    runner = FakeRunner({"python -m auditwheel show --json": Answer('{"overall_tag": "manylinux_2_17_x86_64"}')})
    resolved = tuple(place.resolve() for place in places)
    merging = merge.Merging(resolved, target, Path("locks").resolve(), runner, allow_missing=allow_missing)
    merge.merge_directories(merging)
    return target


def _listed(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def test_two_shards_are_one_wheelhouse() -> None:
    out = _merge_with_fakes(_shard(1), _shard(2))
    manifest = json.loads((out / MANIFEST_NAME).read_text())
    assert sorted(_listed(out)) == [
        "kern-1.2-cp311-cp311-manylinux_2_17_x86_64.whl",
        "kern-1.2-cp312-cp312-manylinux_2_17_x86_64.whl",
        MANIFEST_NAME,
    ]
    assert [shard["number"] for shard in manifest["shards"]] == [1, 2]


def test_merging_into_one_of_the_directories_and_again() -> None:
    one, two = _shard(1), _shard(2)
    first = _listed(_merge_with_fakes(one, two, target=one))
    assert first == _listed(_merge_with_fakes(one, two))
    assert first == _listed(_merge_with_fakes(one, two, target=one))
    assert first == _listed(_merge_with_fakes(two, one, target=one))


def test_nothing_is_made_where_a_shard_is_missing(place: Path) -> None:
    with pytest.raises(VerificationError, match="not all shards are there: 2/2"):
        _merge_with_fakes(_shard(1))
    assert not (place / "out").exists()
    out = _merge_with_fakes(Path("s1"), allow_missing=True)
    assert json.loads((out / MANIFEST_NAME).read_text())["skipped"][0]["detail"] == "it belongs to shard 2/2"


def test_a_wheel_that_is_not_in_the_manifest_stays_where_it_is() -> None:
    one, two = _shard(1), _shard(2)
    write_wheel(one, "kern-1.1-cp311-cp311-manylinux_2_17_x86_64.whl")
    assert "kern-1.1-cp311-cp311-manylinux_2_17_x86_64.whl" not in _listed(_merge_with_fakes(one, two))


def test_the_same_directory_twice_counts_once() -> None:
    _shard(1, status=Status.FAILED, wheel=None, message="no header")
    _shard(2, status=Status.FAILED, wheel=None)
    with pytest.raises(BuildError) as caught:
        _merge("s1", "s2", "./s1", "-o", "out")
    assert caught.value.message == (
        "2 of 2 jobs failed:\n  cp311-manylinux_x86_64: no header\n  cp312-manylinux_x86_64: "
    )


@pytest.mark.parametrize(("status", "expected"), [(Status.FAILED, BuildError), (Status.REJECTED, VerificationError)])
def test_a_job_that_failed_ends_as_its_build_did(status: Status, expected: type[Exception], place: Path) -> None:
    for number in (1, 2):
        _shard(number, status=status, wheel=None)
    result = CliRunner().invoke(merge.command, ["s1", "s2", "-o", "out"], standalone_mode=False)
    assert type(result.exception) is expected
    assert result.stdout == f"0 wheels in {place}/out, of 2 directories:\n"
    assert (place / "out" / MANIFEST_NAME).is_file()


def test_the_manifest_on_stdout(place: Path) -> None:
    for number in (1, 2):
        _shard(number, status=Status.FAILED, wheel=None)
    result = CliRunner().invoke(merge.command, ["s1", "s2", "-o", "out", "--format", "json"], standalone_mode=False)
    assert json.loads(result.stdout) == json.loads((place / "out" / MANIFEST_NAME).read_text())


def test_what_is_no_output_directory_is_named(place: Path) -> None:
    (place / "empty").mkdir()
    for name in ("empty", "nowhere"):
        with pytest.raises(UsageProblem, match=f"there is no {place}/{name}/{MANIFEST_NAME}"):
            _merge(name, "-o", "out")
    (place / "empty" / MANIFEST_NAME).write_text("{")
    with pytest.raises(VerificationError, match=f"{place}/empty/{MANIFEST_NAME} is not JSON"):
        _merge("empty", "-o", "out")
    with (place / "empty" / MANIFEST_NAME).open("wb") as file:
        file.truncate(1 << 30)
    with pytest.raises(VerificationError, match="is larger than any manifest"):
        _merge("empty", "-o", "out")
