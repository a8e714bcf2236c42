from __future__ import annotations

import pytest

from wheelkiln.plan.isa import parse_isa
from wheelkiln.verify.cpu_models import CpuModel, Emulator, baseline_of, choose_model


def _choose(*entries: str, has_sde: bool = False) -> CpuModel | None:
    (isa,) = parse_isa(entries, where="isa")
    return choose_model(isa, has_sde=has_sde)


@pytest.mark.parametrize(
    ("entries", "cpu"),
    [
        (("x86-64",), "qemu64,pni=off,cx16=off,lahf-lm=off,svm=off"),
        (("x86-64-v2",), "Nehalem"),
        (("x86-64-v2", "aes", "pclmul"), "Nehalem,aes=on,pclmulqdq=on"),
        (("x86-64-v2", "avx2"), "Nehalem,avx2=on,avx=on,xsave=on"),
        (("sse3", "sse4.1", "bmi", "lzcnt"), "qemu64,cx16=off,lahf-lm=off,svm=off,pni=on,sse4_1=on,bmi1=on,abm=on"),
        (("x86-64-v2", "gfni"), "Nehalem,gfni=on"),
        (("armv8-a+crc",), "cortex-a53"),
        (("armv8.1-a",), "neoverse-n1"),
        (("armv8.2-a+dotprod",), "neoverse-n1"),
        (("armv8.2-a+sve",), "a64fx"),
    ],
)
def test_qemu_has_what_is_declared(entries: tuple[str, ...], cpu: str) -> None:
    model = _choose(*entries)
    assert model is not None
    assert (model.emulator, model.arguments) == (Emulator.QEMU, ("-cpu", cpu))


def test_v3_is_a_haswell_without_what_the_level_does_not_have() -> None:
    model = _choose("x86-64-v3", "aes")
    assert model is not None
    name, *settings = model.arguments[1].split(",")
    assert name == "Haswell-noTSX"
    assert "aes=on" in settings
    assert "aes=off" not in settings
    assert {"pclmulqdq=off", "rdrand=off", "fsgsbase=off"} < set(settings)


@pytest.mark.parametrize("entry", ["x86-64-v4", "avx512bf16", "amx-int8", "avxvnni"])
def test_what_qemu_never_has_is_not_emulated_without_sde(entry: str) -> None:
    assert _choose(entry) is None


@pytest.mark.parametrize(
    ("entries", "chip"),
    [
        (("x86-64-v4",), "-skx"),
        (("x86-64-v4", "avx512vnni"), "-clx"),
        (("x86-64-v4", "avx512bf16"), "-cpx"),
        (("x86-64-v4", "avx512vbmi2", "gfni"), "-icx"),
        (("x86-64-v4", "avx512bf16", "avx512vbmi2"), "-spr"),
        (("amx-tile", "amx-fp16"), "-gnr"),
        (("x86-64-v3", "avxvnniint8"), "-srf"),
        (("x86-64-v2", "sha"), "-icx"),
    ],
)
def test_sde_takes_the_oldest_chip_that_has_it(entries: tuple[str, ...], chip: str) -> None:
    assert _choose(*entries, has_sde=True) == CpuModel(Emulator.SDE, (chip,))


def test_no_chip_has_everything() -> None:
    assert _choose("x86-64-v4", "avxvnniint8", has_sde=True) is None


def test_qemu_is_preferred_where_it_can() -> None:
    model = _choose("x86-64-v2", has_sde=True)
    assert model is not None
    assert model.emulator is Emulator.QEMU


def test_what_a_model_has_beyond_is_said() -> None:
    plain, newer = _choose("armv8-a"), _choose("armv8.1-a+lse")
    assert plain is not None
    assert plain.beyond == "cortex-a53 also has aes, crc, crypto, sha2"
    assert newer is not None
    assert newer.beyond.startswith("neoverse-n1 also has all of armv8.2-a, aes, crc")
    assert "lse" not in newer.beyond


def test_an_arm_that_only_the_largest_model_has_is_not_emulated() -> None:
    assert _choose("armv9-a") is None
    assert _choose("armv8.2-a+sve2") is None


@pytest.mark.parametrize(("arch", "level"), [("x86_64", "x86-64"), ("aarch64", "armv8-a")])
def test_the_baseline_is_emulated(arch: str, level: str) -> None:
    isa = baseline_of(arch)
    assert isa.level == level
    assert choose_model(isa, has_sde=False) is not None
