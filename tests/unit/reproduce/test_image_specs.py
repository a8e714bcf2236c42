"""An image's making, as a record tells it, gives the same recipe, and is checked as a configuration is."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from tests.values import CIBUILDWHEEL, make_config, make_host, make_interpreter, make_record
from wheelkiln.errors import UsageProblem, VerificationError
from wheelkiln.image.recipe import render_recipe
from wheelkiln.plan.images import make_images
from wheelkiln.plan.model import ImageSpec
from wheelkiln.reproduce.image_specs import spec_of
from wheelkiln.reproduce.images import recorded_reference
from wheelkiln.verify.record import RecordedImage

_INTERPRETERS = (make_interpreter("cp311", "3.11.7"), make_interpreter("cp312", "3.12.1"))
_OWN = "registry.example/own_{arch}:1@sha256:" + "a" * 64


def _spec(**image: object) -> ImageSpec:
    (spec,) = make_images(make_config({"image": image}), make_host(), CIBUILDWHEEL, _INTERPRETERS)
    return spec


def _recorded(spec: ImageSpec, **inputs: object) -> RecordedImage:
    recipe = render_recipe(spec)
    table = json.loads(recipe.inputs) | inputs
    return replace(make_record().image, name=spec.name, recipe=recipe.digest, inputs=table)


def _again(image: RecordedImage, *more: Any, base: str = "pypa") -> ImageSpec:
    return spec_of(image, (*_INTERPRETERS, *more), make_config({"image": {"base": base}}), CIBUILDWHEEL)


@pytest.mark.parametrize(
    "image",
    [
        {"base": "bootstrap"},
        {"base": "bootstrap", "packages": {"deb": ["libnuma-dev"]}, "linker": "mold", "base-packages": ["less"]},
        {"base": "pypa", "toolchain": "clang", "sccache": True, "packages": {"rpm": ["numactl-devel"]}},
        {"base": _OWN, "ccache": "distribution"},
    ],
    ids=lambda image: str(image["base"])[:10],
)
def test_the_inputs_of_a_recipe_give_the_recipe_again(image: dict[str, Any]) -> None:
    recorded = _recorded(_spec(**image))
    again = render_recipe(_again(recorded, make_interpreter("cp314", "3.14.0"), base=image["base"]))
    assert again.digest == recorded.recipe
    assert recorded_reference(recorded, "x86_64") in again.references.values()


def test_other_interpreters_make_another_base() -> None:
    recorded = _recorded(_spec(base="bootstrap"))
    other = spec_of(recorded, [make_interpreter("cp312", "3.12.9")], make_config(), CIBUILDWHEEL)
    assert render_recipe(other).digest != recorded.recipe


def test_mirrors_are_this_machines() -> None:
    hostile = {"distribution": "debian", "release": "bookworm", "mirror": "http://evil.example", "packages": []}
    spec = _again(_recorded(_spec(base="bootstrap"), bootstrap=hostile, download_mirror="http://evil.example"))
    assert spec.bootstrap is not None
    assert (spec.bootstrap.mirror, spec.download_mirror) == ("", "")


@pytest.mark.parametrize("base", ["evil.example/x@sha256:" + "a" * 64, "registry.example/pypa/manylinux_2_28_x86_64"])
def test_a_base_that_only_the_record_vouches_for_is_refused(base: str) -> None:
    with pytest.raises(UsageProblem, match="neither cibuildwheel's nor this machine's"):
        _again(_recorded(_spec(base="pypa"), bases={"x86_64": base}))


@pytest.mark.parametrize(
    "inputs",
    [
        {"bases": []},
        {"bases": {"x86_64": "x y"}},
        {"bases": {"x86_64": 1}},
        {"bootstrap": 1},
        {"bootstrap": {"other": 1}},
        {"deb": ["x; touch /owned"]},
        {"toolchain": "gcc; touch /owned"},
        {"linker": ["mold"]},
        {"family": "deb; touch /owned"},
        {"policy": "x\ny"},
        {"ccache": "static\nRUN x"},
    ],
    ids=str,
)
def test_inputs_of_anybody_are_refused(inputs: dict[str, object]) -> None:
    with pytest.raises(VerificationError):
        _again(_recorded(_spec(base="bootstrap"), **inputs))
