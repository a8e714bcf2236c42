from __future__ import annotations

from pathlib import Path

import pytest

from wheelkiln.system.interpreters import Interpreter, find_interpreters


def _elf(machine: int = 62, *, bits: int = 2, order: int = 1, loader: str = "/lib64/ld-linux-x86-64.so.2") -> bytes:
    """The header of a program, and its loader's name where linkers put it."""
    ident = b"\x7fELF" + bytes([bits, order, 1]) + bytes(9)
    return ident + (3).to_bytes(2, "little") + machine.to_bytes(2, "little") + bytes(700) + loader.encode() + b"\0"


_X86_64, _AARCH64 = _elf(), _elf(183, loader="/lib/ld-linux-aarch64.so.1")


def _install(prefix: Path, version: str, *, name: str = "", program: bytes = _X86_64) -> Path:
    short = name or "python" + ".".join(version.split(".")[:2])
    include = prefix / "include" / short
    include.mkdir(parents=True)
    (include / "patchlevel.h").write_text(f'#define PY_MAJOR_VERSION 3\n#define PY_VERSION      "{version}"\n')
    (prefix / "bin").mkdir(exist_ok=True)
    (prefix / "bin" / short).write_bytes(program)
    return prefix


def _found(home: Path, **environ: str) -> list[Interpreter]:
    """Those below home: /usr/local of the machine that runs the tests may have some too."""
    return [found for found in find_interpreters(home, environ) if found.prefix.is_relative_to(home)]


def test_pyenv_and_uv_installations_are_found_in_order(tmp_path: Path) -> None:
    new = _install(tmp_path / ".pyenv/versions/3.99.2", "3.99.2")
    old = _install(tmp_path / ".local/share/uv/python/cpython-3.98.1-linux-x86_64-gnu", "3.98.1")
    assert _found(tmp_path) == [Interpreter("cp398", "3.98.1", old), Interpreter("cp399", "3.99.2", new)]


def test_the_newest_patch_release_wins(tmp_path: Path) -> None:
    _install(tmp_path / ".pyenv/versions/3.99.9", "3.99.9")
    newest = _install(tmp_path / ".pyenv/versions/3.99.10", "3.99.10")
    assert _found(tmp_path) == [Interpreter("cp399", "3.99.10", newest)]


def test_pre_releases_are_left_out(tmp_path: Path) -> None:
    _install(tmp_path / ".pyenv/versions/3.99.0a1", "3.99.0a1")
    _install(tmp_path / ".pyenv/versions/3.98.0rc2", "3.98.0rc2")
    assert _found(tmp_path) == []


def test_a_local_build_with_a_plus_counts(tmp_path: Path) -> None:
    prefix = _install(tmp_path / ".pyenv/versions/mine", "3.99.1+")
    assert _found(tmp_path) == [Interpreter("cp399", "3.99.1", prefix)]


def test_free_threaded_includes_are_left_out(tmp_path: Path) -> None:
    _install(tmp_path / ".pyenv/versions/3.99.1t", "3.99.1", name="python3.99t")
    assert _found(tmp_path) == []


def test_headers_without_an_interpreter_are_left_out(tmp_path: Path) -> None:
    prefix = _install(tmp_path / ".pyenv/versions/3.99.1", "3.99.1")
    (prefix / "bin/python3.99").unlink()
    assert _found(tmp_path) == []


def test_architectures_are_told_apart(tmp_path: Path) -> None:
    native = _install(tmp_path / ".pyenv/versions/3.99.1", "3.99.1")
    foreign = _install(tmp_path / ".pyenv/versions/3.99.2-aarch64", "3.99.2", program=_AARCH64)
    old = _install(tmp_path / ".pyenv/versions/3.98.7-aarch64", "3.98.7", program=_AARCH64)
    _install(tmp_path / ".pyenv/versions/3.99.0-aarch64", "3.99.0", program=_AARCH64)
    assert _found(tmp_path) == [
        Interpreter("cp398", "3.98.7", old, "aarch64"),
        Interpreter("cp399", "3.99.1", native, "x86_64"),
        Interpreter("cp399", "3.99.2", foreign, "aarch64"),
    ]


def test_equal_versions_are_ordered_by_architecture(tmp_path: Path) -> None:
    _install(tmp_path / ".pyenv/versions/a", "3.99.1")
    _install(tmp_path / ".pyenv/versions/b", "3.99.1", program=_AARCH64)
    assert [found.arch for found in _found(tmp_path)] == ["aarch64", "x86_64"]


@pytest.mark.parametrize(
    "program",
    [
        b"",
        b"\x7fELF\x02\x01",
        b'#!/bin/sh\nexec python3 "$@"\n',
        _X86_64[:18],
        _elf(3, bits=1),
        _elf(62, bits=1),
        _elf(62, order=2),
        _elf(243),
        _elf(loader="/lib/ld-musl-x86_64.so.1"),
        _elf(183, loader="/lib/ld-musl-aarch64.so.1"),
    ],
    ids=["empty", "cut", "script", "cut before the machine", "i386", "x32", "big-endian", "riscv", "musl", "musl arm"],
)
def test_what_no_base_can_run_is_left_out(tmp_path: Path, program: bytes) -> None:
    _install(tmp_path / ".pyenv/versions/3.99.1", "3.99.1", program=program)
    assert _found(tmp_path) == []


def test_what_no_base_can_run_does_not_displace_an_older_one(tmp_path: Path) -> None:
    _install(tmp_path / ".pyenv/versions/3.99.2", "3.99.2", program=_elf(loader="/lib/ld-musl-x86_64.so.1"))
    older = _install(tmp_path / ".pyenv/versions/3.99.1", "3.99.1")
    assert [found.prefix for found in _found(tmp_path)] == [older]


def test_the_program_may_be_a_link(tmp_path: Path) -> None:
    prefix = _install(tmp_path / ".pyenv/versions/3.99.1", "3.99.1", program=_AARCH64)
    (prefix / "bin/python3.99").rename(prefix / "bin/python3.99-real")
    (prefix / "bin/python3.99").symlink_to("python3.99-real")
    assert [found.arch for found in _found(tmp_path)] == ["aarch64"]
    (prefix / "bin/python3.99-real").unlink()
    assert _found(tmp_path) == []


def test_a_program_that_is_a_directory_is_left_out(tmp_path: Path) -> None:
    prefix = _install(tmp_path / ".pyenv/versions/3.99.1", "3.99.1")
    (prefix / "bin/python3.99").unlink()
    (prefix / "bin/python3.99").mkdir()
    assert _found(tmp_path) == []


def test_links_to_other_versions_are_left_out(tmp_path: Path) -> None:
    prefix = _install(tmp_path / ".pyenv/versions/3.99.1", "3.99.1")
    (tmp_path / ".pyenv/versions/3.99").symlink_to(prefix)
    assert [found.prefix for found in _found(tmp_path)] == [prefix]


def test_variables_move_the_places(tmp_path: Path) -> None:
    one = _install(tmp_path / "p/versions/a", "3.97.0")
    two = _install(tmp_path / "u/b", "3.98.0")
    three = _install(tmp_path / "d/uv/python/c", "3.99.0")
    both = _found(tmp_path, PYENV_ROOT=str(tmp_path / "p"), UV_PYTHON_INSTALL_DIR=str(tmp_path / "u"))
    assert [found.prefix for found in both] == [one, two]
    assert [found.prefix for found in _found(tmp_path, XDG_DATA_HOME=str(tmp_path / "d"))] == [three]


def test_the_short_version_names_directories() -> None:
    assert Interpreter("cp310", "3.10.13", Path("/p")).short_version == "3.10"
