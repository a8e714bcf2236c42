from __future__ import annotations

import os
from pathlib import Path

import pytest
from link_inputs import (
    candidates,
    digest_file,
    library_names,
    named_files,
    parse_dependencies,
    parse_probe,
    relevant_environment,
)

_GCC = """Using built-in specs.
COLLECT_GCC=/usr/bin/gcc
gcc version 14.2.0
 /usr/libexec/gcc/collect2 -plugin /usr/p.so "-plugin-opt=-fresolution=/tmp/cc{}.res" -o c.so -L/l a.o --version -lm
collect2 version 14.2.0
/usr/bin/ld -plugin /usr/p.so -plugin-opt=-fresolution=/tmp/cc{}.res -o c.so -L/l a.o --version -lm
"""
_CLANG = """clang version 19.1.7
 "/usr/lib/llvm-19/bin/ld.lld" "--hash-style=gnu" "-o" "c.so" "-L/l" "a.o" "--version" "-lm"
"""


def test_the_linker_is_the_last_command_of_a_probe() -> None:
    probe = parse_probe("GNU ld 2.44\n", _GCC.format("AAAAAA", "BBBBBB"))
    assert probe.programs == ("/usr/libexec/gcc/collect2", "/usr/bin/ld")
    assert probe.arguments[-4:] == ("-L/l", "a.o", "--version", "-lm")
    clang = parse_probe("LLD 19\n", _CLANG)
    assert (clang.programs, clang.arguments[-1]) == (("/usr/lib/llvm-19/bin/ld.lld",), "-lm")


def test_two_probes_of_one_link_are_equal() -> None:
    one, two = (parse_probe("GNU ld 2.44\n", _GCC.format(name, name)) for name in ("AAAAAA", "BBBBBB"))
    assert one.text == two.text
    assert parse_probe("GNU ld 2.45\n", _GCC.format("A", "A")).text != parse_probe("x", _GCC.format("A", "A")).text


def test_a_probe_that_tells_no_linker() -> None:
    assert parse_probe("", "error: no such file\n").programs == ()


def test_what_compiler_and_linker_read_of_the_environment() -> None:
    environ = {
        "LIBRARY_PATH": "/l",
        "LD_RUN_PATH": "/r",
        "PATH": "/bin",
        "SOURCE_DATE_EPOCH": "1",
        "COMPILER_PATH": "/c",
    }
    assert relevant_environment(environ) == {"COMPILER_PATH": "/c", "LD_RUN_PATH": "/r", "LIBRARY_PATH": "/l"}


def test_files_are_found_wherever_an_argument_names_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a.o", "v.map", "dyn", "old.so", "plugin.so", "other"):
        Path(name).touch()
    arguments = ["a.o", "-Wl,--version-script=v.map", "-Wl,--dynamic-list,dyn", "-plugin", "plugin.so", "-L.", "old.so"]
    assert named_files(arguments, ["old.so", ""]) == ["a.o", "dyn", "plugin.so", "v.map"]


def test_what_gnu_ld_lists(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a.o", "the b.o", "libm.so"):
        Path(name).touch()
    text = "c.so: \\\n  a.o \\\n  the b.o \\\n  libm.so\n\na.o:\n\nthe b.o:\n\nlibm.so:\n"
    assert parse_dependencies(text) == ["a.o", "libm.so", "the b.o"]


def test_what_lld_and_mold_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a.o", "the b.o", "d$.o"):
        Path(name).touch()
    assert parse_dependencies("c.so: a.o the\\ b.o d$$.o\n\na.o:\n") == ["a.o", "d$.o", "the b.o"]


@pytest.mark.parametrize("name", ["/tmp/ccAbCd12.ltrans0.ltrans.o", "c.so.lto.o", "/tmp/ccAbCd12.lto.o"])
def test_the_linkers_own_objects_are_left_out(tmp_path: Path, name: str) -> None:
    (tmp_path / "a.o").touch()
    assert parse_dependencies(f"c.so: \\\n  {tmp_path}/a.o \\\n  {name}\n") == [f"{tmp_path}/a.o"]


@pytest.mark.parametrize("text", ["", "nothing", "c.so: \\\n  /nonexistent/a.o\n", "c.so: /tmp/gone.o\n\n"])
def test_a_list_that_cannot_be_trusted(text: str) -> None:
    assert parse_dependencies(text) is None


def test_libraries_by_name() -> None:
    files = ["/usr/lib/libz.so.1.3", "/usr/lib/libc_nonshared.a", "/lib64/ld-linux-x86-64.so.2", "a.o", "libx.so"]
    assert library_names(["-lm", "-l:libq.a", "-L/x", "a.o"], files) == ["libc_nonshared", "libm", "libx", "libz"]


def test_a_library_that_appears_earlier_on_the_path_is_seen(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    (second / "libk.a").touch()
    arguments = [f"-L{first}", "-L", str(second), "-lk"]
    before = candidates(arguments, ["libk"])
    assert before == [f"{second}/libk.a"]
    (first / "libk.so").touch()
    assert candidates(arguments, ["libk"]) == [f"{first}/libk.so", *before]


def test_digests(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x" * 3_000_000)
    (tmp_path / "b").write_bytes(b"x" * 3_000_000)
    assert digest_file(str(tmp_path / "a")) == digest_file(str(tmp_path / "b"))
    (tmp_path / "b").write_bytes(b"x" * 2_999_999 + b"y")
    assert digest_file(str(tmp_path / "a")) != digest_file(str(tmp_path / "b"))


def test_a_thin_archive_points_to_files_that_nobody_lists(tmp_path: Path) -> None:
    (tmp_path / "a.a").write_bytes(b"!<thin>\n" + os.urandom(10))
    with pytest.raises(OSError, match="thin archive"):
        digest_file(str(tmp_path / "a.a"))
