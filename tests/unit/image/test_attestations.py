from __future__ import annotations

import pytest

from tests.fakes import Answer, FakeRunner
from tests.unit.image.values import DIGEST
from tests.values import make_engine
from wheelkiln.image.attestations import choose_attestations
from wheelkiln.system.engine import EngineName


@pytest.mark.parametrize(
    ("answer", "chosen"),
    [(Answer(DIGEST), ("provenance", "sbom")), (Answer(returncode=1, stderr="ERROR: no such host"), ("provenance",))],
)
def test_an_sbom_is_made_where_its_scanner_can_be_fetched(answer: Answer, chosen: tuple[str, ...]) -> None:
    runner = FakeRunner({"docker buildx imagetools inspect": answer})
    assert choose_attestations(make_engine(runner), "auto") == chosen
    assert runner.calls[0].argv[-1] == "docker/buildkit-syft-scanner:stable-1"


@pytest.mark.parametrize("wanted", [(), ("sbom",), ("provenance", "sbom")])
def test_a_choice_of_ones_own_is_taken_without_asking(wanted: tuple[str, ...]) -> None:
    assert choose_attestations(make_engine(FakeRunner()), wanted) == wanted


def test_none_are_none() -> None:
    assert choose_attestations(make_engine(FakeRunner()), "none") == ()


@pytest.mark.parametrize("wanted", ["auto", ("provenance", "sbom")])
def test_podman_makes_none(wanted: str | tuple[str, ...]) -> None:
    assert choose_attestations(make_engine(FakeRunner(), name=EngineName.PODMAN), wanted) == ()
