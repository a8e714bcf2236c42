"""x86 instructions to the CPU features that they need, named as gcc's -m options."""

from __future__ import annotations

from enum import IntEnum

from iced_x86 import Code, CpuidFeature, FlowControl, Instruction, Mnemonic

__all__ = ["CODES", "Kind", "describe"]

CODES = 1 + max(value for name, value in vars(Code).items() if name.isupper() and isinstance(value, int))
"""How many codes the decoder has."""


class Kind(IntEnum):
    """What a decoder has to do at an instruction."""

    UNKNOWN = 0
    PLAIN = 1
    FEATURE = 2
    BRANCH = 3
    JUMP = 4
    INDIRECT_JUMP = 5
    STOP = 6
    CALL = 7
    INVALID = 8
    STRANGE = 9
    """Nothing that runs in user mode: a sign of data."""
    ASKS = 10
    """cpuid, by which a program asks what it runs on."""
    ADDRESS = 11
    """lea, which may take the address of a function."""


_FEATURES = {CpuidFeature.__dict__[name]: name for name in vars(CpuidFeature) if name.isupper()}
_NAMES = {
    "BMI1": "bmi",
    "SSE4_1": "sse4.1",
    "SSE4_2": "sse4.2",
    "PCLMULQDQ": "pclmul",
    "RDRAND": "rdrnd",
    "CMPXCHG16B": "cx16",
    "CET_SS": "shstk",
    "D3NOW": "3dnow",
    "D3NOWEXT": "3dnowa",
    "HLE_OR_RTM": "rtm",
    "MONITORX": "mwaitx",
    "AVX512_4FMAPS": "avx5124fmaps",
    "AVX512_4VNNIW": "avx5124vnniw",
    "AESKLE": "kl",
    "WIDE_KL": "widekl",
    "RAO_INT": "raoint",
}
_SIMPLE = (
    *("ADX", "AES", "AVX", "AVX2", "BMI2", "CLDEMOTE", "CLFLUSHOPT", "CLWB", "CLZERO", "CMPCCXADD", "ENQCMD", "F16C"),
    *("FMA", "FMA4", "FSGSBASE", "GFNI", "KL", "LWP", "LZCNT", "MOVBE", "MOVDIR64B", "MOVDIRI", "PKU", "POPCNT"),
    *("PTWRITE", "RDPID", "RDPRU", "RDSEED", "RDTSCP", "RTM", "SERIALIZE", "SHA", "SHA512", "SM3", "SM4", "SSE3"),
    *("SSE4A", "SSSE3", "TBM", "TSXLDTRK", "UINTR", "VAES", "VPCLMULQDQ", "WAITPKG", "XOP", "XSAVE", "XSAVEC"),
    *("XSAVEOPT", "XSAVES"),
)
_NAMES |= {name: name.lower() for name in _SIMPLE}
_NAMES |= {name: name.lower().replace("_", "-") for name in _FEATURES.values() if name.startswith("AMX")}
_NAMES |= {
    name: name.lower().replace("_", "")
    for name in _FEATURES.values()
    if name.startswith(("AVX512", "AVX_")) and name not in _NAMES
}
_HARMLESS = frozenset(
    {
        *(Mnemonic.TZCNT, Mnemonic.XGETBV, Mnemonic.RDSSPD, Mnemonic.RDSSPQ, Mnemonic.CLDEMOTE, Mnemonic.PREFETCHW),
        *(Mnemonic.PREFETCH, Mnemonic.PREFETCHWT1, Mnemonic.ENDBR64, Mnemonic.ENDBR32, Mnemonic.PAUSE),
    }
)
"""Instructions that older CPUs run as others without harm, and the one that detection itself needs.

`tzcnt` is `rep bsf`: compilers write it for every CPU where the operand is not 0, and both give the same then.
`lzcnt` is `rep bsr` to older CPUs too, but gives another result, so it counts.
"""
_KINDS = {
    FlowControl.CONDITIONAL_BRANCH: Kind.BRANCH,
    FlowControl.UNCONDITIONAL_BRANCH: Kind.JUMP,
    FlowControl.INDIRECT_BRANCH: Kind.INDIRECT_JUMP,
    FlowControl.RETURN: Kind.STOP,
    FlowControl.EXCEPTION: Kind.STOP,
    FlowControl.CALL: Kind.CALL,
}


_KINDS_BY_MNEMONIC = {
    Mnemonic.INT3: Kind.STOP,
    Mnemonic.HLT: Kind.STOP,
    Mnemonic.CPUID: Kind.ASKS,
    Mnemonic.LEA: Kind.ADDRESS,
}


def describe(instruction: Instruction) -> tuple[Kind, frozenset[str]]:
    """Return what an instruction is, and the features that it needs beyond x86-64 as it began."""
    kind = Kind.INVALID if instruction.code == Code.INVALID else _KINDS_BY_MNEMONIC.get(instruction.mnemonic)
    if kind is None and _is_strange(instruction):
        kind = Kind.STRANGE
    if kind is None:
        kind = _KINDS.get(instruction.flow_control)
    if kind is not None:
        return kind, frozenset()
    features = _features_of(instruction)
    return (Kind.FEATURE if features else Kind.PLAIN), features


def _features_of(instruction: Instruction) -> frozenset[str]:
    if instruction.mnemonic in _HARMLESS:
        return frozenset()
    if instruction.mnemonic in (Mnemonic.LAHF, Mnemonic.SAHF):  # not in the first CPUs' 64-bit mode
        return frozenset({"sahf"})
    names = (_NAMES.get(_FEATURES[feature], "") for feature in instruction.cpuid_features())
    return frozenset(name for name in names if name)


def _is_strange(instruction: Instruction) -> bool:
    info = instruction.op_code()
    return info.must_be_cpl0 or info.is_input_output or instruction.mnemonic in (Mnemonic.CLI, Mnemonic.STI)
