from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.fakes import FakeRunner
from tests.unit.cache.values import make_call, make_record
from tests.values import make_facts, make_inputs, make_request
from wheelkiln.build.editions import RunRequest
from wheelkiln.build.needs import budget_of, kind_of, make_schedule, parallelism_of, sharing_pays
from wheelkiln.build.outcome import Outcome, Status, WheelFile
from wheelkiln.build.request import BuildRequest, JobEnvironment
from wheelkiln.build.reuse import Shelf, make_shelf
from wheelkiln.build.schedule import Parallelism
from wheelkiln.cache.lock import LockedEnvironment, Pin
from wheelkiln.cache.records import keep_record

_TOOLS = {"ninja": "1.13.2", "make": "4.3"}
_SETUPTOOLS = "setuptools.build_meta"


def _request(backend: str = _SETUPTOOLS, requires: tuple[str, ...] = ("setuptools",), **changes: Any) -> BuildRequest:
    listed = ", ".join(f'"{name}"' for name in requires)
    text = f'[build-system]\nrequires = [{listed}]\nbuild-backend = "{backend}"\n'
    facts = make_facts(f'{text}[project]\nname = "kern"\nversion = "1.2"\n')
    inputs = make_inputs({"python": ["cp311", "cp312", "cp313"], **changes.pop("table", {})}, facts=facts)
    return make_request(inputs, FakeRunner(), **changes)


def _way(request: BuildRequest, tools: dict[str, str] | None = None, *, served: bool = True) -> Parallelism:
    return parallelism_of(request, request.plan.jobs[0], _TOOLS if tools is None else tools, served=served)


@pytest.mark.parametrize("backend", ["scikit_build_core.build", "mesonpy", "py_build_cmake.build"])
def test_backends_that_call_ninja_are_served(backend: str) -> None:
    assert _way(_request(backend)) is Parallelism.SERVED


def test_without_the_jobserver_cmake_is_told_a_number_and_nothing_restrains_meson() -> None:
    for tools in ({"ninja": "1.11.1", "make": "4.3"}, {"ninja": "1.13.2"}, {"ninja": "git", "make": "4.4"}):
        assert _way(_request("scikit_build_core.build"), tools) is Parallelism.TOLD
        assert _way(_request("mesonpy"), tools) is Parallelism.WHOLE
    assert _way(_request("mesonpy"), served=False) is Parallelism.WHOLE


def test_the_build_environments_ninja_counts_before_the_images() -> None:
    request = _request("scikit_build_core.build")
    job = request.plan.jobs[0]
    locked = LockedEnvironment("cp311", job.platform, (), (), (Pin("cmake==3.5"), Pin("Ninja==1.11.1 ; x")))
    request = replace(request, environments={job.id: JobEnvironment(locked, Path("/e"))})
    assert _way(request) is Parallelism.TOLD


def test_setuptools_compiles_one_file_at_a_time_unless_something_else_compiles() -> None:
    assert _way(_request()) is Parallelism.SERIAL
    assert _way(_request(requires=("setuptools>=61", "numpy"))) is Parallelism.SERIAL
    assert _way(_request(requires=("setuptools", "Torch==2.6"))) is Parallelism.TOLD
    assert _way(_request("hatchling.build")) is Parallelism.TOLD


def test_kinds_follow_the_image_and_the_interpreters_flags() -> None:
    def kinds(request: BuildRequest) -> int:
        return len({kind_of(request, job) for job in request.plan.jobs})

    assert kinds(_request()) == 2
    assert kinds(_request(table={"cache": {"share-between-pythons": "flags"}})) == 1
    assert kinds(_request("mesonpy")) == 1


def _record(root: Path, request: BuildRequest, python: str, keys: list[str]) -> None:
    calls = [make_call(f"{number}.c", result_key=key) for number, key in enumerate(keys)]
    job = next(job for job in request.plan.jobs if job.python == python)
    keep_record(root, make_record(*calls, project=job.project, job=job.name))


def test_waiting_pays_where_enough_was_shared(tmp_path: Path) -> None:
    request = _request("mesonpy", root=tmp_path)
    jobs, root = request.plan.jobs, request.cache_root
    assert sharing_pays(request, jobs), "nothing is known"
    _record(root, request, "cp311", ["a", "b", "c", "d"])
    assert sharing_pays(request, jobs)
    _record(root, request, "cp312", ["w", "x", "y", "z"])
    assert not sharing_pays(request, jobs)
    _record(root, request, "cp312", ["a", "x", "y", "z"])
    assert sharing_pays(request, jobs)


def _shelf(request: BuildRequest) -> Shelf:
    run = RunRequest((request,))
    return make_shelf(run, dict.fromkeys((job.id for job in run.jobs), request), ())


def test_a_schedule_knows_the_budgets_and_what_the_ledger_tells(tmp_path: Path) -> None:
    request = _request(root=tmp_path)
    shelf = _shelf(request)
    job = request.plan.jobs[1]
    outcome = Outcome(job, Status.BUILT, wheel=WheelFile("k.whl", "", 1), memory=77)
    shelf.ledger.record(shelf.key(request, job), job.project, job.version, outcome, 1.0)
    schedule = make_schedule(shelf, {}, served=True)
    need = schedule.needs[job.id]
    assert (need.memory, need.warm, need.parallelism) == (77, True, Parallelism.SERIAL)
    assert schedule.needs[request.plan.jobs[0].id].memory is None
    assert (schedule.cores, schedule.limit, schedule.memory) == (4, None, None)
    assert budget_of(shelf.run) == 4


def test_settings_bound_jobs_and_memory(tmp_path: Path) -> None:
    shelf = _shelf(_request(root=tmp_path, table={"jobs": 6, "max-memory": "2Gi"}))
    schedule = make_schedule(shelf, {}, served=True)
    assert (schedule.limit, schedule.memory, schedule.budget) == (6, 2 << 30, 6)
    assert budget_of(shelf.run) == 6
