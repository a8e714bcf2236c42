from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.fakes import Answer, Call, FakeRunner, Script
from tests.unit.image.values import BOOTSTRAP, CUSTOM, DIGEST, PYPA, FakeStore
from tests.values import IMAGE_ID, make_engine
from wheelkiln.image.memory import ImageMemory
from wheelkiln.image.pins import pin_bases
from wheelkiln.plan.model import ImageSpec
from wheelkiln.system.engine import EngineName

_OTHER = "sha256:" + "e" * 64


class FakeTags:
    """A registry's tags by name; unreachable while digest is empty."""

    def __init__(self, digest: str = DIGEST, store: FakeStore | None = None) -> None:
        self.digest, self.store = digest, store or FakeStore()
        script: dict[str, Script] = {"docker buildx imagetools inspect": self.inspect, **self.store.script()}
        self.runner = FakeRunner(script)

    def inspect(self, call: Call) -> Answer:
        if not self.digest:
            return Answer(returncode=1, stderr="ERROR: failed to do request: dial tcp: no such host")
        return Answer(f"{self.digest}\n")

    def lookups(self) -> int:
        return len([line for line in self.runner.lines if "imagetools" in line])


def _digests(spec: ImageSpec) -> set[str]:
    return {base.digest for base in spec.bases}


def test_a_moving_base_is_looked_up_once_and_remembered(tmp_path: Path) -> None:
    tags, memory = FakeTags(), ImageMemory(tmp_path)
    pinned = pin_bases(CUSTOM, memory, make_engine(tags.runner))
    assert _digests(pinned) == {DIGEST}
    assert not [base for base in pinned.bases if base.is_local]
    tags.digest = _OTHER
    assert pin_bases(CUSTOM, memory, make_engine(tags.runner)) == pinned
    assert tags.lookups() == len(CUSTOM.bases)


def test_refreshing_asks_again_and_remembers_the_answer(tmp_path: Path) -> None:
    tags, memory = FakeTags(), ImageMemory(tmp_path)
    pin_bases(CUSTOM, memory, make_engine(tags.runner))
    tags.digest = _OTHER
    assert _digests(pin_bases(CUSTOM, memory, make_engine(tags.runner), refresh=True)) == {_OTHER}
    assert _digests(pin_bases(CUSTOM, memory, None)) == {_OTHER}


def test_refreshing_without_an_answer_keeps_what_is_known(tmp_path: Path) -> None:
    tags, memory = FakeTags(), ImageMemory(tmp_path)
    pin_bases(CUSTOM, memory, make_engine(tags.runner))
    tags.digest = ""
    assert _digests(pin_bases(CUSTOM, memory, make_engine(tags.runner), refresh=True)) == {DIGEST}


def test_without_an_engine_only_what_is_remembered_counts(tmp_path: Path) -> None:
    memory = ImageMemory(tmp_path)
    assert pin_bases(CUSTOM, memory, None) == CUSTOM
    memory.remember_base(CUSTOM.bases[0].reference, DIGEST)
    assert [base.digest for base in pin_bases(CUSTOM, memory, None).bases] == [DIGEST, ""]


def test_an_image_that_no_registry_knows_is_named_by_its_local_content(tmp_path: Path) -> None:
    store = FakeStore({CUSTOM.bases[0].reference: {}})
    pinned = pin_bases(CUSTOM, ImageMemory(tmp_path), make_engine(FakeTags("", store).runner))
    assert pinned.bases[0] == replace(CUSTOM.bases[0], digest=IMAGE_ID, is_local=True)
    assert pinned.bases[1] == CUSTOM.bases[1]


def test_a_local_image_is_not_remembered(tmp_path: Path) -> None:
    """It can be built again under its name, without any registry to ask for that."""
    tags = FakeTags("", FakeStore({base.reference: {} for base in CUSTOM.bases}))
    memory = ImageMemory(tmp_path)
    pin_bases(CUSTOM, memory, make_engine(tags.runner))
    assert pin_bases(CUSTOM, memory, None) == CUSTOM


def test_podman_names_its_local_images_by_content(tmp_path: Path) -> None:
    store = FakeStore({base.reference: {} for base in CUSTOM.bases})
    engine = make_engine(FakeRunner(store.script("podman")), name=EngineName.PODMAN)
    assert _digests(pin_bases(CUSTOM, ImageMemory(tmp_path), engine)) == {IMAGE_ID}


@pytest.mark.parametrize(
    "spec", [PYPA, BOOTSTRAP, replace(CUSTOM, bases=(replace(CUSTOM.bases[0], reference="h/x@s"),))]
)
def test_a_base_that_does_not_move_is_not_looked_up(tmp_path: Path, spec: ImageSpec) -> None:
    assert pin_bases(spec, ImageMemory(tmp_path), make_engine(FakeRunner()), refresh=True) == spec
