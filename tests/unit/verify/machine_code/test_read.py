from __future__ import annotations

import random
import struct
import time
from pathlib import Path

import pytest

from tests.elves import TEXT, Part, make_elf
from wheelkiln.verify.machine_code.model import FileCode
from wheelkiln.verify.machine_code.read import read_file

_RET = b"\xc3"
_VADDPS_YMM = bytes.fromhex("c5f458c2")
_VADDPS_ZMM = bytes.fromhex("62f17c4858c1")
_VPADDD_XMM_EVEX = bytes.fromhex("62f17d08fec1")
_NOP = b"\x90"


def _read(tmp_path: Path, content: bytes) -> FileCode:
    (tmp_path / "kern.so").write_bytes(content)
    return read_file(tmp_path / "kern.so", "kern.so")


def _features(tmp_path: Path, code: bytes, **options: bool) -> set[str]:
    found = _read(tmp_path, make_elf([Part("f", code)], **options))  # type: ignore[arg-type]
    assert not found.problem
    return set(found.features)


@pytest.mark.parametrize("options", [{"symbols": True}, {"symbols": False, "frames": True}])
def test_functions_with_what_they_need(tmp_path: Path, options: dict[str, bool]) -> None:
    parts = [Part("plain", _NOP + _RET), Part("wide", _NOP + _VADDPS_ZMM + _VADDPS_YMM + _RET)]
    found = _read(tmp_path, make_elf(parts, **options))  # type: ignore[arg-type]
    (function,) = found.functions
    assert (function.address, function.size) == (TEXT + 2, 12)
    assert function.name == ("wide" if options["symbols"] else "")
    assert dict(function.features) == {"avx": TEXT + 9, "avx512f": TEXT + 3}
    assert (found.total_functions, found.code, found.covered) == (2, 14, 14)


@pytest.mark.parametrize(
    ("code", "features"),
    [
        ("f30fbcc0", set()),  # tzcnt, which is rep bsf
        ("f30fbdc0", {"lzcnt"}),
        ("f30fb8c0", {"popcnt"}),
        ("f30f1efa", set()),  # endbr64
        ("f390", set()),  # pause
        ("0f01d0", set()),  # xgetbv
        ("0f0d08", set()),  # prefetchw
        ("660f1f440000", set()),  # a long nop
        ("f30f1ec8", set()),  # rdsspd
        ("0fa2", set()),  # cpuid
        ("c5f877", {"avx"}),  # vzeroupper
        ("62f17d08fec1", {"avx512f", "avx512vl"}),  # on xmm
        ("c5f9fec1", {"avx"}),  # on xmm
        ("660ffec1", set()),  # the same, as SSE2 has it
        ("660f3840c1", {"sse4.1"}),
        ("c4e27d50c1", {"avxvnni"}),
        ("62f27d4850c1", {"avx512vnni"}),
        ("62f27e4852c1", {"avx512bf16", "avx512f"}),
        ("62f57c4858c1", {"avx512fp16"}),
        ("c4e2715ec2", {"amx-int8"}),
        ("9e", {"sahf"}),
        ("480fc70f", {"cx16"}),
        ("0fc7f0", {"rdrnd"}),
    ],
)
def test_instructions_of_x86(tmp_path: Path, code: str, features: set[str]) -> None:
    assert _features(tmp_path, bytes.fromhex(code) + _RET) == features


def test_what_lies_behind_a_return_is_not_reached(tmp_path: Path) -> None:
    assert _features(tmp_path, _NOP + _RET + _VADDPS_ZMM + _RET) == set()


def test_what_a_branch_leads_to_is_reached(tmp_path: Path) -> None:
    backwards = b"\xeb\x05" + _VADDPS_YMM + _RET + b"\x75\xf9" + _RET  # jmp over it, jne back to it
    assert _features(tmp_path, backwards) == {"avx"}


def test_a_block_behind_an_indirect_jump_counts_if_all_of_it_is_code(tmp_path: Path) -> None:
    jump = b"\xff\xe0"
    assert _features(tmp_path, jump + _VADDPS_YMM + _RET) == {"avx"}
    assert _features(tmp_path, jump + _VADDPS_YMM + b"\x06\x06" + _RET) == set()


def test_bytes_of_no_function_do_not_count(tmp_path: Path) -> None:
    parts = [Part("f", _RET + _VADDPS_ZMM * 20, 1), Part("g", _RET)]
    found = _read(tmp_path, make_elf(parts))
    assert not found.functions
    assert found.covered == 2


def test_what_only_a_call_leads_to_is_found(tmp_path: Path) -> None:
    call = b"\xe8" + struct.pack("<i", 3) + _RET + _NOP * 2  # to behind the padding
    found = _read(tmp_path, make_elf([Part("f", call + _VADDPS_YMM + _RET, 6)]))
    assert [(one.address, set(one.names)) for one in found.functions] == [(TEXT + 8, {"avx"})]


def test_overlapping_functions_share_no_bytes(tmp_path: Path) -> None:
    inner = Part("inner", _VADDPS_YMM + _RET)
    found = _read(tmp_path, make_elf([Part("outer", _NOP * 3, 20), inner, Part("rest", _NOP * 12)]))
    assert found.covered == found.code
    assert [one.name for one in found.functions] == ["inner"]


def test_a_place_that_is_reached_and_no_instruction(tmp_path: Path) -> None:
    found = _read(tmp_path, make_elf([Part("f", _NOP + b"\x06" + _RET)]))
    assert found.undecodable == (TEXT + 1,)


def test_a_program_that_asks(tmp_path: Path) -> None:
    assert _read(tmp_path, make_elf([Part("f", b"\x0f\xa2" + _RET)])).asks_cpu
    assert not _read(tmp_path, make_elf([Part("f", _NOP + _RET)])).asks_cpu


def test_what_refers_to_a_function(tmp_path: Path) -> None:
    call = b"\xe8" + struct.pack("<i", 1) + _RET
    found = _read(tmp_path, make_elf([Part("caller", call), Part("callee", _VADDPS_YMM + _RET)]))
    (function,) = found.functions
    assert function.referrers == (TEXT,)
    assert found.callers[TEXT].name == "caller"


def test_the_level_of_the_property_note(tmp_path: Path) -> None:
    properties = struct.pack("<IIII", 0xC0008002, 4, 0b100, 0)
    note = struct.pack("<III4s", 4, len(properties), 5, b"GNU\0") + properties
    assert _read(tmp_path, make_elf([Part("f", _RET)], note=note)).noted_level == 3


def _words(*words: int) -> bytes:
    return struct.pack(f"<{len(words)}I", *words)


_ARM_RET = 0xD65F03C0


@pytest.mark.parametrize(
    ("word", "features"),
    [
        (0xD503233F, set()),  # paciasp, a hint
        (0xD503245F, set()),  # bti c
        (0xC85F7C20, set()),  # ldxr
        (0xC8E17C22, {"lse"}),  # casal
        (0x1AC14C00, {"crc"}),
        (0x4E829420, {"dotprod"}),
        (0x1EE12800, {"fp16"}),  # fadd h0
        (0x1EE24000, set()),  # fcvt s0, h0
        (0x04A10020, {"sve"}),
        (0x45009800, {"i8mm"}),
        (0x04616020, {"sve2"}),
        (0x4E284800, {"aes"}),
        (0x6E42EC20, {"bf16"}),
    ],
)
def test_instructions_of_aarch64(tmp_path: Path, word: int, features: set[str]) -> None:
    found = _read(tmp_path, make_elf([Part("f", _words(word, _ARM_RET))], machine=183))
    assert found.arch == "aarch64"
    assert found.features == features


def test_literals_behind_a_return_and_marked_data_are_no_code(tmp_path: Path) -> None:
    casal = 0xC8E17C22
    behind = make_elf([Part("f", _words(_ARM_RET, casal))], machine=183)
    assert not _read(tmp_path, behind).functions
    marks = {"$x": TEXT, "$d": TEXT + 4, "$x.1": TEXT + 8}
    marked = make_elf([Part("f", _words(0xD503201F, casal, _ARM_RET))], machine=183, marks=marks)
    assert not _read(tmp_path, marked).functions


def test_an_outlined_atomic_asks_before_it_uses_lse(tmp_path: Path) -> None:
    outlined = _words(0x34000060, 0xB8E00020, _ARM_RET, 0x885FFC20, 0x8811FC20, _ARM_RET)  # cbz w0 to ldaxr
    assert not _read(tmp_path, make_elf([Part("", outlined)], machine=183)).functions


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "it is empty"),
        (b"\x7fELF\x02\x01\x01", "it is cut off in its header"),
        (b"\x7fELFnot", "it only begins like an ELF file"),
        (b"GROUP ( libkern.so.1 )", "it is no ELF file"),
        (b"!<arch>\n", "it is a static library"),
        (make_elf([Part("f", _RET)])[:-1], "its section table is cut off"),
        (make_elf([Part("f", _RET)], machine=3), "it is for another kind of machine"),
        (b"\x7fELF\x01\x01\x01" + b"\0" * 100, "it is for another kind of machine"),
    ],
)
def test_files_that_are_none(tmp_path: Path, content: bytes, problem: str) -> None:
    assert _read(tmp_path, content).problem.startswith(problem)


def test_a_section_table_that_is_larger_than_the_file(tmp_path: Path) -> None:
    content = bytearray(make_elf([Part("f", _RET)]))
    content[60:62] = b"\0\0"  # the count stands in the first section, then
    (offset,) = struct.unpack_from("<Q", content, 40)
    struct.pack_into("<Q", content, offset + 32, 1 << 40)
    assert _read(tmp_path, bytes(content)).problem == f"it says that it has {1 << 40} sections"


def test_damaged_files_never_crash(tmp_path: Path) -> None:
    parts = [Part("f", _NOP + _VADDPS_YMM + _RET), Part("g", b"\xff\xe0" + _VPADDD_XMM_EVEX + _RET)]
    whole = make_elf(parts, frames=True)
    chance = random.Random(6)  # noqa: S311 -- the same damage every time
    for _ in range(400):
        damaged = bytearray(whole)
        for _ in range(chance.randrange(1, 6)):
            damaged[chance.randrange(4, len(damaged))] = chance.randrange(256)
        _read(tmp_path, bytes(damaged))


def test_many_overlapping_symbols_cost_no_more_than_the_file(tmp_path: Path) -> None:
    size = 20_000
    parts = [Part("f", _NOP, size)] * size
    started = time.monotonic()
    assert _read(tmp_path, make_elf(parts)).covered == size
    assert time.monotonic() - started < 20


def test_a_file_without_sections_has_code_of_no_function(tmp_path: Path) -> None:
    segment = struct.pack("<IIQQQQQQ", 1, 5, 0, TEXT, 0, 64 + 56, 0, 0)
    content = bytearray(make_elf([])[:64]) + segment
    struct.pack_into("<QQ", content, 32, 64, 0)
    struct.pack_into("<HH", content, 54, 56, 1)
    found = _read(tmp_path, bytes(content))
    assert (found.problem, found.code, found.covered) == ("", 64 + 56, 0)
    assert _read(tmp_path, bytes(content[:-1])).problem == "its segment table is cut off"
