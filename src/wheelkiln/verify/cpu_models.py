"""The emulated CPU that has what is declared and no more, as arguments of qemu's user mode or of Intel SDE.

Which instructions the models refuse was tried one by one with qemu 7.2. lzcnt and tzcnt are never refused, by real
CPUs neither: without the feature they are decoded as bsr and bsf, and give other results.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from wheelkiln.plan.isa import X86_FEATURES, Isa

__all__ = ["CpuModel", "Emulator", "baseline_of", "choose_model"]


class Emulator(StrEnum):
    QEMU = "qemu"
    SDE = "sde"


@dataclass(frozen=True, slots=True)
class CpuModel:
    """An emulated CPU: the emulator that has it, its arguments, and what it has beyond what is declared, in words."""

    emulator: Emulator
    arguments: tuple[str, ...]
    beyond: str = ""


_QEMU_X86: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "x86-64": ("qemu64", ("pni", "cx16", "lahf-lm", "svm")),
    "x86-64-v2": ("Nehalem", ()),
    "x86-64-v3": (
        "Haswell-noTSX",
        ("aes", "pclmulqdq", "rdrand", "fsgsbase", "erms", "smep", "pcid", "x2apic", "tsc-deadline", "invpcid"),
    ),
}
"""By level qemu's model, and what of it the level does not have (x86-64 psABI) or user mode never has."""
_QEMU_NAMES = {
    "sse3": "pni",
    "bmi": "bmi1",
    "lzcnt": "abm",
    "pclmul": "pclmulqdq",
    "sha": "sha-ni",
}
_NEEDS_SAVED_STATE = frozenset({"avx", "avx2", "fma", "f16c", "vaes", "vpclmulqdq"})
_IMPLIED = {
    "fma": ("avx",),
    "f16c": ("avx",),
    "avx2": ("avx",),
    "vaes": ("avx2", "avx"),
    "vpclmulqdq": ("avx2", "avx"),
}
_ONLY_SDE = ("avx512", "amx-", "avxvnni", "avxifma", "avxneconvert")
"""Beginnings of what no release of qemu's user mode has."""
_RATHER_SDE = frozenset({"sha", "gfni", "vaes", "vpclmulqdq"})
"""What releases of qemu differ in; one that lacks a feature says so when it starts."""
_BEFORE = frozenset(X86_FEATURES[: X86_FEATURES.index("avx512f")]) | {"aes", "pclmul"}
_SKX = _BEFORE | {"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"}
_CLX = _SKX | {"avx512vnni"}
_CPX = _CLX | {"avx512bf16"}
_ICX = _CLX | {"avx512ifma", "avx512vbmi", "avx512vbmi2", "avx512bitalg", "avx512vpopcntdq"} | _RATHER_SDE
_SPR = _CPX | _ICX | {"avx512fp16", "avxvnni", "amx-tile", "amx-int8", "amx-bf16"}
_SRF = _BEFORE | _RATHER_SDE | {"avxvnni", "avxvnniint8", "avxifma", "avxneconvert"}
_SDE_CHIPS: tuple[tuple[str, bool, frozenset[str]], ...] = (
    ("-skx", True, _SKX),
    ("-clx", True, _CLX),
    ("-cpx", True, _CPX),
    ("-icx", True, _ICX),
    ("-spr", True, _SPR),
    ("-gnr", True, _SPR | {"amx-fp16"}),
    ("-srf", False, _SRF),
)
"""Chips of SDE, the oldest first: whether it has x86-64-v4, and its features."""

_ARM_MODELS: tuple[tuple[str, tuple[int, int], frozenset[str]], ...] = (
    ("cortex-a53", (8, 0), frozenset({"fp", "simd", "crc", "crypto", "aes", "sha2"})),
    (
        "neoverse-n1",
        (8, 2),
        frozenset({"fp", "simd", "crc", "crypto", "aes", "sha2", "lse", "rdma", "fp16", "dotprod", "rcpc", "ssbs"}),
    ),
    ("a64fx", (8, 2), frozenset({"fp", "simd", "crc", "crypto", "aes", "sha2", "lse", "rdma", "fp16", "sve"})),
)
"""qemu's models with their architecture's version and extensions, the least first (Arm's reference manuals)."""
_ARM_PLAIN = frozenset({"fp", "simd"})


def baseline_of(arch: str) -> Isa:
    """Return what every CPU of an architecture has."""
    return Isa(arch, "x86-64" if arch == "x86_64" else "armv8-a", ())


def choose_model(isa: Isa, *, has_sde: bool) -> CpuModel | None:
    """Return the CPU to emulate, None where no emulator that is there has one.

    qemu goes first: it needs nothing but itself. SDE is for what qemu does not know.
    """
    if isa.arch == "aarch64":
        return _arm_model(isa)
    newer = isa.level == "x86-64-v4" or any(name.startswith(_ONLY_SDE) for name in isa.features)
    if has_sde and (newer or _RATHER_SDE & set(isa.features)):
        return _sde_model(isa)
    return None if newer else CpuModel(Emulator.QEMU, ("-cpu", _qemu_cpu(isa)))


def _qemu_cpu(isa: Isa) -> str:
    model, excess = _QEMU_X86[isa.level or "x86-64"]
    wanted = list(dict.fromkeys(_with_implied(isa.features)))
    names = [_QEMU_NAMES.get(name, name.replace("sse4.", "sse4_")) for name in wanted]
    names += ["xsave"] if _NEEDS_SAVED_STATE & set(wanted) else []
    off = [f"{name}=off" for name in excess if name not in names]
    return ",".join([model, *off, *(f"{name}=on" for name in names)])


def _with_implied(features: tuple[str, ...]) -> Iterator[str]:
    for name in features:
        yield name
        yield from _IMPLIED.get(name, ())


def _sde_model(isa: Isa) -> CpuModel | None:
    """Return the oldest chip that has the level and all features."""
    for chip, has_v4, features in _SDE_CHIPS:
        if set(isa.features) <= features and (has_v4 or isa.level != "x86-64-v4"):
            return CpuModel(Emulator.SDE, (chip,))
    return None


def _arm_model(isa: Isa) -> CpuModel | None:
    level = isa.level.removeprefix("armv").removesuffix("-a")
    major, _, minor = level.partition(".")
    version = (int(major), int(minor or 0))
    for name, has, extensions in _ARM_MODELS:
        if has >= version and set(isa.features) <= extensions:
            excess = sorted(extensions - set(isa.features) - _ARM_PLAIN)
            newer = [f"all of armv{has[0]}.{has[1]}-a"] if has > version else []
            return CpuModel(Emulator.QEMU, ("-cpu", name), f"{name} also has {', '.join([*newer, *excess])}")
    return None
