from __future__ import annotations

import pytest

from wheelkiln.errors import ConfigError
from wheelkiln.plan.features import FEATURES, Toolchain, check_features, explain_missing, features_of


def test_a_name_is_one_feature() -> None:
    assert len({feature.name for feature in FEATURES}) == len(FEATURES)
    assert {feature.arch for feature in FEATURES} == {"x86_64", "aarch64"}


def test_features_belong_to_an_architecture() -> None:
    names = ["sve2", "avx512bf16", "nonsense", "avx512bf16"]
    assert [feature.name for feature in features_of("x86_64", names)] == ["avx512bf16"]
    assert [feature.name for feature in features_of("aarch64", names)] == ["sve2"]


def test_known_names_are_accepted() -> None:
    check_features(feature.name for feature in FEATURES)
    check_features([])


@pytest.mark.parametrize(
    ("name", "meant"), [("avx512bf6", "avx512bf16"), ("amx_int8", "amx-int8"), ("SVE2", ""), ("", "")]
)
def test_a_name_that_is_none_is_refused_with_the_nearest(name: str, meant: str) -> None:
    with pytest.raises(ConfigError) as caught:
        check_features(["sve", name])
    suggestion = f" Did you mean '{meant}'?" if meant else ""
    assert caught.value.message == f"image.requires: '{name}' is not a CPU feature that can be checked.{suggestion}"
    assert all(feature.name in caught.value.hint for feature in FEATURES)


_GCC = Toolchain("gcc", "12.2.0", frozenset({"avx512bf16", "sve2"}))


@pytest.mark.parametrize(
    ("toolchain", "arch", "required", "text"),
    [
        (_GCC, "x86_64", ["avx512bf16"], ""),
        (_GCC, "x86_64", [], ""),
        (_GCC, "x86_64", ["sme"], ""),
        (_GCC, "aarch64", ["sve2", "sme"], "gcc 12.2.0 does not accept sme, which needs gcc >= 14"),
        (
            _GCC,
            "x86_64",
            ["amx-fp16", "amx-int8"],
            "gcc 12.2.0 does not accept amx-int8, amx-fp16, which needs gcc >= 13",
        ),
        (
            Toolchain("clang", "15.0.7", frozenset()),
            "x86_64",
            ["amx-fp16", "amx-int8"],
            "clang 15.0.7 does not accept amx-int8, amx-fp16, which needs clang >= 16",
        ),
    ],
)
def test_what_a_toolchain_lacks_is_said_with_what_has_it(
    toolchain: Toolchain, arch: str, required: list[str], text: str
) -> None:
    assert explain_missing(toolchain, arch, required) == text
