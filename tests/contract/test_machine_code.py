"""Machine code as this machine's compiler writes it: what is declared, what is needed, and data among the code."""

from __future__ import annotations

import platform
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.archives import write_wheel
from wheelkiln.config.verify import IsaConfig
from wheelkiln.verify.findings import Finding, Severity
from wheelkiln.verify.isa import check_isa
from wheelkiln.verify.machine_code.declared import Declaration
from wheelkiln.verify.machine_code.model import FileCode, isa_text
from wheelkiln.verify.machine_code.read import read_file

pytestmark = pytest.mark.skipif(
    shutil.which("gcc") is None or platform.machine() != "x86_64", reason="needs gcc on x86_64"
)
_SAXPY = "void saxpy(float *y, const float *x, float a, int n) { for (int i = 0; i < n; i++) y[i] += a * x[i]; }\n"


def _compile(directory: Path, source: str, *flags: str, suffix: str = ".c", stripped: bool = True) -> Path:
    text = directory / f"kern{suffix}"
    text.write_text(source)
    target = directory / "kern.so"
    symbols = ["-s"] if stripped else []
    argv = ["gcc", "-O2", "-fPIC", "-shared", *symbols, *flags, "-o", str(target), str(text)]
    subprocess.run(argv, check=True, capture_output=True)
    return target


def _read(directory: Path, source: str, *flags: str, suffix: str = ".c", stripped: bool = True) -> FileCode:
    found = read_file(_compile(directory, source, *flags, suffix=suffix, stripped=stripped), "kern/kern.so")
    assert not found.problem
    assert not found.undecodable
    return found


def _check(directory: Path, library: Path, isa: str) -> tuple[Finding, ...]:
    wheel = write_wheel(directory, files={"kern/kern.so": library.read_bytes()})
    return check_isa(wheel, Declaration.of(IsaConfig(), (isa,)))


def test_a_wheel_for_avx512_that_is_declared_v2_is_caught_with_the_function(tmp_path: Path) -> None:
    library = _compile(tmp_path, _SAXPY, "-march=skylake-avx512", "-O3", stripped=False)
    (finding,) = _check(tmp_path, library, "x86-64-v2")
    assert (finding.code, finding.severity) == ("isa-exceeds", Severity.ERROR)
    assert finding.message.startswith("kern/kern.so needs x86-64-v")
    assert finding.details[0].startswith("saxpy: avx at 0x")
    assert _check(tmp_path, library, "x86-64-v4") == ()


def test_without_a_declaration_it_is_a_warning(tmp_path: Path) -> None:
    library = _compile(tmp_path, _SAXPY, "-mavx2", "-O3")
    wheel = write_wheel(tmp_path, files={"kern/kern.so": library.read_bytes()})
    (finding,) = check_isa(wheel, Declaration())
    assert (finding.code, finding.severity) == ("isa-undeclared", Severity.WARNING)


@pytest.mark.parametrize("stripped", [True, False])
def test_plain_code_needs_nothing(tmp_path: Path, stripped: bool) -> None:
    source = _SAXPY + (
        "int lowest(unsigned x) { return __builtin_ctz(x); }\n"  # rep bsf, which newer CPUs read as tzcnt
        "int f(int);\nint g(int x) { __builtin_ia32_pause(); return f(x) + f(x + 1); }\n"
        "__attribute__((weak)) int f(int x) { return x; }\n"
    )
    found = _read(tmp_path, source, "-O3", "-fcf-protection=full", stripped=stripped)
    assert found.functions == ()
    assert found.needs.level == "x86-64"
    assert found.covered > found.code * 0.5


_INTRINSICS = {
    "vnni": (
        "-mavx512vnni",
        "__m512i f(__m512i a, __m512i b, __m512i c) { return _mm512_dpbusd_epi32(a, b, c); }",
        "avx512vnni",
    ),
    "bf16": (
        "-mavx512bf16",
        "__m512 f(__m512 a, __m512bh b, __m512bh c) { return _mm512_dpbf16_ps(a, b, c); }",
        "avx512bf16",
    ),
    "fp16": ("-mavx512fp16", "__m512h f(__m512h a, __m512h b) { return _mm512_add_ph(a, b); }", "avx512fp16"),
    "amx": (
        "-mamx-tile -mamx-int8",
        "void f(const void *p) { _tile_loadconfig(p); _tile_dpbusd(0, 1, 2); _tile_release(); }",
        "amx-int8 amx-tile",
    ),
    "amx-bf16": ("-mamx-tile -mamx-bf16", "void f(void) { _tile_dpbf16ps(0, 1, 2); }", "amx-bf16"),
    "xmm with EVEX": (
        "-mavx512f -mavx512vl",
        "__m128i f(__m128i a, __mmask8 k, __m128i b) { return _mm_mask_add_epi32(a, k, a, b); }",
        "avx512f avx512vl",
    ),
    "xmm with VEX": ("-mavx", "__m128 f(__m128 a, __m128 b) { return _mm_add_ps(a, b); }", "avx"),
    "vex vnni": (
        "-mavxvnni",
        "__m256i f(__m256i a, __m256i b, __m256i c) { return _mm256_dpbusd_avx_epi32(a, b, c); }",
        "avxvnni",
    ),
    "xmm without VEX": ("-msse4.1", "__m128i f(__m128i a, __m128i b) { return _mm_mullo_epi32(a, b); }", "sse4.1"),
    "lzcnt": ("-mlzcnt", "int f(unsigned x) { return _lzcnt_u32(x); }", "lzcnt"),
}


@pytest.mark.parametrize("name", _INTRINSICS)
def test_intrinsics(tmp_path: Path, name: str) -> None:
    flags, source, features = _INTRINSICS[name]
    found = _read(tmp_path, f"#include <immintrin.h>\n{source}\n", *flags.split(), stripped=False)
    (function,) = found.functions
    assert function.name == "f"
    assert function.names >= set(features.split())
    assert function.names - set(features.split()) <= {"avx", "avx512f", "avx512bw"}


_JUMP_TABLE = (
    "int f(int k, int x) { switch (k) {\n"
    + "".join(f'case {n}: asm volatile("# {n}"); return x * {n * n + 3};\n' for n in range(12))
    + 'case 12: asm volatile("vaddps %ymm0, %ymm0, %ymm0"); return 5;\ndefault: return 0; } }\n'
)


def test_what_only_a_jump_table_reaches_counts(tmp_path: Path) -> None:
    library = _compile(tmp_path, _JUMP_TABLE)
    shown = subprocess.run(["objdump", "-d", str(library)], check=True, capture_output=True, text=True).stdout
    assert "jmp    *%r" in shown
    (function,) = read_file(library, "kern.so").functions
    assert function.names == {"avx"}


_DATA = r"""
    .text
    .globl  f
    .type   f, @function
f:
    .cfi_startproc
    lea     table(%rip), %rax
    mov     (%rax,%rdi,8), %rax
    ret
{inside}
    .cfi_endproc
    .size   f, .-f
{outside}
    .p2align 6
    .globl  g
    .type   g, @function
g:
    .cfi_startproc
    xor     %eax, %eax
    ret
    .cfi_endproc
    .size   g, .-g
    .section .note.GNU-stack,"",@progbits
"""
_TABLE = "table:\n" + "".join(
    "    .byte 0x62,0xf1,0x7c,0x48,0x58,0xc1\n    .byte 0xc5,0xf4,0x58,0xc2\n" for _ in range(16)
)  # vaddps zmm0,zmm0,zmm1; vaddps ymm0,ymm1,ymm2


@pytest.mark.parametrize("place", ["inside", "outside"])
@pytest.mark.parametrize("stripped", [True, False])
def test_a_table_in_the_code_is_no_code(tmp_path: Path, place: str, stripped: bool) -> None:
    source = _DATA.format(**{"inside": "", "outside": "", place: _TABLE})
    assert _read(tmp_path, source, "-nostdlib", suffix=".s", stripped=stripped).functions == ()


def test_functions_that_only_dispatched_ones_call_are_dispatched(tmp_path: Path) -> None:
    source = (
        '__attribute__((target("avx2"), noinline)) static float helper(const float *x)'
        " { float s = 0; for (int i = 0; i < 64; i++) s += x[i] * x[i + 1]; return s; }\n"
        '__attribute__((target("avx2"))) float sum_avx2(const float *x) { return helper(x) + helper(x + 9); }\n'
        "float sum_sse(const float *x) { return x[0]; }\n"
        "float sum(const float *x)"
        ' { return __builtin_cpu_supports("avx2") ? sum_avx2(x) : sum_sse(x); }\n'
    )
    found = _read(tmp_path, source, stripped=False)
    assert {one.name for one in found.functions} == {"sum_avx2", "helper"}
    assert Declaration.of(IsaConfig(dispatch=("*_avx2",))).exceeding(found) == ()
    assert len(Declaration.of(IsaConfig(dispatch=("*_avx512",))).exceeding(found)) == 2


def test_clones_of_a_function_are_dispatched(tmp_path: Path) -> None:
    source = '__attribute__((target_clones("avx2", "default")))\n' + _SAXPY
    found = _read(tmp_path, source, "-O3", stripped=False)
    assert [one.name for one in found.functions if "avx2" in one.names] == ["saxpy.avx2"]
    assert Declaration().exceeding(found) == ()


def test_a_property_note_that_asks_for_more_than_the_code(tmp_path: Path) -> None:
    library = _compile(tmp_path, _SAXPY, "-Wl,-z,x86-64-v3")
    (finding,) = _check(tmp_path, library, "x86-64-v4")
    assert finding.code == "isa-property-note"
    assert "asks for x86-64-v3, and its code needs x86-64" in finding.message


def test_object_files_are_read_too(tmp_path: Path) -> None:
    found = read_file(_compile(tmp_path, _SAXPY, "-c", "-mavx2", "-O3", stripped=False), "kern.o")
    assert [one.name for one in found.functions] == ["saxpy"]
    assert isa_text(found.needs).startswith("x86-64-v3")
