"""A64 instructions to the extensions that they need, named as gcc's -march names them.

Each row is a mask, a value and an extension: an instruction needs what the first row says that fits (Arm ARM, C4, the
encoding index). All of A64 has 32 bits, so a table is exact, and far faster than a disassembler that makes text. Hints,
among them those of pointer authentication and branch targets, run as nothing on older CPUs and are in no row.
"""

from __future__ import annotations

__all__ = ["classify"]

_ROWS = (
    # exact encodings of armv8-a inside of what newer extensions take
    (0xFFFFFC00, 0x1EE24000, ""),  # fcvt s, h
    (0xFFFFFC00, 0x1EE2C000, ""),  # fcvt d, h
    # scalable vectors and matrices
    (0xFE000000, 0x44000000, "sve2?"),
    (0x1E000000, 0x04000000, "sve?"),
    (0x9E000000, 0x80000000, "sme"),
    (0xFFFFF0FF, 0xD503407F, "sme"),  # smstart, smstop: msr svcr
    # system
    (0xFFE0001F, 0xD4600000, "tme"),
    (0xFFFFFEE0, 0xD5233060, "tme"),
    (0xFFFFFFFF, 0xD503307F, "tme"),
    (0xFFFFFFFF, 0xD50330FF, "sb"),
    (0xFFFFF3FF, 0xD503323F, "xs"),
    (0xFFFFFFC0, 0xD5031000, "wfxt"),
    (0xFFFFFFFF, 0xD500401F, "flagm"),
    (0xFFFFFFDF, 0xD500405F, "flagm2"),
    (0xFFFFFFFF, 0xD500403F, "flagm2"),
    (0xFFFFF0FF, 0xD503403F, "ssbs"),
    (0xFFFFF0FF, 0xD503405F, "dit"),
    (0xFFFFF0FF, 0xD503409F, "memtag"),
    (0xFFDFFFE0, 0xD51B42C0, "ssbs"),
    (0xFFDFFFC0, 0xD51B2400, "rng"),
    (0xFFFFFFE0, 0xD50B7C20, "dcpop"),
    (0xFFFFFFE0, 0xD50B7D20, "dcpodp"),
    (0xFFFFFF00, 0xD50B7300, "predres"),
    (0xFF000010, 0x54000010, "hbc"),
    # pointer authentication that is no hint
    (0xFEDFF800, 0xD61F0800, "pauth"),
    (0xFFFFFBFF, 0xD65F0BFF, "pauth"),
    (0xFFFF8000, 0xDAC10000, "pauth"),
    (0xFFE0FC00, 0x9AC03000, "pauth"),
    (0xFF200400, 0xF8200400, "pauth"),
    # memory tagging
    (0xBFC0C000, 0x91800000, "memtag"),
    (0xFFE0FC00, 0x9AC01000, "memtag"),
    (0xFFE0FC00, 0x9AC01400, "memtag"),
    (0xDFE0FC00, 0x9AC00000, "memtag"),
    (0xFF200000, 0xD9200000, "memtag"),
    (0xFEC00000, 0x68800000, "memtag"),
    (0xFFC00000, 0x69000000, "memtag"),
    # loads, stores and atomics
    (0xFFFFFC00, 0xF83FD000, "ls64"),
    (0xFFFFFC00, 0xF83F9000, "ls64"),
    (0xFFE0FC00, 0xF820B000, "ls64"),
    (0xFFE0FC00, 0xF820A000, "ls64"),
    (0x3FFFFC00, 0x38BFC000, "rcpc"),
    (0x3F208C00, 0x38200000, "lse"),
    (0x3F20FC00, 0x38208000, "lse"),
    (0x3FA07C00, 0x08A07C00, "lse"),
    (0xBFA07C00, 0x08207C00, "lse"),
    (0x3FA08000, 0x08800000, "lor"),
    (0x3F200C00, 0x19000000, "rcpc2"),
    (0x3F200C00, 0x1D000800, "rcpc3"),
    (0x3B200C00, 0x19000400, "mops"),
    (0xFF200C00, 0x19200000, "lse128"),
    (0xBFFFFC00, 0x0D418400, "rcpc3"),
    (0xBFFFFC00, 0x0D018400, "rcpc3"),
    (0xBFA0EC00, 0x99000800, "rcpc3"),
    # integers
    (0x7FE0E000, 0x1AC04000, "crc"),
    (0x7FE0F000, 0x1AC06000, "cssc"),
    (0x7FF00000, 0x11C00000, "cssc"),
    (0x7FFFFC00, 0x5AC01800, "cssc"),
    (0x7FFFFC00, 0x5AC01C00, "cssc"),
    (0x7FFFFC00, 0x5AC02000, "cssc"),
    (0xFFE07C10, 0xBA000400, "flagm"),
    (0xFFFFBC1F, 0x3A00080D, "flagm"),
    # cryptography
    (0xFFFFCC00, 0x4E284800, "aes"),
    (0xBFE0FC00, 0x0EE0E000, "aes"),
    (0xFFE08C00, 0x5E000000, "sha2"),
    (0xFFFFCC00, 0x5E280800, "sha2"),
    (0xFFE0F000, 0xCE608000, "sha3"),
    (0xFFE0F000, 0xCE60C000, "sm4"),
    (0xFFC08000, 0xCE000000, "sha3"),
    (0xFFE08000, 0xCE400000, "sm4"),
    (0xFFE0C000, 0xCE408000, "sm4"),
    (0xFFE00000, 0xCE800000, "sha3"),
    (0xFFFFFC00, 0xCEC08000, "sha3"),
    (0xFFFFFC00, 0xCEC08400, "sm4"),
    # vectors of integers
    (0xBF20F400, 0x2E008400, "rdma"),
    (0xFF20F400, 0x7E008400, "rdma"),
    (0xBF00D400, 0x2F00D000, "rdma"),
    (0xFF00D400, 0x7F00D000, "rdma"),
    (0x9FE0FC00, 0x0E809400, "dotprod"),
    (0x9FC0F400, 0x0F80E000, "dotprod"),
    (0xBFE0FC00, 0x0E809C00, "i8mm"),
    (0xBF40F400, 0x0F00F000, "i8mm"),
    (0xDFE0FC00, 0x4E80A400, "i8mm"),
    (0xFFE0FC00, 0x4E80AC00, "i8mm"),
    # bfloat16
    (0xBF40F400, 0x0F40F000, "bf16"),
    (0xFFE0FC00, 0x6E40EC00, "bf16"),
    (0xBF60FC00, 0x2E40FC00, "bf16"),
    (0xBFFFFC00, 0x0EA16800, "bf16"),
    (0xFFFFFC00, 0x1E634000, "bf16"),
    # complex numbers, conversions
    (0xBF20E400, 0x2E00C400, "fcma"),
    (0xBF20EC00, 0x2E00E400, "fcma"),
    (0xBF009400, 0x2F001000, "fcma"),
    (0xFFFFFC00, 0x1E7E0000, "jscvt"),
    (0xFFBE7C00, 0x1E284000, "frintts"),
    (0x9FBFEC00, 0x0E21E800, "frintts"),
    # half precision
    (0x7FC00000, 0x1EC00000, "fp16"),
    (0xFFC00000, 0x1FC00000, "fp16"),
    (0x9F60C400, 0x0E400400, "fp16"),
    (0xDF60C400, 0x5E400400, "fp16"),
    (0x9F7E0C00, 0x0E780800, "fp16"),
    (0xDF7E0C00, 0x5E780800, "fp16"),
    (0xBF7FFC00, 0x0E30C800, "fp16"),
    (0xBF7FFC00, 0x0E30F800, "fp16"),
    (0xFF7E0C00, 0x5E300800, "fp16"),
    (0xBFF8FC00, 0x0F00FC00, "fp16"),
    (0xBFC0B400, 0x0F001000, "fp16"),
    (0x9FC0F400, 0x0F009000, "fp16"),
    (0xFFC0B400, 0x5F001000, "fp16"),
    (0xDFC0F400, 0x5F009000, "fp16"),
    (0x9FF0FC00, 0x0F10E400, "fp16"),
    (0x9FF0FC00, 0x0F10FC00, "fp16"),
    (0xDFF0FC00, 0x5F10E400, "fp16"),
    (0xDFF0FC00, 0x5F10FC00, "fp16"),
    (0xBF60FC00, 0x0E20EC00, "fp16fml"),
    (0xBF60FC00, 0x2E20CC00, "fp16fml"),
    (0xBFC0B400, 0x0F800000, "fp16fml"),
    (0xBFC0B400, 0x2F808000, "fp16fml"),
)
_BY_TOP: dict[int, tuple[tuple[int, int, str], ...]] = {}


def classify(word: int) -> str:
    """Return the extension that an instruction needs beyond armv8-a, "" for none, and "?" for what is none at all."""
    top = word >> 24
    rows = _BY_TOP.get(top)
    if rows is None:
        rows = tuple(row for row in _ROWS if not ((row[0] & row[1]) >> 24 ^ top) & row[0] >> 24)
        _BY_TOP[top] = rows
    for mask, value, name in rows:
        if word & mask == value:
            return _scalable(word) if name.endswith("?") else name
    return "?" if word >> 25 & 15 in (0, 1, 3) else ""


_SVE_BASE = (
    (0xFFA0F800, 0x44800000),  # sdot, udot of vectors
    (0xFFA0F800, 0x44A00000),  # and of elements
)
_SVE_SHARED = (
    (0xFFE0FC00, 0x44807800, "i8mm"),
    (0xFFE0F800, 0x44A01800, "i8mm"),
    (0xFE60C000, 0xA4200000, "f64mm"),
    (0xFF20F800, 0x4400C000, "sve2p1"),
    (0xFF20C010, 0x25204000, "sve2p1"),
    (0xFF20F800, 0x04205800, "sme"),
    (0xFFE0E000, 0x05A00000, "f64mm"),
    (0xFF20FC00, 0x45009800, "i8mm"),
    (0xFFE0F800, 0x64608000, "bf16"),
    (0xFFE0F800, 0x64604000, "bf16"),
    (0xFFE0FC00, 0x6460E400, "bf16"),
    (0xFFFFE000, 0x658AA000, "bf16"),
    (0xFFFFE000, 0x648AA000, "bf16"),
    (0xFFE0F800, 0x64E08000, "bf16"),
    (0xFFE0F000, 0x64E04000, "bf16"),
    (0xFFE0FC00, 0x64A0E400, "f32mm"),
    (0xFFE0FC00, 0x64E0E400, "f64mm"),
)
_SVE2 = (
    (0xFF20F800, 0x04206000), (0xFF20F800, 0x04206800), (0xFF20F800, 0x04207000),
    (0xFF20F800, 0x04203800), (0xFF20FC00, 0x04203400),
    (0xFF3CE000, 0x040C8000), (0xFF3EE000, 0x04068000),
    (0xFFE0D000, 0x64A08000), (0xFFA0D000, 0x64A04000), (0xFF38E000, 0x64108000),
    (0xFFFDE000, 0x6488A000), (0xFFFDE000, 0x64C9A000), (0xFFFFE000, 0x650AA000), (0xFFF9E000, 0x6518A000),
    (0xFE60C000, 0x84008000), (0xFE60A000, 0xC4008000), (0xFE20E000, 0xE4002000),
    (0xFF20E400, 0x25200000), (0xFF20FC00, 0x25203000),
    (0xFF20FC00, 0x05206000), (0xFF20FC00, 0x05202800), (0xFF20FC00, 0x05202C00), (0xFFE0E000, 0x05600000),
)  # fmt: skip


def _scalable(word: int) -> str:
    """Tell sve, sve2 and their extensions apart; all is sve that no row knows to be newer."""
    for mask, value, name in _SVE_SHARED:
        if word & mask == value:
            return name
    if any(word & mask == value for mask, value in _SVE_BASE):
        return "sve"
    if word >> 25 == 0x44 >> 1 or any(word & mask == value for mask, value in _SVE2):
        return "sve2"
    return "sve"
