"""What the image's scripts compile for each CPU feature, and what the plan says of it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from wheelkiln.plan.features import FEATURES, Feature

_FILES = Path(__file__).parents[2] / "manylinux" / "features"
_NEEDS = re.compile(r"^// which needs gcc >= (?P<gcc>[0-9]+) or clang >= (?P<clang>[0-9]+)$")


@pytest.mark.parametrize("feature", FEATURES, ids=lambda feature: str(feature.name))
def test_a_feature_is_a_file_with_the_same_flags_and_versions(feature: Feature) -> None:
    flags, needs, *code = (_FILES / feature.arch / f"{feature.name}.c").read_text(encoding="utf-8").splitlines()
    assert flags == f"// flags: {feature.flags}"
    match = _NEEDS.match(needs)
    assert match
    assert (int(match["gcc"]), int(match["clang"])) == (feature.gcc, feature.clang)
    assert [line for line in code if "(" in line], "it compiles nothing"


def test_no_file_is_without_a_feature() -> None:
    files = {path.relative_to(_FILES).as_posix() for path in _FILES.rglob("*") if path.is_file()}
    assert files == {f"{feature.arch}/{feature.name}.c" for feature in FEATURES}
