from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tests.values import make_job
from wheelkiln.plan.cut import Cut, cut_jobs
from wheelkiln.plan.model import Job

_TAGS = ("cp310", "cp311", "cp312", "cp313")


def _jobs(*pythons: str, platform: str = "manylinux_x86_64", estimate: float | None = None) -> list[Job]:
    return [make_job(f"{tag}-{platform}", estimate=estimate) for tag in pythons or _TAGS]


def _pythons(cut: Cut) -> list[list[str]]:
    return [[job.partition("-")[0] for job in shard.jobs] for shard in cut.shards]


def _seconds(jobs: Sequence[Job], **seconds: float) -> list[Job]:
    return [replace(job, estimate=seconds.get(job.python)) for job in jobs]


def test_without_history_every_shard_has_as_many_jobs() -> None:
    cut = cut_jobs(_jobs(), 2, by_history=False)
    assert _pythons(cut) == [["cp310", "cp311"], ["cp312", "cp313"]]
    assert [shard.number for shard in cut.shards] == [1, 2]
    assert [shard.seconds for shard in cut.shards] == [None, None]


def test_history_balances_the_time() -> None:
    jobs = _seconds(_jobs(), cp310=30.0, cp311=10.0, cp312=10.0, cp313=10.0)
    cut = cut_jobs(jobs, 2, by_history=True)
    assert _pythons(cut) == [["cp310"], ["cp311", "cp312", "cp313"]]
    assert [shard.seconds for shard in cut.shards] == [30.0, 30.0]


def test_without_history_what_this_machine_knows_changes_the_seconds_alone() -> None:
    jobs = _seconds(_jobs(), cp310=30.0, cp311=10.0, cp312=10.0, cp313=10.0)
    cut = cut_jobs(jobs, 2, by_history=False)
    assert cut.id == cut_jobs(_jobs(), 2, by_history=False).id
    assert [shard.seconds for shard in cut.shards] == [40.0, 20.0]


def test_a_job_that_is_not_known_takes_as_long_as_its_like() -> None:
    slow = _seconds(_jobs(platform="manylinux_aarch64"), cp310=100.0, cp311=100.0)
    fast = _seconds(_jobs(), cp310=10.0)
    other = _jobs("cp312", platform="musllinux_x86_64")
    cut = cut_jobs([*fast, *slow, *other], 1, by_history=True)
    assert cut.shards[0].seconds == 4 * 10 + 4 * 100 + 10  # the last as others of its architecture


def test_jobs_that_share_a_compile_cache_stay_together_where_that_costs_nothing() -> None:
    jobs = [*_jobs(), *_jobs(platform="musllinux_x86_64"), *_jobs(platform="manylinux_aarch64")]
    for count in (2, 3):
        cut = cut_jobs(jobs, count, by_history=False)
        homes = [{job.partition("-")[2] for job in shard.jobs} for shard in cut.shards]
        assert sum(len(kinds) for kinds in homes) == (3 if count == 3 else 4)


def test_together_is_given_up_where_it_would_cost_time() -> None:
    jobs = [
        *_jobs(estimate=10.0),
        *_jobs("cp310", "cp311", platform="musllinux_x86_64", estimate=10.0),
    ]
    cut = cut_jobs(jobs, 3, by_history=True)
    assert [shard.seconds for shard in cut.shards] == [20.0, 20.0, 20.0]


def test_wheels_that_could_have_one_name_are_made_by_one_shard() -> None:
    jobs = [
        replace(job, id=f"{job.id}@{variant}", variant=variant) for job in _jobs() for variant in ("avx2", "avx512")
    ]
    cut = cut_jobs(jobs, 3, by_history=False)
    for shard in cut.shards:
        identifiers = [job.partition("@")[0] for job in shard.jobs]
        assert all(identifiers.count(name) == 2 for name in identifiers)


def test_more_shards_than_jobs_leaves_some_empty() -> None:
    cut = cut_jobs(_jobs("cp310"), 3, by_history=False)
    assert _pythons(cut) == [["cp310"], [], []]
    assert cut_jobs([], 2, by_history=True).shards[1].jobs == ()


def test_the_id_tells_where_each_job_is_and_nothing_else() -> None:
    jobs = _jobs()
    whole = cut_jobs(jobs, 2, by_history=False)
    assert whole.id == cut_jobs(list(reversed(jobs)), 2, by_history=False).id
    assert whole.id != cut_jobs(jobs[:3], 2, by_history=False).id
    assert whole.id != cut_jobs(jobs, 3, by_history=False).id
