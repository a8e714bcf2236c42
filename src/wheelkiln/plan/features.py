"""The CPU features that a compiler can be asked to accept, and the compilers that began to."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass

from wheelkiln.errors import ConfigError

__all__ = ["FEATURES", "Feature", "Toolchain", "check_features", "explain_missing", "features_of"]


@dataclass(frozen=True, slots=True)
class Feature:
    """A CPU feature: the compiler flags that ask for it, and the first gcc and clang that know it.

    A translation unit that uses it is ``manylinux/features/<arch>/<name>.c``. A version is that of the compiler's
    release notes (gcc.gnu.org/gcc-N/changes.html, releases.llvm.org), 0 where it is older than any in use.
    """

    name: str
    arch: str
    flags: str
    gcc: int = 0
    clang: int = 0


FEATURES = (
    Feature("x86-64-v3", "x86_64", "-march=x86-64-v3", 11, 12),
    Feature("x86-64-v4", "x86_64", "-march=x86-64-v4", 11, 12),
    Feature("avx512vnni", "x86_64", "-mavx512vnni -mavx512vl", 8, 6),
    Feature("avx512bf16", "x86_64", "-mavx512bf16 -mavx512vl", 10, 9),
    Feature("avx512fp16", "x86_64", "-mavx512fp16 -mavx512vl", 12, 14),
    Feature("avxvnni", "x86_64", "-mavxvnni", 11, 12),
    Feature("amx-int8", "x86_64", "-mamx-tile -mamx-int8", 11, 12),
    Feature("amx-bf16", "x86_64", "-mamx-tile -mamx-bf16", 11, 12),
    Feature("amx-fp16", "x86_64", "-mamx-tile -mamx-fp16", 13, 16),
    Feature("dotprod", "aarch64", "-march=armv8.2-a+dotprod", 8, 8),
    Feature("fp16", "aarch64", "-march=armv8.2-a+fp16", 8, 8),
    Feature("bf16", "aarch64", "-march=armv8.2-a+bf16", 10, 11),
    Feature("i8mm", "aarch64", "-march=armv8.2-a+i8mm", 10, 11),
    Feature("sve", "aarch64", "-march=armv8.2-a+sve", 10, 11),
    Feature("sve-bf16", "aarch64", "-march=armv8.2-a+sve+bf16", 10, 11),
    Feature("sve2", "aarch64", "-march=armv8.5-a+sve2", 10, 11),
    Feature("sme", "aarch64", "-march=armv9-a+sme", 14, 18),
)


@dataclass(frozen=True, slots=True)
class Toolchain:
    """What an image's compile checks found: the compiler, its version and the features that it accepts."""

    compiler: str
    version: str
    features: frozenset[str]


def features_of(arch: str, names: Iterable[str]) -> tuple[Feature, ...]:
    """Return the named features that belong to an architecture."""
    wanted = set(names)
    return tuple(feature for feature in FEATURES if feature.arch == arch and feature.name in wanted)


def check_features(names: Iterable[str]) -> None:
    """Raise ConfigError for a name that is no feature."""
    known = [feature.name for feature in FEATURES]
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            meant = f" Did you mean '{near[0]}'?" if near else ""
            raise ConfigError(
                f"image.requires: '{name}' is not a CPU feature that can be checked.{meant}",
                hint=f"Known are: {', '.join(known)}.",
            )


def explain_missing(toolchain: Toolchain, arch: str, required: Iterable[str]) -> str:
    """Say what a toolchain lacks and which one has it; empty when it lacks nothing."""
    missing = [feature for feature in features_of(arch, required) if feature.name not in toolchain.features]
    if not missing:
        return ""
    names = ", ".join(feature.name for feature in missing)
    needed = max(feature.gcc if toolchain.compiler == "gcc" else feature.clang for feature in missing)
    return (
        f"{toolchain.compiler} {toolchain.version} does not accept {names}, "
        f"which needs {toolchain.compiler} >= {needed}"
    )
