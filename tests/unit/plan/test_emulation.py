from __future__ import annotations

import pytest

from tests.values import make_host, make_inputs, make_interpreter
from wheelkiln.plan.emulation import TimedBuild, measure_slowdowns
from wheelkiln.plan.make import make_plan

EMULATING = make_host(emulated=frozenset({"aarch64"}))


def test_the_cost_is_the_middle_of_what_was_measured() -> None:
    builds = [
        TimedBuild("kern 1 cp311", "x86_64", 10.0, emulated=False),
        TimedBuild("kern 1 cp311", "x86_64", 12.0, emulated=False),
        TimedBuild("kern 1 cp311", "aarch64", 55.0, emulated=True),
        TimedBuild("kern 1 cp312", "x86_64", 10.0, emulated=False),
        TimedBuild("kern 1 cp312", "aarch64", 90.0, emulated=True),
        TimedBuild("other 1 cp312", "aarch64", 900.0, emulated=True),
    ]
    assert measure_slowdowns(builds) == {"aarch64": 7.0}
    assert measure_slowdowns([]) == {}


@pytest.mark.parametrize(
    ("slowdowns", "cost"),
    [({}, "several times as long as native ones"), ({"aarch64": 6.5}, "about 6.5 times as long as native ones")],
)
def test_what_is_emulated_is_announced_with_its_cost(slowdowns: dict[str, float], cost: str) -> None:
    inputs = make_inputs({"arch": ["x86_64", "aarch64"], "python": ["cp312"]}, host=EMULATING, slowdowns=slowdowns)
    (notice,) = make_plan(inputs).notices
    assert notice.code == "emulated"
    assert f"1 job will take {cost}" in notice.message


def test_with_a_machine_of_that_architecture_nothing_is_emulated() -> None:
    hosts = {"graviton": {"docker": "graviton", "arch": ["aarch64"]}}
    inputs = make_inputs({"arch": ["aarch64"], "python": ["cp312"], "hosts": hosts})
    plan = make_plan(inputs)
    assert [(job.id, job.emulated) for job in plan.jobs] == [("cp312-manylinux_aarch64", False)]
    assert plan.notices == ()


def test_a_bootstrap_base_needs_an_interpreter_of_the_hosts_architecture() -> None:
    hosts = {"graviton": {"docker": "graviton", "arch": ["aarch64"]}}
    table = {"arch": ["aarch64"], "python": ["cp312"], "hosts": hosts, "image": {"base": "bootstrap"}}
    (skipped,) = make_plan(make_inputs(table, interpreters=(make_interpreter(),))).skipped
    assert "cpython-3.12-linux-aarch64-gnu" in skipped.detail
