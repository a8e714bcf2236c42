"""Small specs and a store of images, for the tests of how images are made."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.fakes import Answer, Call, Script
from tests.values import IMAGE_ID, make_interpreter
from wheelkiln.image.bake import BakeInputs, BuildOptions
from wheelkiln.image.recipe import render_recipe
from wheelkiln.plan.model import Base, Bootstrap, ImageSpec

__all__ = ["ARCHITECTURES", "BOOTSTRAP", "CUSTOM", "DIGEST", "PYPA", "FakeStore", "make_bake_inputs", "name_of"]

ARCHITECTURES = ("x86_64", "aarch64")
DIGEST = "sha256:" + "c" * 64

PYPA = ImageSpec(
    name="manylinux_2_28",
    family="rpm",
    bases=tuple(
        Base(arch, f"registry.example/pypa/manylinux_2_28_{arch}@sha256:{digit * 64}", digest=f"sha256:{digit * 64}")
        for arch, digit in (("x86_64", "2"), ("aarch64", "3"))
    ),
    policy="manylinux_2_28",
)
BOOTSTRAP = ImageSpec(
    name="bootstrap",
    family="deb",
    bases=(
        Base("x86_64", interpreters=(make_interpreter(),), own_python="cp311"),
        Base("aarch64", own_python="cp311"),
    ),
    bootstrap=Bootstrap("debian", "bookworm"),
)
CUSTOM = ImageSpec(
    name="custom", family="", bases=tuple(Base(arch, f"registry.example/own_{arch}:1") for arch in ARCHITECTURES)
)


def name_of(spec: ImageSpec, arch: str = "x86_64") -> str:
    """The local reference of one architecture's image."""
    return render_recipe(spec).references[spec.name_for(arch)]


def make_bake_inputs(
    spec: ImageSpec = PYPA, architectures: tuple[str, ...] = ARCHITECTURES, **changes: Any
) -> BakeInputs:
    values: dict[str, Any] = {"options": BuildOptions(), **changes}
    return BakeInputs(spec=spec, recipe=render_recipe(spec), architectures=architectures, **values)


@dataclass
class FakeStore:
    """The local images of an engine: labels by name. What is tagged, imported and removed counts."""

    images: dict[str, dict[str, str]] = field(default_factory=dict)

    def script(self, engine: str = "docker") -> dict[str, Script]:
        return {
            f"{engine} image inspect": self.inspect,
            f"{engine} tag": self.tag,
            f"{engine} rmi": self.remove,
            f"{engine} import": self.load,
        }

    def inspect(self, call: Call) -> Answer:
        labels = self.images.get(call.argv[-1])
        if labels is None:
            return Answer("[]\n", returncode=1, stderr=f"Error response from daemon: No such image: {call.argv[-1]}")
        return Answer(describe(labels))

    def tag(self, call: Call) -> Answer:
        self.images[call.argv[-1]] = self.images.get(call.argv[-2], {})
        return Answer()

    def remove(self, call: Call) -> Answer:
        self.images.pop(call.argv[-1], None)
        return Answer()

    def load(self, call: Call) -> Answer:
        self.images[call.argv[-1]] = {}
        return Answer(f"{IMAGE_ID}\n")


def describe(labels: Mapping[str, str], **changes: Any) -> str:
    """What ``docker image inspect`` prints of one image, without what nobody reads."""
    table = {
        "Id": IMAGE_ID,
        "RepoTags": [],
        "Created": "2026-07-01T10:00:00.5Z",
        "Architecture": "amd64",
        "Os": "linux",
        "Size": 1000,
        "Config": {"Labels": dict(labels) or None},
    }
    return json.dumps([{**table, **changes}])
