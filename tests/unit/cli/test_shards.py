from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from tests.values import make_host, make_inputs, make_request
from wheelkiln.build.editions import RunRequest
from wheelkiln.cli.shards import take_asked_shard
from wheelkiln.errors import UsageProblem
from wheelkiln.plan.cut import cut_jobs
from wheelkiln.plan.make import make_plan
from wheelkiln.plan.matrix import make_document

_PYTHONS = {"python": ["cp310", "cp311", "cp312"]}


def _run(cwd: Path = Path("/"), estimates: Mapping[str, float] | None = None) -> RunRequest:
    host = make_host(cwd=cwd)
    return RunRequest((make_request(make_inputs(_PYTHONS, estimates=estimates or {}, host=host)),))


def _pythons(shard: str, plan_file: str | None = None, cwd: Path = Path("/")) -> list[str]:
    run, _ = take_asked_shard(_run(cwd), shard, Path(plan_file) if plan_file else None)
    return [job.python for job in run.jobs]


def test_all_is_left_where_no_shard_is_asked_for() -> None:
    run = _run()
    assert take_asked_shard(run, None, None) == (run, ())


def test_what_one_machine_knows_does_not_count() -> None:
    here, there = _run(), _run(estimates={"cp312-manylinux_x86_64": 900.0})
    (one, shard), (other, other_shard) = (take_asked_shard(run, "1/2", None) for run in (here, there))
    assert shard == other_shard
    assert [job.id for job in one.jobs] == [job.id for job in other.jobs]


def test_every_shard_of_a_plan_that_was_made_elsewhere(tmp_path: Path) -> None:
    plan = make_plan(make_inputs(_PYTHONS))
    jobs = [replace(job, estimate=90.0 if job.python == "cp310" else 1.0) for job in plan.jobs]
    document = make_document([plan], cut_jobs(jobs, 2, by_history=True).shards)
    (tmp_path / "plan.json").write_text(json.dumps(asdict(document), default=str))
    assert _pythons("1/2", "plan.json", tmp_path) == ["cp310"]
    assert _pythons("2/2", "plan.json", tmp_path) == ["cp311", "cp312"]
    with pytest.raises(UsageProblem, match=r"plan\.json has 2 shards"):
        _pythons("1/3", "plan.json", tmp_path)
    with pytest.raises(UsageProblem, match="No such file"):
        _pythons("1/2", "nowhere.json", tmp_path)


def test_a_shard_may_be_empty(capsys: pytest.CaptureFixture[str]) -> None:
    run, (shard,) = take_asked_shard(_run(), "4/4", None)
    assert run.jobs == ()
    assert (shard.number, shard.count) == (4, 4)
    assert capsys.readouterr().err == "shard 4/4 has nothing to build\n"


def test_a_plan_without_jobs_has_no_shards() -> None:
    run = RunRequest((make_request(make_inputs({"python": ["cp399"]})),))
    assert take_asked_shard(run, "1/2", None) == (run, ())


def test_a_plan_without_a_shard() -> None:
    with pytest.raises(UsageProblem, match="--plan needs --shard"):
        take_asked_shard(_run(), None, Path("plan.json"))
