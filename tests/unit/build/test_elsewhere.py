from __future__ import annotations

from tests.values import make_inputs
from wheelkiln.build.elsewhere import is_made_elsewhere
from wheelkiln.plan.make import make_plan
from wheelkiln.plan.shards import ShardChoice, take_shard

_PLAN = make_plan(make_inputs({"libc": ["manylinux", "musllinux"]}))
_NUMBERS = {job.id: 1 if job.python in ("cp310", "cp313") else 2 for job in _PLAN.jobs}
_SECOND = take_shard(_PLAN, _NUMBERS, ShardChoice(2, 2))
_CP311, _CP312 = _SECOND.jobs[:2]


def test_an_abi3_wheel_that_serves_an_earlier_python_is_the_other_shards() -> None:
    assert is_made_elsewhere(_SECOND, _CP311, "kern-1.2-cp310-abi3-manylinux_2_17_x86_64.whl")
    assert is_made_elsewhere(_SECOND, _CP312, "kern-1.2-py3-none-manylinux_2_17_x86_64.whl")


def test_one_that_serves_none_of_those_is_ours() -> None:
    assert not is_made_elsewhere(_SECOND, _CP311, "kern-1.2-cp311-cp311-manylinux_2_17_x86_64.whl")
    assert not is_made_elsewhere(_SECOND, _CP311, "kern-1.2-cp311-abi3-manylinux_2_17_x86_64.whl"), "cp313 is later"
    assert not is_made_elsewhere(_PLAN, _CP311, "kern-1.2-cp310-abi3-manylinux_2_17_x86_64.whl"), "no shard"


def test_the_platform_counts() -> None:
    assert not is_made_elsewhere(_SECOND, _CP311, "kern-1.2-cp310-abi3-musllinux_1_2_x86_64.whl")
