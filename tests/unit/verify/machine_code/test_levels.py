from __future__ import annotations

import pytest

from wheelkiln.plan.isa import X86_FEATURES, X86_LEVELS, Isa, parse_isa
from wheelkiln.verify.machine_code import arm_features, levels
from wheelkiln.verify.machine_code.levels import allowed_by, requirement
from wheelkiln.verify.machine_code.model import isa_text
from wheelkiln.verify.machine_code.x86_features import _NAMES


@pytest.mark.parametrize(
    ("arch", "features", "text"),
    [
        ("x86_64", "", "x86-64"),
        ("x86_64", "popcnt sse4.2", "x86-64-v2"),
        ("x86_64", "avx", "x86-64-v3"),
        ("x86_64", "avx2 avxvnni", "x86-64-v3+avxvnni"),
        ("x86_64", "aes sse4.1", "x86-64-v2+aes"),
        ("x86_64", "avx512vl amx-tile", "x86-64-v4+amx-tile"),
        ("aarch64", "", "armv8-a"),
        ("aarch64", "crc", "armv8-a+crc"),
        ("aarch64", "lse", "armv8.1-a"),
        ("aarch64", "dotprod fp16", "armv8-a+dotprod+fp16"),
        ("aarch64", "fcma dotprod", "armv8.3-a+dotprod"),
        ("aarch64", "sve2", "armv8-a+sve2"),
    ],
)
def test_the_lowest_level(arch: str, features: str, text: str) -> None:
    assert isa_text(requirement(arch, frozenset(features.split()))) == text


@pytest.mark.parametrize(
    ("isa", "allowed", "refused"),
    [
        (Isa("x86_64", "", ()), "", "sse3 avx"),
        (Isa("x86_64", "x86-64-v2", ()), "sse4.2 rdtscp cx16", "avx"),
        (Isa("x86_64", "x86-64-v3", ()), "avx2 sse3 xsave", "avx512f aes"),
        (Isa("x86_64", "", ("avx512bf16",)), "avx512f avx512bw avx2 fma sse4.2", "avx512vl"),
        (Isa("x86_64", "", ("amx-int8",)), "amx-tile", "avx"),
        (Isa("aarch64", "armv8.2-a", ("dotprod",)), "lse rdma dotprod", "fcma fp16"),
        (Isa("aarch64", "armv9-a", ()), "sve2 sve fp16 lse dotprod sb", "bf16 sme"),
        (Isa("aarch64", "armv9.1-a", ()), "bf16 i8mm", "wfxt"),
    ],
)
def test_what_a_declaration_allows(isa: Isa, allowed: str, refused: str) -> None:
    found = allowed_by(isa)
    assert found >= set(allowed.split())
    assert not found & set(refused.split())


def test_every_feature_that_is_found_can_be_declared() -> None:
    assert set(_NAMES.values()) - {"cldemote"} <= set(X86_FEATURES)
    assert set(dict(levels.X86_LEVELS)) == set(X86_LEVELS)
    extensions = {name.rstrip("?") for *_, name in (*arm_features._ROWS, *arm_features._SVE_SHARED)} - {""}
    for name in (*extensions, "sve2"):
        assert parse_isa([f"armv8-a+{name}"], where="isa")
