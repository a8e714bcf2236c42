"""Does this processor have what a level needs? Asked before the extension is loaded."""

import ctypes
import platform
from pathlib import Path

AVX2 = {"avx2", "fma", "bmi2", "f16c"}
AVX512 = AVX2 | {"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"}
NEEDS = {
    "noavx512": AVX2,
    "avx512": AVX512,
    "avx512vnni": AVX512 | {"avx512_vnni"},
    "avx512bf16": AVX512 | {"avx512_vnni", "avx512_bf16"},
    "amxbf16": AVX512 | {"avx512_vnni", "avx512_bf16", "amx_tile", "amx_bf16"},
    "neon": {"asimd"},
    "armbf16": {"asimd", "asimddp", "bf16"},
}
"""The levels' features as Linux names them in /proc/cpuinfo."""
ARM_BITS = {"asimd": (16, 1), "asimddp": (16, 20), "bf16": (26, 14)}
"""The word (AT_HWCAP, AT_HWCAP2) and the bit in which the kernel tells a feature of arm64 to each process."""


def features():
    """Name the features of this processor.

    On arm64 the kernel's words are asked: an emulator fills them, and its /proc/cpuinfo can be that of the host.
    """
    if platform.machine() == "aarch64":
        ask = ctypes.CDLL(None).getauxval
        ask.argtypes, ask.restype = [ctypes.c_ulong], ctypes.c_ulong
        return {name for name, (word, bit) in ARM_BITS.items() if ask(word) >> bit & 1}
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        name, _, value = line.partition(":")
        if name.strip() in ("flags", "Features"):
            return set(value.split())
    return set()


def check(level):
    """Raise ImportError when the processor lacks the level."""
    missing = sorted(NEEDS[level] - features())
    if missing:
        raise ImportError(f"simd_dot.{level} needs a processor with {', '.join(missing)}")
