from __future__ import annotations

import pytest

from wheelkiln.errors import ConfigError
from wheelkiln.plan.isa import Isa, parse_isa, required_features


@pytest.mark.parametrize(
    ("entries", "found"),
    [
        ((), ()),
        (("x86-64-v4",), (Isa("x86_64", "x86-64-v4", ()),)),
        (("x86-64-v4", "avx512bf16", "amxbf16"), (Isa("x86_64", "x86-64-v4", ("avx512bf16", "amx-bf16")),)),
        (("avx2",), (Isa("x86_64", "", ("avx2",)),)),
        (("armv8.2-a+dotprod+bf16",), (Isa("aarch64", "armv8.2-a", ("dotprod", "bf16")),)),
        (
            ("x86-64-v3", "armv9-a+sve2"),
            (Isa("aarch64", "armv9-a", ("sve2",)), Isa("x86_64", "x86-64-v3", ())),
        ),
    ],
)
def test_a_declaration_is_taken_apart(entries: tuple[str, ...], found: tuple[Isa, ...]) -> None:
    assert parse_isa(entries, where="isa") == found


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        ("x86-64-v5", "Did you mean 'x86-64-v"),
        ("avx512bf61", "Did you mean 'avx512bf16'"),
        ("armv8.2-a+dotprood", "'dotprood' of 'armv8.2-a+dotprood' is no level and no feature. Did you mean 'dotprod'"),
        ("armv7-a", "'armv7-a' is no level"),
        ("armv8.2-a+", "'' of 'armv8.2-a+'"),
    ],
)
def test_what_is_no_level_is_named(entry: str, told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_isa([entry], where="variants.a.isa")
    assert caught.value.message.startswith("variants.a.isa: ")
    assert told in caught.value.message


def test_two_levels_contradict_each_other() -> None:
    with pytest.raises(ConfigError, match="x86-64-v3 and x86-64-v4 are two levels of x86_64"):
        parse_isa(["x86-64-v3", "x86-64-v4"], where="isa")


def test_compilers_are_asked_for_what_not_all_know() -> None:
    isas = parse_isa(["x86-64-v4", "avx512f", "amxbf16", "armv8.2-a+crc+dotprod"], where="isa")
    assert required_features(isas) == ("dotprod", "x86-64-v4", "amx-bf16")
