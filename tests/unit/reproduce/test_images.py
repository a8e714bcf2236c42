"""The image of a rebuild: the recorded one where it is, else one of the same inputs, and what it has otherwise."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.fakes import Answer, Call, FakeRunner, Script
from tests.values import (
    CIBUILDWHEEL,
    inspected_image,
    make_config,
    make_engine,
    make_host,
    make_interpreter,
    make_record,
)
from wheelkiln.errors import EnvironmentProblem
from wheelkiln.image.provide import ImageProvider
from wheelkiln.image.recipe import render_recipe
from wheelkiln.plan.images import make_images
from wheelkiln.plan.model import ImageSpec
from wheelkiln.reproduce.images import find_image, recorded_reference
from wheelkiln.system.pip_settings import PipSettings
from wheelkiln.verify.record import Record

_INTERPRETERS = (make_interpreter("cp311", "3.11.7"), make_interpreter("cp312", "3.12.1"))


def _spec(**image: object) -> ImageSpec:
    config = make_config({"image": image})
    (spec,) = make_images(config, make_host(), CIBUILDWHEEL, _INTERPRETERS)
    return spec


def _record(spec: ImageSpec) -> Record:
    recipe, record = render_recipe(spec), make_record()
    image = replace(record.image, name=spec.name, recipe=recipe.digest, inputs=json.loads(recipe.inputs))
    return replace(record, image=image)


def _no_spec() -> ImageSpec:
    raise AssertionError("nothing has to be made")


def _provider(script: dict[str, Script], place: Path) -> ImageProvider:
    return ImageProvider(
        engine=make_engine(FakeRunner(script)),
        host=make_host(),
        cache_dir=place,
        pip=PipSettings,
        say=lambda _: None,
        log=lambda _: None,
    )


def test_an_image_that_is_there_is_compared_with_the_recorded_one(tmp_path: Path) -> None:
    record = _record(_spec(base="bootstrap"))
    printed = "== toolchain\ngcc 14.2.1\n== tools\nccache 4.13.6\n== packages\ngcc=15\n"
    script: dict[str, Script] = {"docker image inspect": Answer(inspected_image()), "docker run": Answer(printed)}
    found = find_image(record, "x86_64", _provider(script, tmp_path), _no_spec)
    assert found.reference == recorded_reference(record.image, "x86_64")
    assert found.differences == (f"program wheelkiln-repair: {'f' * 64} -> absent", "package gcc: 14.2.1 -> 15")


def test_the_image_that_is_asked_for_is_taken(tmp_path: Path) -> None:
    record = _record(_spec(base="bootstrap"))
    asked: list[str] = []

    def inspect(call: Call) -> Answer:
        asked.append(call.argv[-1])
        return Answer(inspected_image())

    script: dict[str, Script] = {"docker image inspect": inspect, "docker run": Answer("== packages\n")}
    found = find_image(record, "x86_64", _provider(script, tmp_path), _no_spec, "own:1")
    assert found.reference == "own:1"
    assert set(asked) == {"own:1"}


def test_an_image_that_is_asked_for_and_absent_is_named(tmp_path: Path) -> None:
    script: dict[str, Script] = {"docker image inspect": Answer(returncode=1)}
    with pytest.raises(EnvironmentProblem, match="docker has no image own:1"):
        find_image(_record(_spec(base="bootstrap")), "x86_64", _provider(script, tmp_path), _no_spec, "own:1")


def test_a_machine_is_no_image(tmp_path: Path) -> None:
    record = make_record()
    record = replace(record, image=replace(record.image, recipe="", inputs={}))
    with pytest.raises(EnvironmentProblem, match="built in place"):
        find_image(record, "x86_64", _provider({}, tmp_path), _no_spec)
