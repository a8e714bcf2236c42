from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.fakes import Answer, Call, FakeRunner
from tests.values import make_engine
from wheelkiln.errors import EnvironmentProblem
from wheelkiln.image.provide import BuiltImage, Origin
from wheelkiln.image.supply import HomeImage, ImageSupply
from wheelkiln.system.engine import ContainerEngine

NAME, REFERENCE = "bootstrap_x86_64", "localhost/wheelkiln/bootstrap_x86_64:aa"
PUSHED = "registry.example/w:aa"


@dataclass
class Engine:
    """One engine's images: the layers by reference; ids are the engine's own."""

    host: str
    layers: dict[str, str] = field(default_factory=dict)
    registry: str = ""
    gone: bool = False
    keeps: bool = True
    calls: list[str] = field(default_factory=list)

    def engine(self) -> ContainerEngine:
        script = {
            "docker image inspect": self.inspect,
            "docker save": self.save,
            "docker load": self.load,
            "docker ps": lambda _: Answer(returncode=int(self.gone)),
            "docker buildx imagetools inspect": lambda _: Answer('{"architecture": "amd64"}'),
            "docker pull": self.pull,
            "docker tag": self.tag,
            "docker rmi": lambda _: Answer(),
        }
        return make_engine(FakeRunner(script), host=self.host)

    def inspect(self, call: Call) -> Answer:
        layers = self.layers.get(call.argv[-1])
        if layers is None or self.gone:
            return Answer(returncode=1, stderr="No such image")
        table = {"Id": f"{self.host}-id", "RootFS": {"Layers": [layers]}, "Created": "then", "Architecture": "amd64"}
        return Answer(json.dumps([table]))

    def save(self, call: Call) -> Answer:
        self.calls.append("save")
        Path(call.option("--output")).write_text(json.dumps({call.argv[-1]: self.layers[call.argv[-1]]}))
        return Answer()

    def load(self, call: Call) -> Answer:
        self.calls.append("load")
        self.layers |= json.loads(Path(call.option("--input")).read_text()) if self.keeps else {}
        return Answer()

    def pull(self, call: Call) -> Answer:
        self.calls.append("pull")
        if not self.registry:
            return Answer(returncode=1, stderr="not found")
        self.layers[call.argv[-1]] = self.registry
        return Answer()

    def tag(self, call: Call) -> Answer:
        self.layers[call.argv[-1]] = self.layers[call.argv[-2]]
        return Answer()


def supply(home: Engine, place: Path, *, pushed: str = "", said: list[str] | None = None) -> ImageSupply:
    def remake(name: str, engine: ContainerEngine) -> BuiltImage:
        return BuiltImage(name, REFERENCE, f"remade on {engine.host}", Origin.BUILT)

    built = BuiltImage(NAME, REFERENCE, "home's digest", Origin.PRESENT)
    homes = {NAME: HomeImage(built, home.engine(), "x86_64", pushed)}
    images = ImageSupply(homes, place, (said if said is not None else []).append, remake)
    images.look()
    return images


def test_an_image_is_copied_once(tmp_path: Path) -> None:
    home, other = Engine("", {REFERENCE: "a"}), Engine("attic")
    said: list[str] = []
    images = supply(home, tmp_path, said=said)
    assert images.bring(NAME, home.engine()) == "home's digest"
    assert [images.bring(NAME, other.engine()) for _ in range(2)] == ["home's digest"] * 2
    assert (home.calls, other.calls) == (["save"], ["load"])
    assert said == [f"copying the image {REFERENCE} to attic"]
    assert list((tmp_path / "tmp").iterdir()) == []


def test_the_same_image_is_not_copied_though_its_id_differs(tmp_path: Path) -> None:
    home, other = Engine("", {REFERENCE: "a"}), Engine("attic", {REFERENCE: "a"})
    assert supply(home, tmp_path).bring(NAME, other.engine()) == "home's digest"
    assert other.calls == []


def test_another_image_of_the_same_recipe_is_replaced(tmp_path: Path) -> None:
    home, other = Engine("", {REFERENCE: "a"}), Engine("attic", {REFERENCE: "of last month"})
    supply(home, tmp_path).bring(NAME, other.engine())
    assert other.layers[REFERENCE] == "a"


def test_a_host_that_does_not_keep_it_is_an_error(tmp_path: Path) -> None:
    home, other = Engine("", {REFERENCE: "a"}), Engine("attic", keeps=False)
    with pytest.raises(EnvironmentProblem, match="attic took in"):
        supply(home, tmp_path).bring(NAME, other.engine())


def test_a_home_that_is_gone_leaves_what_is_there_or_it_is_made_again(tmp_path: Path) -> None:
    home = Engine("attic", {REFERENCE: "a"})
    images = supply(home, tmp_path)
    home.gone = True
    assert images.bring(NAME, Engine("", {REFERENCE: "a"}).engine()) == "home's digest"
    assert images.bring(NAME, Engine("cellar").engine()) == "remade on cellar"


def test_a_registry_comes_first(tmp_path: Path) -> None:
    home, other = Engine("", {REFERENCE: "a"}), Engine("attic", registry="a")
    images = supply(home, tmp_path, pushed=PUSHED)
    assert images.bring(NAME, other.engine()) == "home's digest"
    assert (home.calls, other.calls) == ([], ["pull"])
    stale = Engine("cellar", registry="older")
    images.bring(NAME, stale.engine())
    assert stale.calls == ["pull", "load"]
