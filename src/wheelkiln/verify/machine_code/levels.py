"""Levels and what they have: the x86-64 psABI's, and the versions of the Arm architecture."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

from wheelkiln.plan.isa import Isa

__all__ = ["BASELINES", "allowed_by", "missing_from", "requirement"]

BASELINES = {"x86_64": "x86-64", "aarch64": "armv8-a"}
"""What every CPU of an architecture has."""
_V2 = frozenset({"sse3", "ssse3", "sse4.1", "sse4.2", "popcnt", "cx16", "sahf", "rdtscp"})
_V3 = frozenset({"avx", "avx2", "bmi", "bmi2", "f16c", "fma", "lzcnt", "movbe", "xsave"})
_V4 = frozenset({"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"})
X86_LEVELS = (
    ("x86-64", frozenset[str]()),
    ("x86-64-v2", _V2),
    ("x86-64-v3", _V2 | _V3),
    ("x86-64-v4", _V2 | _V3 | _V4),
)
"""x86-64 psABI, micro-architecture levels. rdtscp is in none of them, and in every CPU that has x86-64-v2."""
_SSE = ("sse3", "ssse3", "sse4.1", "sse4.2")
_IMPLIED = {
    **{name: frozenset(_SSE[:at]) for at, name in enumerate(_SSE)},
    **dict.fromkeys(("avx", "xop"), frozenset({*_SSE, "popcnt", "xsave"})),
    **dict.fromkeys(("avx2", "fma", "fma4", "f16c", "vaes", "vpclmulqdq", "avxvnni"), frozenset({"avx"})),
    **dict.fromkeys(("avxifma", "avxneconvert", "avxvnniint8", "avxvnniint16"), frozenset({"avx2"})),
    **dict.fromkeys(("sha512", "sm3", "sm4"), frozenset({"avx2"})),
    "avx512f": frozenset({"avx2", "fma", "f16c"}),
    **dict.fromkeys(
        ("avx512bw", "avx512cd", "avx512dq", "avx512vl", "avx512ifma", "avx512vbmi", "avx512vpopcntdq"),
        frozenset({"avx512f"}),
    ),
    **dict.fromkeys(("avx512vnni", "avx512vp2intersect"), frozenset({"avx512f"})),
    **dict.fromkeys(("avx512vbmi2", "avx512bitalg", "avx512bf16", "avx512fp16"), frozenset({"avx512bw"})),
    **dict.fromkeys(("amx-int8", "amx-bf16", "amx-fp16", "amx-complex"), frozenset({"amx-tile"})),
    **dict.fromkeys(("aes", "pclmul", "sha", "gfni"), frozenset({"sse3"})),
    "widekl": frozenset({"kl"}),
    "xsavec": frozenset({"xsave"}),
    "xsaveopt": frozenset({"xsave"}),
}
"""What gcc's options for a feature switch on besides (gcc/common/config/i386/i386-common.cc)."""
_ARM_STEPS = {
    "8.1": ("crc", "lse", "rdma", "lor", "pan"),
    "8.2": ("dcpop",),
    "8.3": ("pauth", "fcma", "jscvt", "rcpc"),
    "8.4": ("dotprod", "flagm", "rcpc2", "dit"),
    "8.5": ("sb", "ssbs", "predres", "frintts", "flagm2", "dcpodp"),
    "8.6": ("bf16", "i8mm"),
    "8.7": ("wfxt", "xs"),
    "8.8": ("mops", "hbc"),
    "8.9": ("cssc",),
}
"""What each version made mandatory (Arm ARM, A2: the extensions)."""
_ARM_MINOR_OF_9 = 5
_ARM_IMPLIED = {
    "crypto": frozenset({"aes", "sha2"}),
    "sve": frozenset({"fp16"}),
    "sve2": frozenset({"sve"}),
    "sve2-bitperm": frozenset({"sve2"}),
    "sve2p1": frozenset({"sve2"}),
    "sme": frozenset({"bf16", "sve2"}),
    "sme2": frozenset({"sme"}),
    "fp16fml": frozenset({"fp16"}),
    "f32mm": frozenset({"sve"}),
    "f64mm": frozenset({"sve"}),
    "sha3": frozenset({"sha2"}),
    "lse128": frozenset({"lse"}),
    "rcpc2": frozenset({"rcpc"}),
    "rcpc3": frozenset({"rcpc2"}),
}
_OPTIONAL_SINCE = {
    "dotprod": 1,
    "bf16": 2,
    "i8mm": 1,
    "flagm": 2,
    "rcpc": 2,
    "rcpc2": 2,
    "sb": 0,
    "ssbs": 0,
    "predres": 0,
}
_LAYS_NO_LEVEL = frozenset({"crc", *_OPTIONAL_SINCE, "mops", "hbc", "cssc", "wfxt", "pauth"})
"""Features that CPUs of older versions have too: they are named beside the level that the others need."""


def allowed_by(declared: Isa) -> frozenset[str]:
    """Return all features that a declaration allows: its level's, its own, and what those bring with them."""
    if declared.arch == "x86_64":
        base = dict(X86_LEVELS)[declared.level or "x86-64"]
        return _closure(base | set(declared.features), _IMPLIED)
    return _closure(_arm_features(declared.level or "armv8-a") | set(declared.features), _ARM_IMPLIED)


def missing_from(allowed: frozenset[str], features: Iterable[str]) -> tuple[str, ...]:
    """Return the features that are not allowed."""
    return tuple(sorted(set(features) - allowed))


def requirement(arch: str, features: frozenset[str]) -> Isa:
    """Return the lowest level that has what it can have of these features, with the others beside it."""
    if arch == "x86_64":
        known = X86_LEVELS[-1][1]
        level, has = next(row for row in X86_LEVELS if features & known <= row[1])
        return Isa(arch, level, tuple(sorted(features - has)))
    minor = max(
        (
            int(step[2:])
            for step, names in _ARM_STEPS.items()
            if set(names) - _LAYS_NO_LEVEL & features and features & (set(names) - _LAYS_NO_LEVEL)
        ),
        default=0,
    )
    level = f"armv8.{minor}-a" if minor else "armv8-a"
    return Isa(arch, level, tuple(sorted(features - _arm_features(level))))


@cache
def _arm_features(level: str) -> frozenset[str]:
    """Return what a version has, with all before it. Version 9.N has what 8.(N+5) has, and sve2."""
    major, _, minor = level.removeprefix("armv").removesuffix("-a").partition(".")
    last = int(minor or 0) + (_ARM_MINOR_OF_9 if major == "9" else 0)
    names = {name for step, names in _ARM_STEPS.items() if int(step[2:]) <= last for name in names}
    return frozenset(names | ({"sve", "sve2", "fp16"} if major == "9" else set()))


def _closure(names: Iterable[str], implied: dict[str, frozenset[str]]) -> frozenset[str]:
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting.extend(implied.get(name, ()))
    return frozenset(found)
