"""Wheels of a stable ABI that nothing declares, in runs whose jobs end in any order."""

from __future__ import annotations

import threading
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.fakes import Call, FakeCibuildwheel
from tests.unit.build.test_run import Machine
from tests.values import make_inputs
from wheelkiln.build.outcome import JobEnded, RunResult, Said
from wheelkiln.plan.shards import ShardChoice, take_shard

_STABLE = "kern-1.2-cp310-abi3-manylinux_2_17_x86_64.whl"
_PYTHONS = ("cp310", "cp311", "cp312")
_SECONDS = 30


class Order:
    """Has jobs end in an order; those that are not in it end when they like."""

    def __init__(self, *pythons: str) -> None:
        self._pythons = pythons
        self._ended = {python: threading.Event() for python in pythons}

    def during(self, call: Call) -> None:
        python = call.option("--only").partition("-")[0]
        if python in self._ended:
            before = self._pythons[: self._pythons.index(python)]
            assert all(self._ended[other].wait(_SECONDS) for other in before)

    def __call__(self, event: object) -> None:
        """A job whose wheel is held back has not ended, and says so."""
        text = event.text if isinstance(event, Said) else event.outcome.job.id if isinstance(event, JobEnded) else ""
        for python, ended in self._ended.items():
            if text.startswith(python):
                ended.set()


def _machine(root: Path, order: Sequence[str] = (), *, jobs: int = 3, broken: Sequence[str] = ()) -> Machine:
    names = {f"{python}-manylinux_x86_64": [_STABLE] for python in _PYTHONS}
    fake = FakeCibuildwheel(
        wheels=names,
        broken=frozenset(f"{python}-manylinux_x86_64" for python in broken),
        files=lambda call: {"kern/who.txt": call.option("--only").encode()},
    )
    machine = Machine(root, fake, make_inputs({"python": list(_PYTHONS), "jobs": jobs}))
    if order:
        timing = Order(*order)
        fake.during = timing.during
        machine.listener = timing
    return machine


def _builder(root: Path) -> str:
    with zipfile.ZipFile(root / "wheelhouse" / _STABLE) as archive:
        return archive.read("kern/who.txt").decode().partition("-")[0]


def _statuses(result: RunResult) -> list[str]:
    return [outcome.status.value for outcome in result.outcomes]


@pytest.mark.parametrize(
    "order", [("cp310", "cp311", "cp312"), ("cp312", "cp311", "cp310"), ("cp311", "cp310", "cp312")]
)
def test_that_of_the_earliest_python_lands_whoever_ends_first(tmp_path: Path, order: Sequence[str]) -> None:
    machine = _machine(tmp_path, order)
    assert _statuses(machine.run()) == ["built", "covered", "covered"]
    assert _builder(tmp_path) == "cp310"
    assert machine.wheels == [_STABLE]
    assert not list((tmp_path / "cache/runs").glob("*/*/held")), "what was held back is gone"
    again = machine.run()
    assert (_statuses(again), machine.fake.built) == (["reused", "covered", "covered"], [])


def test_as_one_job_at_a_time_does(tmp_path: Path) -> None:
    machine = _machine(tmp_path, jobs=1)
    assert _statuses(machine.run()) == ["built", "covered", "covered"]
    assert (_builder(tmp_path), len(machine.fake.built)) == ("cp310", 1)


@pytest.mark.parametrize("order", [("cp310", "cp311", "cp312"), ("cp312", "cp311", "cp310")])
def test_where_it_fails_the_next_one_lands(tmp_path: Path, order: Sequence[str]) -> None:
    machine = _machine(tmp_path, order, broken=["cp310"])
    assert _statuses(machine.run()) == ["failed", "built", "covered"]
    assert _builder(tmp_path) == "cp311"


def test_a_later_run_that_builds_it_gives_it_its_place(tmp_path: Path) -> None:
    machine = _machine(tmp_path, ("cp310", "cp311", "cp312"), broken=["cp310"])
    machine.run()
    repaired = _machine(tmp_path)
    result = repaired.run()
    assert _statuses(result) == ["built", "covered", "covered"]
    assert "cp311-manylinux_x86_64" not in repaired.fake.built, "it was at hand, and waited"
    assert _builder(tmp_path) == "cp310"


def test_one_that_fails_again_leaves_what_was_there(tmp_path: Path) -> None:
    _machine(tmp_path, ("cp310", "cp311", "cp312"), broken=["cp310"]).run()
    again = _machine(tmp_path, broken=["cp310"])
    assert _statuses(again.run()) == ["failed", "reused", "covered"]
    assert _builder(tmp_path) == "cp311"
    assert "cp311-manylinux_x86_64" not in again.fake.built


def test_a_wheel_that_is_removed_while_it_waits_is_told(tmp_path: Path) -> None:
    _machine(tmp_path, ("cp310", "cp311", "cp312"), broken=["cp310"]).run(store=False)
    again = _machine(tmp_path, ("cp311", "cp310"), broken=["cp310"])
    inner = again.fake.during

    def remove(call: Call) -> None:
        inner(call)
        if "cp310" in call.option("--only"):
            (tmp_path / "wheelhouse" / _STABLE).unlink()

    again.fake.during = remove
    failed, gone, _ = again.run(store=False).outcomes
    assert (failed.status, gone.status) == ("failed", "failed")
    assert gone.message == "the wheel of its last build was removed during the run"


def test_an_interrupted_run_lands_nothing_out_of_turn(tmp_path: Path) -> None:
    machine = _machine(tmp_path, ("cp312", "cp310"))
    inner = machine.fake.during

    def interrupt(call: Call) -> None:
        inner(call)
        if "cp310" in call.option("--only"):
            raise KeyboardInterrupt

    machine.fake.during = interrupt
    with pytest.raises(KeyboardInterrupt):
        machine.run()
    assert machine.wheels == []
    assert not list((tmp_path / "cache/runs").glob("*/*/held"))
    machine = _machine(tmp_path)
    assert _statuses(machine.run()) == ["built", "covered", "covered"]
    assert _builder(tmp_path) == "cp310"


def test_a_shard_lands_what_the_whole_run_would(tmp_path: Path) -> None:
    machine = _machine(tmp_path, ("cp312", "cp310"))
    shard = take_shard(
        machine.request().plan,
        {"cp310-manylinux_x86_64": 1, "cp311-manylinux_x86_64": 2, "cp312-manylinux_x86_64": 1},
        ShardChoice(1, 2),
    )
    assert _statuses(machine.run(plan=shard)) == ["built", "covered"]
    assert _builder(tmp_path) == "cp310"
