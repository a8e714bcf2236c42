"""Machine-code levels: what a variant declares, taken apart by architecture."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass

from wheelkiln.errors import ConfigError
from wheelkiln.plan.features import FEATURES

__all__ = ["Isa", "parse_isa", "required_features"]

X86_LEVELS = ("x86-64", "x86-64-v2", "x86-64-v3", "x86-64-v4")
"""The levels of the x86-64 psABI (gitlab.com/x86-psABIs, low-level system information)."""
X86_FEATURES = (
    *("sse3", "ssse3", "sse4.1", "sse4.2", "popcnt", "avx", "avx2", "fma", "f16c", "bmi", "bmi2", "lzcnt", "movbe"),
    *("avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl", "avx512ifma", "avx512vbmi", "avx512vbmi2"),
    *("avx512vnni", "avx512bitalg", "avx512vpopcntdq", "avx512bf16", "avx512fp16", "avxvnni", "avxvnniint8"),
    *("avxvnniint16", "avxifma", "avxneconvert", "gfni", "vaes", "vpclmulqdq", "aes", "pclmul", "sha", "sha512"),
    *("sm3", "sm4", "amx-tile", "amx-int8", "amx-bf16", "amx-fp16", "amx-complex", "avx512vp2intersect", "avx512er"),
    *("avx512pf", "avx5124fmaps", "avx5124vnniw", "xop", "fma4", "tbm", "lwp", "sse4a", "3dnow", "3dnowa"),
    *("adx", "cx16", "sahf", "fsgsbase", "rdrnd", "rdseed", "rdpid", "rdtscp", "rdpru", "xsave", "xsavec", "xsaveopt"),
    *("xsaves", "cmpccxadd", "raoint", "rtm", "tsxldtrk", "pku", "shstk", "clflushopt", "clwb", "clzero", "movdiri"),
    *("movdir64b", "enqcmd", "serialize", "waitpkg", "uintr", "mwaitx", "ptwrite", "kl", "widekl"),
)
"""Features beyond a level, as gcc's -m options name them (gcc manual: x86 options); it has none for rdtscp, rdpru."""
ARM_FEATURES = (
    *("fp", "simd", "crc", "crypto", "lse", "rdma", "fp16", "fp16fml", "dotprod", "rcpc", "aes", "sha2", "sha3", "sm4"),
    *("bf16", "i8mm", "sve", "sve2", "sve2-bitperm", "sme", "sme2", "f32mm", "f64mm", "ssbs", "sb", "predres", "flagm"),
    *("crypto", "fcma", "jscvt", "pauth", "rcpc2", "rcpc3", "frintts", "flagm2", "lor", "dit", "dcpop", "dcpodp", "xs"),
    *("wfxt", "mops", "hbc", "cssc", "memtag", "rng", "tme", "ls64", "lse128", "sve2p1"),
)
"""Extensions, as gcc's -march names them (gcc manual: AArch64 options)."""
_ARM_LEVEL = re.compile(r"armv(8(\.[1-9])?|9(\.[0-9])?)-a")
_SPELLINGS = {"amxbf16": "amx-bf16", "amxint8": "amx-int8", "amxfp16": "amx-fp16", "amxtile": "amx-tile"}


@dataclass(frozen=True, slots=True)
class Isa:
    """What machine code of one architecture may need: a level, empty where only features are named, and features."""

    arch: str
    level: str
    features: tuple[str, ...]


def parse_isa(entries: Iterable[str], *, where: str) -> tuple[Isa, ...]:
    """Take a declaration apart; raise ConfigError, which names the key where, for what is no level or feature."""
    levels: dict[str, str] = {}
    features: dict[str, list[str]] = {}
    for entry in entries:
        arch, level, named = _parse(_SPELLINGS.get(entry, entry), where)
        if level and levels.get(arch, level) != level:
            raise ConfigError(f"{where}: {levels[arch]} and {level} are two levels of {arch}", hint="Name one.")
        levels |= {arch: level} if level else {}
        features.setdefault(arch, []).extend(named)
    return tuple(Isa(arch, levels.get(arch, ""), tuple(dict.fromkeys(features[arch]))) for arch in sorted(features))


def required_features(isas: Iterable[Isa]) -> tuple[str, ...]:
    """Return what the compilers have to be asked for: those that are in use know everything else."""
    asked = {(feature.arch, feature.name) for feature in FEATURES}
    return tuple(name for isa in isas for name in (isa.level, *isa.features) if (isa.arch, name) in asked)


def _parse(entry: str, where: str) -> tuple[str, str, tuple[str, ...]]:
    """Return architecture, level and features of one entry."""
    if entry in X86_LEVELS:
        return "x86_64", entry, ()
    if entry in X86_FEATURES:
        return "x86_64", "", (entry,)
    level, *extensions = entry.split("+")
    if _ARM_LEVEL.fullmatch(level):
        for name in extensions:
            if name not in ARM_FEATURES:
                raise _unknown(f"{name}' of '{entry}", name, ARM_FEATURES, where)
        return "aarch64", level, tuple(extensions)
    raise _unknown(entry, entry, (*X86_LEVELS, *X86_FEATURES), where)


def _unknown(shown: str, name: str, known: tuple[str, ...], where: str) -> ConfigError:
    near = difflib.get_close_matches(name, known, n=1)
    meant = f" Did you mean '{near[0]}'?" if near else ""
    return ConfigError(
        f"{where}: '{shown}' is no level and no feature.{meant}",
        hint="Levels: x86-64-v2, x86-64-v3, x86-64-v4, armv8.2-a and later; features as gcc's -m options name them, "
        "arm extensions behind a +.",
    )
