from __future__ import annotations

import os
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from tests.fakes import Answer, Call, FakeCibuildwheel, FakeRunner, Script
from tests.values import IMAGE_ID, inspected_image, make_config, make_facts, make_inputs, make_request
from wheelkiln.build.editions import RunRequest
from wheelkiln.build.journal import Journal, RunState
from wheelkiln.build.outcome import Event, Gate, GateVerdict, JobEnded, JobStarted, RunResult, Said, Status
from wheelkiln.build.request import BuildRequest
from wheelkiln.build.run import run_build
from wheelkiln.build.runs import job_log
from wheelkiln.cache.store import store_of
from wheelkiln.config.remote import RemoteAddress
from wheelkiln.errors import EnvironmentProblem
from wheelkiln.image.memory import ImageMemory
from wheelkiln.image.provide import Origin
from wheelkiln.plan.features import Toolchain
from wheelkiln.plan.make import PlanInputs
from wheelkiln.plan.shards import ShardChoice, take_shard
from wheelkiln.system.files import sha256_of
from wheelkiln.system.locks import exclusive

_SEQUENTIAL = make_inputs({"python": ["cp311", "cp312"], "jobs": 1})
_CP311, _CP312 = "cp311-manylinux_x86_64", "cp312-manylinux_x86_64"


@dataclass
class Machine:
    """A machine with an engine that has the image, below one directory."""

    root: Path
    fake: FakeCibuildwheel = field(default_factory=FakeCibuildwheel)
    inputs: PlanInputs = field(default_factory=lambda: make_inputs({"python": ["cp311", "cp312"]}))
    docker: dict[str, Script] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    runner: FakeRunner = field(default_factory=FakeRunner)
    listener: Callable[[Event], None] = field(default=lambda _: None)

    def request(self, **changes: Any) -> BuildRequest:
        self.runner = FakeRunner(
            {
                "docker ps": Answer(""),
                "docker image inspect": Answer(inspected_image()),
                **self.docker,
                **self.fake.script(),
            }
        )
        return make_request(self.inputs, self.runner, self.root, **changes)

    def run(self, **changes: Any) -> RunResult:
        self.events.clear()
        self.fake.built.clear()
        return run_build(RunRequest((self.request(**changes),)), self._note, lambda _: None)

    def _note(self, event: Event) -> None:
        self.events.append(event)
        self.listener(event)

    @property
    def wheels(self) -> list[str]:
        return sorted(path.name for path in (self.root / "wheelhouse").iterdir())


def _statuses(result: RunResult) -> list[str]:
    return [outcome.status.value for outcome in result.outcomes]


def test_every_job_is_built_and_lands(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    result = machine.run()
    assert _statuses(result) == ["built", "built"]
    assert machine.wheels == [
        "kern-1.2-cp311-cp311-manylinux_2_17_x86_64.whl",
        "kern-1.2-cp312-cp312-manylinux_2_17_x86_64.whl",
    ]
    assert [(image.name, image.digest) for image in result.images] == [("manylinux_2_28_x86_64", IMAGE_ID)]
    assert result.failed == ()


def test_both_c_libraries_are_built_each_in_its_image(tmp_path: Path) -> None:
    machine = Machine(tmp_path, inputs=make_inputs({"python": ["cp312"], "libc": ["manylinux", "musllinux"]}))
    result = machine.run()
    assert _statuses(result) == ["built", "built"]
    assert machine.wheels == [
        "kern-1.2-cp312-cp312-manylinux_2_17_x86_64.whl",
        "kern-1.2-cp312-cp312-musllinux_1_2_x86_64.whl",
    ]
    assert [(image.name, image.origin) for image in result.images] == [
        ("manylinux_2_28_x86_64", Origin.PRESENT),
        ("musllinux_1_2_x86_64", Origin.PRESENT),
    ]


def test_a_stable_abi_wheel_serves_its_own_c_library_only(tmp_path: Path) -> None:
    names = [f"kern-1.2-cp311-abi3-{policy}_x86_64.whl" for policy in ("manylinux_2_17", "musllinux_1_2")]
    wheels = {_CP311: names[:1], "cp311-musllinux_x86_64": names[1:]}
    inputs = make_inputs({"python": ["cp311", "cp312"], "libc": ["manylinux", "musllinux"], "jobs": 1})
    machine = Machine(tmp_path, FakeCibuildwheel(wheels=wheels), inputs)
    assert [outcome.covered_by for outcome in machine.run().outcomes] == ["", names[0], "", names[1]]


def test_the_images_that_a_project_uses_are_remembered(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.run()
    reference = machine.request().plan.references["manylinux_2_28_x86_64"]
    memory = ImageMemory(tmp_path / "cache")
    assert memory.last_used(tmp_path / "project", "manylinux_2_28_x86_64") == reference
    assert memory.toolchain(reference) == Toolchain("gcc", "14.2.1", frozenset({"x86-64-v3", "avx512bf16"}))


def test_a_second_run_builds_nothing(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    first = machine.run()
    second = machine.run()
    assert _statuses(second) == ["reused", "reused"]
    assert machine.fake.built == []
    assert [outcome.wheel for outcome in second.outcomes] == [outcome.wheel for outcome in first.outcomes]


def test_fresh_builds_again(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.run()
    assert _statuses(machine.run(fresh=True)) == ["built", "built"]


def _spoil(machine: Machine) -> None:
    """Replace one wheel and remove the other; what a link shares with the store stays as it is."""
    for name in machine.wheels:
        (machine.root / "wheelhouse" / name).unlink()
    (machine.root / "wheelhouse/kern-1.2-cp311-cp311-manylinux_2_17_x86_64.whl").write_bytes(b"tampered")


def test_a_wheel_that_was_changed_or_removed_comes_from_the_store(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    first = machine.run()
    _spoil(machine)
    second = machine.run()
    assert _statuses(second) == ["reused", "reused"]
    assert [outcome.from_store for outcome in second.outcomes] == [True, True]
    assert machine.fake.built == []
    for outcome in first.outcomes:
        assert outcome.wheel is not None
        assert sha256_of(tmp_path / "wheelhouse" / outcome.wheel.name) == outcome.wheel.sha256
    assert [outcome.from_store for outcome in machine.run().outcomes] == [False, False]


def test_without_the_store_it_is_built_again(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.run()
    _spoil(machine)
    assert _statuses(machine.run(store=False)) == ["built", "built"]
    machine = Machine(tmp_path / "other")
    machine.run(store=False)
    assert store_of(tmp_path / "other/cache").wheels() == ()


def test_a_wheel_that_was_changed_in_place_is_built_again_although_the_store_shares_it(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.run()
    with (tmp_path / "wheelhouse/kern-1.2-cp311-cp311-manylinux_2_17_x86_64.whl").open("r+b") as wheel:
        wheel.write(b"tampered")
    assert _statuses(machine.run()) == ["built", "reused"]
    assert _statuses(machine.run()) == ["reused", "reused"]


def test_an_image_that_is_gone_is_not_needed_when_every_wheel_is_at_hand(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.run()
    _spoil(machine)
    machine.docker = {"docker image inspect": Answer(returncode=1)}
    result = machine.run()
    assert [outcome.from_store for outcome in result.outcomes] == [True, True]
    assert [(image.digest, image.origin) for image in result.images] == [(IMAGE_ID, Origin.REMEMBERED)]
    assert result.images[0].tools == (("ccache", "4.13.6"), ("gcc", "14.2.1"))
    assert [line for line in machine.runner.lines if not line.startswith(("docker ps", "docker image inspect"))] == []


def test_an_image_that_is_gone_is_provided_when_a_wheel_is_missing_and_nothing_is_brought_out_before(
    tmp_path: Path,
) -> None:
    machine = Machine(tmp_path)
    machine.run()
    _spoil(machine)
    store = store_of(tmp_path / "cache")
    store.remove(next(wheel for wheel in store.wheels() if "cp312" in wheel.path.name))
    machine.docker = {
        "docker image inspect": Answer(returncode=1),
        "docker buildx inspect": Answer("Name: default\nDriver: docker\nPlatforms: linux/amd64\n"),
        "docker buildx bake": Answer("ERROR: no\n", returncode=1),
    }
    with pytest.raises(EnvironmentProblem, match="could not be built"):
        machine.run()
    assert (tmp_path / "wheelhouse" / machine.wheels[0]).read_bytes() == b"tampered"


def test_another_image_under_the_same_name_is_another_build(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.run()
    machine.docker = {"docker image inspect": Answer(inspected_image().replace(IMAGE_ID, "sha256:" + "cd" * 32))}
    assert _statuses(machine.run()) == ["built", "built"]
    assert _statuses(machine.run()) == ["reused", "reused"]


def test_a_stable_abi_wheel_comes_from_the_store_for_all_that_it_serves(tmp_path: Path) -> None:
    machine = _stable(tmp_path, cp311="kern-1.2-cp311-abi3-manylinux_2_17_x86_64.whl")
    machine.run()
    (tmp_path / "wheelhouse/kern-1.2-cp311-abi3-manylinux_2_17_x86_64.whl").unlink()
    result = machine.run()
    assert _statuses(result) == ["reused", "covered"]
    assert result.outcomes[0].from_store


def test_the_store_keeps_to_its_limit(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.run(config=make_config({"cache": {"wheels-max-size": "0.001k"}}))
    assert store_of(tmp_path / "cache").wheels() == ()
    assert len(machine.wheels) == 2


def test_a_store_that_cannot_be_written_costs_a_message(tmp_path: Path) -> None:
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache/wheels").write_text("not a directory")
    machine = Machine(tmp_path)
    assert _statuses(machine.run()) == ["built", "built"]
    told = [event.text for event in machine.events if isinstance(event, Said)]
    assert len(told) == 2
    assert "could not be kept in the wheel store" in told[0]


def test_another_source_is_built(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.run()
    source = replace(machine.request().source, digest="e" * 64)
    assert _statuses(machine.run(source=source)) == ["built", "built"]


def test_a_failure_does_not_stop_the_others(tmp_path: Path) -> None:
    machine = Machine(tmp_path, FakeCibuildwheel(broken=frozenset({_CP311})))
    result = machine.run()
    assert _statuses(result) == ["failed", "built"]
    assert [outcome.job.id for outcome in result.failed] == [_CP311]
    assert machine.wheels == ["kern-1.2-cp312-cp312-manylinux_2_17_x86_64.whl"]


def test_the_run_after_a_failure_builds_only_what_is_missing(tmp_path: Path) -> None:
    machine = Machine(tmp_path, FakeCibuildwheel(broken=frozenset({_CP311})))
    machine.run()
    machine.fake.broken = frozenset()
    assert _statuses(machine.run()) == ["built", "reused"]
    assert machine.fake.built == [_CP311]


def test_events_tell_the_story(tmp_path: Path) -> None:
    machine = Machine(tmp_path, inputs=_SEQUENTIAL)
    machine.run()
    story = [
        (type(event).__name__, event.job.id if isinstance(event, JobStarted) else event.outcome.job.id)
        for event in machine.events
        if isinstance(event, JobStarted | JobEnded)
    ]
    assert story == [("JobStarted", _CP311), ("JobEnded", _CP311), ("JobStarted", _CP312), ("JobEnded", _CP312)]


def _stable(tmp_path: Path, **wheels: str) -> Machine:
    facts = make_facts('[project]\nname = "kern"\nversion = "1.2"\n[tool.scikit-build]\nwheel.py-api = "cp311"\n')
    fake = FakeCibuildwheel(wheels={f"{python}-manylinux_x86_64": [name] for python, name in wheels.items()})
    return Machine(tmp_path, fake, make_inputs({"python": ["cp311", "cp312"]}, facts=facts))


def test_a_stable_abi_wheel_serves_later_pythons(tmp_path: Path) -> None:
    machine = _stable(tmp_path, cp311="kern-1.2-cp311-abi3-manylinux_2_17_x86_64.whl")
    result = machine.run()
    assert _statuses(result) == ["built", "covered"]
    assert result.outcomes[1].covered_by == "kern-1.2-cp311-abi3-manylinux_2_17_x86_64.whl"
    assert machine.fake.built == [_CP311]
    assert _statuses(machine.run()) == ["reused", "covered"]


def test_a_wheel_that_turns_out_not_to_be_stable_does_not(tmp_path: Path) -> None:
    machine = _stable(tmp_path)
    assert _statuses(machine.run()) == ["built", "built"]
    assert machine.fake.built == [_CP311, _CP312]


def test_a_stable_abi_wheel_that_nobody_expected_serves_as_well(tmp_path: Path) -> None:
    wheels = {_CP311: ["kern-1.2-cp311-abi3-manylinux_2_17_x86_64.whl"]}
    machine = Machine(tmp_path, FakeCibuildwheel(wheels=wheels), _SEQUENTIAL)
    assert _statuses(machine.run()) == ["built", "covered"]


def test_containers_of_the_run_are_removed_at_its_end(tmp_path: Path) -> None:
    machine = Machine(tmp_path, docker={"docker ps -aq": Answer("abc\n"), "docker rm": Answer()})
    machine.run()
    run_id = next((tmp_path / "cache/runs").iterdir()).name
    assert machine.runner.lines[-2:] == [
        f"docker ps -aq --no-trunc --filter label=io.wheelkiln.run={run_id}",
        "docker rm --force --volumes abc",
    ]


def test_containers_are_removed_when_the_run_is_interrupted(tmp_path: Path) -> None:
    def interrupt(_: Call) -> None:
        raise KeyboardInterrupt

    docker: dict[str, Script] = {"docker ps -aq": Answer("abc\n"), "docker rm": Answer()}
    machine = Machine(tmp_path, FakeCibuildwheel(during=interrupt), docker=docker)
    with pytest.raises(KeyboardInterrupt):
        machine.run()
    assert machine.runner.lines[-1] == "docker rm --force --volumes abc"
    assert machine.wheels == []


def test_an_interrupted_run_keeps_what_had_landed(tmp_path: Path) -> None:
    def interrupt(call: Call) -> None:
        if call.option("--only") == _CP312:
            raise KeyboardInterrupt

    machine = Machine(tmp_path, FakeCibuildwheel(during=interrupt))
    with pytest.raises(KeyboardInterrupt):
        machine.run()
    machine.fake.during = lambda _: None
    assert _statuses(machine.run()) == ["reused", "built"]


def test_containers_of_dead_runs_of_this_cache_are_removed_and_of_living_and_foreign_ones_not(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.run()
    dead = next((tmp_path / "cache/runs").iterdir()).name
    owner = dead.partition("-")[0]
    alive = f"{owner}-alive"
    labels = "".join(f'"io.wheelkiln.run={run}"\n' for run in (dead, alive, "other-1"))
    machine.docker = {"docker ps -a --filter": Answer(labels), "docker ps -aq": Answer("abc"), "docker rm": Answer()}
    with exclusive(tmp_path / "cache/locks", f"run {alive}", on_wait=lambda: None):
        machine.run()
    asked = [line for line in machine.runner.lines if line.startswith("docker ps -aq")]
    assert f"docker ps -aq --no-trunc --filter label=io.wheelkiln.run={dead}" in asked
    assert not [line for line in asked if alive in line or "other-1" in line]


def test_an_engine_that_died_ends_the_run(tmp_path: Path) -> None:
    fake = FakeCibuildwheel(broken=frozenset({_CP311}))
    machine = Machine(tmp_path, fake, _SEQUENTIAL, docker={"docker ps -q": Answer(returncode=1)})
    with pytest.raises(EnvironmentProblem, match=f"docker stopped answering while {_CP311} was being built"):
        machine.run()
    assert fake.built == [_CP311]
    last = machine.events[-1]
    assert isinstance(last, JobEnded)
    assert last.outcome.status is Status.FAILED


def test_parts_that_a_killed_run_left_are_removed(tmp_path: Path) -> None:
    (tmp_path / "wheelhouse").mkdir()
    (tmp_path / "wheelhouse/.wheelkiln-x.part").write_bytes(b"half")
    (tmp_path / "cache/runs/0-dead/job/tmp").mkdir(parents=True)
    (tmp_path / "cache/runs/0-dead/job/build.log").write_text("x")
    (tmp_path / "cache/runs/0-dead/job/container-id").write_text("x")
    (tmp_path / "cache/runs/0-dead/jobserver").mkdir()
    os.mkfifo(tmp_path / "cache/runs/0-dead/jobserver/tokens")
    machine = Machine(tmp_path)
    machine.run()
    assert sorted(path.name for path in (tmp_path / "cache/runs").glob("0-dead/**/*")) == ["build.log", "job"]
    assert not list((tmp_path / "cache/runs").glob("*/jobserver"))
    assert not [name for name in machine.wheels if name.endswith(".part")]
    assert not (tmp_path / "cache/runs/0-dead/job/tmp").exists()
    assert (tmp_path / "cache/runs/0-dead/job/build.log").exists()


def test_the_logs_of_the_last_runs_are_kept(tmp_path: Path) -> None:
    for number in range(30):
        (tmp_path / f"cache/runs/0-{number:02d}").mkdir(parents=True)
    Machine(tmp_path).run()
    left = sorted(path.name for path in (tmp_path / "cache/runs").iterdir())
    assert [name for name in left if name.startswith("0-")] == [f"0-{number:02d}" for number in range(10, 30)]


def test_an_output_directory_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "wheelhouse").write_text("a file")
    with pytest.raises(EnvironmentProblem) as caught:
        Machine(tmp_path).run()
    assert "--output-dir" in caught.value.hint


def test_an_image_that_cannot_be_built_ends_the_run_before_any_job(tmp_path: Path) -> None:
    docker: dict[str, Script] = {
        "docker image inspect": Answer(returncode=1),
        "docker buildx inspect": Answer("Name: default\nDriver: docker\nPlatforms: linux/amd64\n"),
        "docker buildx bake": Answer("ERROR: no\n", returncode=1),
    }
    machine = Machine(tmp_path, docker=docker)
    with pytest.raises(EnvironmentProblem, match="could not be built"):
        machine.run()
    assert machine.fake.built == []
    assert next(event.text for event in machine.events if isinstance(event, Said)).startswith("building the image")


def test_estimates_of_the_next_plan_come_from_this_run(tmp_path: Path) -> None:
    from wheelkiln.build.ledger import ledger_of

    Machine(tmp_path).run()
    assert sorted(ledger_of(tmp_path / "cache").estimates("kern")) == [_CP311, _CP312]


def test_jobs_that_were_built_before_run_side_by_side(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.run()
    both = threading.Barrier(2)

    def meet(_: Call) -> None:
        both.wait(20)

    machine.fake.during = meet
    result = machine.run(fresh=True)
    assert _statuses(result) == ["built", "built"], "each waited for the other to be running"


def test_jobs_that_compile_serially_run_side_by_side_and_are_told_their_share(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    both = threading.Barrier(2)
    told: list[str] = []

    def meet(call: Call) -> None:
        told.append(Path(call.option("--config-file")).read_text())
        both.wait(20)

    machine.fake.during = meet
    assert _statuses(machine.run()) == ["built", "built"], "each waited for the other to be running"
    assert all('"--env=MAX_JOBS=2"' in text for text in told), "the machine has four cores"


def test_one_job_at_a_time_where_that_is_asked_for(tmp_path: Path) -> None:
    machine = Machine(tmp_path, inputs=_SEQUENTIAL)
    running: list[str] = []

    def alone(call: Call) -> None:
        running.append(call.option("--only"))
        assert len(running) == 1
        assert "MAX_JOBS" not in Path(call.option("--config-file")).read_text()
        running.clear()

    machine.fake.during = alone
    assert _statuses(machine.run()) == ["built", "built"]


def test_jobs_that_ask_for_cores_get_the_jobserver(tmp_path: Path) -> None:
    text = '[build-system]\nrequires = ["meson-python"]\nbuild-backend = "mesonpy"\n'
    facts = make_facts(f'{text}[project]\nname = "kern"\nversion = "1.2"\n')
    machine = Machine(tmp_path, inputs=make_inputs({"python": ["cp311", "cp312"]}, facts=facts))
    machine.docker = {"docker image inspect": Answer(inspected_image(versions="make 4.3; ninja 1.13.2"))}

    def look(call: Call) -> None:
        config = Path(call.option("--config-file")).read_text()
        assert '"--env=MAKEFLAGS= -j4 --jobserver-auth=fifo:/opt/wheelkiln/mnt/jobserver/tokens"' in config
        assert "target=/opt/wheelkiln/mnt/jobserver,readonly" in config
        assert "CMAKE_BUILD_PARALLEL_LEVEL" not in config

    machine.fake.during = look
    assert _statuses(machine.run()) == ["built", "built"]
    assert len(machine.fake.built) == 2


def test_a_job_that_ends_the_run_stops_the_others(tmp_path: Path) -> None:
    machine = Machine(tmp_path, inputs=make_inputs({"python": ["cp311", "cp312"], "jobs": 2}))
    machine.run()

    def interrupt(_: Call) -> None:
        raise KeyboardInterrupt

    machine.fake.during = interrupt
    with pytest.raises(KeyboardInterrupt):
        machine.run(fresh=True)
    assert machine.runner.stopped


def test_two_jobs_that_make_the_same_wheel_land_it_once(tmp_path: Path) -> None:
    same = ("kern-1.2-cp311-abi3-manylinux_2_17_x86_64.whl",)
    machine = Machine(tmp_path, FakeCibuildwheel(wheels={_CP311: same, _CP312: same}))
    machine.run()
    machine.inputs = make_inputs({"python": ["cp311", "cp312"], "jobs": 2})
    result = machine.run(fresh=True)
    assert _statuses(result) == ["built", "covered"]
    assert machine.wheels == list(same)


def test_a_stable_abi_wheel_that_another_shard_makes_does_not_land(tmp_path: Path) -> None:
    """Nothing declares it: only the wheel tells that an earlier Python, which another shard builds, has it, too."""
    same = "kern-1.2-cp311-abi3-manylinux_2_17_x86_64.whl"
    machine = Machine(tmp_path, FakeCibuildwheel(wheels={_CP311: [same], _CP312: [same]}))
    plan = machine.request().plan
    second = take_shard(plan, {_CP311: 1, _CP312: 2}, ShardChoice(2, 2))
    first = take_shard(plan, {_CP311: 1, _CP312: 2}, ShardChoice(1, 2))
    result = machine.run(plan=second)
    assert [(outcome.status, outcome.covered_by) for outcome in result.outcomes] == [(Status.COVERED, same)]
    assert machine.wheels == []
    assert _statuses(machine.run(plan=first)) == ["built"]
    assert machine.wheels == [same]


def test_neither_does_one_of_an_earlier_whole_run(tmp_path: Path) -> None:
    same = "kern-1.2-cp311-abi3-manylinux_2_17_x86_64.whl"
    machine = Machine(tmp_path, FakeCibuildwheel(wheels={_CP312: [same]}, broken=frozenset({_CP311})))
    assert _statuses(machine.run()) == ["failed", "built"]
    (tmp_path / "wheelhouse" / same).unlink()
    second = take_shard(machine.request().plan, {_CP311: 1, _CP312: 2}, ShardChoice(2, 2))
    assert _statuses(machine.run(plan=second)) == ["covered"]
    assert machine.wheels == []
    assert machine.fake.built == []


def test_a_gate_is_judged_on_what_the_run_found(tmp_path: Path) -> None:
    machine = Machine(tmp_path, inputs=make_inputs({"python": ["cp312"], "cache": {"min-hit-rate": 0.9}}))
    first = machine.run()
    assert first.gate == Gate(GateVerdict.OFF, 0.9, reasons=(f"{_CP312}: the compile cache was empty",))
    (tmp_path / "cache/ccache/0").mkdir()
    (tmp_path / "cache/ccache/0/entryR").write_text("")
    second = machine.run(fresh=True)
    assert second.gate == Gate(GateVerdict.FAILED, 0.9, 1, 2, (_CP312,))
    assert _statuses(second) == ["built"]
    unchanged = machine.run()
    assert unchanged.gate == Gate(GateVerdict.OFF, 0.9, reasons=(f"{_CP312}: not built by this run",))


def test_a_read_only_run_is_nothing_to_measure_later_ones_by(tmp_path: Path) -> None:
    (tmp_path / "cache/ccache/0").mkdir(parents=True)
    (tmp_path / "cache/ccache/0/entryR").write_text("")
    table = {"python": ["cp312"], "cache": {"min-hit-rate": 0.9, "mode": "read-only"}}
    machine = Machine(tmp_path, inputs=make_inputs(table))
    for _ in range(2):
        gate = machine.run(fresh=True).gate
        assert gate is not None
        assert gate.reasons == (f"{_CP312}: no build with this cache directory is known",)


def test_a_remote_that_was_given_up_is_not_tried_by_the_next_job(tmp_path: Path) -> None:
    asked: list[bool] = []

    def note(call: Call) -> None:
        asked.append("WHEELKILN_REMOTE_STORAGE" in (call.env or {}))

    dead = "# a.c\ncache_miss\nremote_storage_error\n" * 2
    inputs = make_inputs({"python": ["cp311", "cp312"], "cache": {"remote": "redis://h"}, "jobs": 1})
    machine = Machine(tmp_path, FakeCibuildwheel(statistics=dead, during=note), inputs)
    result = machine.run(ask_remote=lambda _: "")
    assert asked == [True, False]
    assert [outcome.remote is None for outcome in result.outcomes] == [False, True]
    assert any(isinstance(event, Said) and "redis://h:6379 failed 2 calls" in event.text for event in machine.events)
    assert result.remote == "redis://h:6379"


def test_the_remote_is_asked_when_something_is_to_be_built(tmp_path: Path) -> None:
    asked: list[RemoteAddress] = []

    def refuse(address: RemoteAddress) -> str:
        asked.append(address)
        return "it does not answer"

    machine = Machine(tmp_path, inputs=make_inputs({"python": ["cp312"], "cache": {"remote": "redis://h"}}))
    result = machine.run(ask_remote=refuse)
    assert (len(asked), result.remote, result.outcomes[0].remote) == (1, "", None)
    assert any("redis://h:6379: it does not answer. Is the server up" in str(event) for event in machine.events)
    assert _statuses(machine.run(ask_remote=refuse)) == ["reused"]
    assert len(asked) == 1


def test_fail_fast_starts_nothing_more_and_the_others_are_cancelled(tmp_path: Path) -> None:
    fake = FakeCibuildwheel(broken=frozenset({_CP311}))
    machine = Machine(tmp_path, fake, make_inputs({"python": ["cp311", "cp312"], "jobs": 1}))
    result = machine.run(fail_fast=True)
    assert _statuses(result) == ["failed", "cancelled"]
    assert ([it.job.id for it in result.failed], [it.job.id for it in result.cancelled]) == ([_CP311], [_CP312])
    assert machine.fake.built == [_CP311]
    assert machine.runner.stopped


def test_fail_fast_keeps_what_needs_no_work(tmp_path: Path) -> None:
    machine = Machine(tmp_path, FakeCibuildwheel(broken=frozenset({_CP311})))
    machine.run()
    assert _statuses(machine.run(fail_fast=True)) == ["failed", "reused"]


def test_fail_fast_stops_a_job_that_runs(tmp_path: Path) -> None:
    both = threading.Barrier(2)
    failed = threading.Event()

    def meet(call: Call) -> None:
        both.wait(20)
        if call.option("--only") == _CP312:
            assert failed.wait(20), "it goes on until it is stopped"

    machine = Machine(
        tmp_path,
        FakeCibuildwheel(broken=frozenset({_CP311, _CP312}), during=meet),
        make_inputs({"python": ["cp311", "cp312"], "jobs": 2}),
    )

    def emit(event: Event) -> None:
        if isinstance(event, JobEnded):
            failed.set()

    (tmp_path / "cache/ccache").mkdir(parents=True)
    result = run_build(RunRequest((machine.request(fail_fast=True, fresh=True),)), emit, lambda _: None)
    assert sorted(_statuses(result)) == ["cancelled", "failed"]


def test_a_run_that_is_killed_right_after_a_landing_does_not_have_it_built_again(tmp_path: Path) -> None:
    def die(_: Call) -> Answer:
        raise KeyboardInterrupt

    machine = Machine(tmp_path, inputs=make_inputs({"python": ["cp312"]}))
    machine.docker = {"docker ps -aq": die}
    with pytest.raises(KeyboardInterrupt):
        machine.run()
    assert machine.fake.built == [_CP312]
    assert machine.wheels == ["kern-1.2-cp312-cp312-manylinux_2_17_x86_64.whl"]
    machine.docker = {}
    assert _statuses(machine.run()) == ["reused"]
    assert machine.fake.built == []


def test_a_wheel_that_was_noted_and_does_not_lie_there_is_built(tmp_path: Path) -> None:
    machine = Machine(tmp_path, inputs=make_inputs({"python": ["cp312"]}))
    machine.run(store=False)
    for wheel in (tmp_path / "wheelhouse").glob("*.whl"):
        wheel.unlink()
    assert _statuses(machine.run(store=False)) == ["built"]


def test_a_run_is_in_the_history(tmp_path: Path) -> None:
    machine = Machine(tmp_path, FakeCibuildwheel(broken=frozenset({_CP311})))
    machine.run(command="wheelkiln build")
    (run,) = Journal(tmp_path / "cache").runs("kern", "1.2")
    assert (run.state, run.command, run.output) == (RunState.FAILED, "wheelkiln build", str(tmp_path / "wheelhouse"))
    assert [(attempt.job_id, attempt.state) for attempt in run.attempts] == [(_CP311, "failed"), (_CP312, "built")]
    assert job_log(tmp_path / "cache", run.id, _CP312).is_file()


def test_an_interrupted_run_is_told_as_such_and_tried_again(tmp_path: Path) -> None:
    def interrupt(call: Call) -> None:
        if call.option("--only") == _CP312:
            raise KeyboardInterrupt

    machine = Machine(tmp_path, FakeCibuildwheel(during=interrupt))
    with pytest.raises(KeyboardInterrupt):
        machine.run()
    journal = Journal(tmp_path / "cache")
    (run,) = journal.runs()
    assert run.state is RunState.INTERRUPTED
    assert dict(journal.last_states("kern", "1.2", tmp_path / "wheelhouse")) == {_CP311: "built", _CP312: "started"}


def test_a_build_for_comparing_leaves_no_trace(tmp_path: Path) -> None:
    Machine(tmp_path).run(cold_cache=tmp_path / "cold", store=False, fresh=True)
    assert Journal(tmp_path / "cache").runs() == ()
