"""A run in place: the place stands for the images, and cibuildwheel finds a program of ours as its engine."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from pathlib import Path

from tests.fakes import Answer, Call, FakeCibuildwheel, FakeRunner
from tests.values import make_inputs, make_interpreter, make_request
from wheelkiln.build.editions import RunRequest
from wheelkiln.build.in_place import engine_environment, hint_in_place
from wheelkiln.build.outcome import Status
from wheelkiln.build.request import BuildRequest
from wheelkiln.build.run import run_build
from wheelkiln.plan.make import make_plan
from wheelkiln.system.engine import ContainerEngine, EngineName
from wheelkiln.system.in_place_facts import PlaceFacts

PLACE = PlaceFacts(
    is_image=True,
    arch="x86_64",
    libc="manylinux",
    digest="unit-test-of-run" + "0" * 48,
    interpreters=(make_interpreter("cp311", "3.11.2"), make_interpreter("cp312", "3.12.1")),
)


def make_place_request(root: Path, runner: FakeRunner, place: PlaceFacts = PLACE) -> BuildRequest:
    inputs = make_inputs(place=place)
    plan = make_plan(inputs)
    request = make_request(replace(inputs, place=None), runner, root)
    engine = ContainerEngine(EngineName.NONE, "", rootless=True, can_build=False, runner=runner)
    references = dict.fromkeys(plan.image_names(), place.reference)
    return replace(request, plan=replace(plan, references=references), engine=engine, place=place)


def test_every_job_is_built_by_cibuildwheel_in_the_place(tmp_path: Path) -> None:
    seen: list[Call] = []
    fake = FakeCibuildwheel(during=seen.append)
    script = fake.script()
    script["python -m wheelkiln.system.in_place_program run"] = fake.make_environment
    script["python -m wheelkiln.system.in_place_program ps"] = Answer()
    request = make_place_request(tmp_path, FakeRunner(script))
    result = run_build(RunRequest((request,)), lambda _: None, lambda _: None)
    assert [outcome.status for outcome in result.outcomes] == [Status.BUILT, Status.BUILT]
    assert [(image.name, image.digest) for image in result.images] == [("in-place_x86_64", PLACE.digest)]
    for call in seen:
        config = tomllib.loads(Path(call.option("--config-file")).read_text(encoding="utf-8"))
        (ours,) = config["tool"]["cibuildwheel"]["overrides"]
        assert ours["container-engine"]["name"] == "docker"
        assert ours["manylinux-x86_64-image"] == PLACE.reference
        assert call.env is not None
        assert Path(call.env["PATH"].partition(":")[0], "docker").is_file()


def test_with_an_engine_nothing_is_put_on_the_path() -> None:
    assert engine_environment(make_request(), "/usr/bin") == {}


def test_cibuildwheels_own_cache_lies_where_the_user_wants_it(tmp_path: Path) -> None:
    request = make_place_request(tmp_path, FakeRunner())
    assert engine_environment(request, "")["CIBW_CACHE_PATH"] == str(tmp_path / "cache/cibuildwheel")
    chosen = replace(request, variables={"CIBW_CACHE_PATH": "/c"})
    assert engine_environment(chosen, "")["CIBW_CACHE_PATH"] == "/c"


def test_a_hint_that_would_change_the_image_says_what_to_do_without_one(tmp_path: Path) -> None:
    hint = "Name its development package in image.packages."
    request = make_place_request(tmp_path, FakeRunner())
    assert hint_in_place(request, hint).endswith("no effect: use an image that has it.")
    machine = replace(request, place=replace(PLACE, is_image=False))
    assert hint_in_place(machine, hint).endswith("no effect: install it on this machine.")
    assert hint_in_place(machine, "Mend it.") == "Mend it."
    assert hint_in_place(make_request(), hint) == hint
