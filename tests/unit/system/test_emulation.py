from __future__ import annotations

import re
import struct
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.fakes import Answer, Call, FakeRunner
from wheelkiln.errors import EnvironmentProblem
from wheelkiln.system.emulation import find_static_emulator, is_static, read_emulated, register_emulator

_HANDLER = """\
enabled
interpreter /usr/libexec/qemu-binfmt/{arch}-binfmt-P
flags: {flags}
offset 0
magic 7f454c460201010000000000000000000200b700
mask ffffffffffffff00fffffffffffffffffeffffff
"""


@pytest.fixture
def binfmt(tmp_path: Path) -> Path:
    """A mounted binfmt_misc without handlers."""
    (tmp_path / "binfmt_misc").mkdir()
    (tmp_path / "binfmt_misc/register").touch()
    (tmp_path / "binfmt_misc/status").write_text("enabled\n")
    return tmp_path / "binfmt_misc"


@pytest.fixture
def places(tmp_path: Path) -> tuple[str, str]:
    """Where emulators may lie; only the second place has one for aarch64."""
    (tmp_path / "qemu-aarch64").touch()
    return (f"{tmp_path}/qemu-{{arch}}-static", f"{tmp_path}/qemu-{{arch}}")


@pytest.mark.parametrize(("flags", "counts"), [("F", True), ("OCF", True), ("POCF", True), ("", False), ("OC", False)])
def test_only_handlers_that_work_in_containers_count(binfmt: Path, flags: str, counts: bool) -> None:
    (binfmt / "qemu-aarch64").write_text(_HANDLER.format(arch="aarch64", flags=flags))
    assert read_emulated(binfmt) == (frozenset({"aarch64"}) if counts else frozenset())


def test_a_handler_that_is_disabled_does_not_count(binfmt: Path) -> None:
    text = _HANDLER.format(arch="aarch64", flags="F").replace("enabled", "disabled")
    (binfmt / "qemu-aarch64").write_text(text)
    assert read_emulated(binfmt) == frozenset()


def test_handlers_of_other_programs_are_no_architectures(binfmt: Path) -> None:
    (binfmt / "python3.11").write_text(_HANDLER.format(arch="x", flags="F"))
    (binfmt / "qemu-riscv64").mkdir()
    assert read_emulated(binfmt) == frozenset()


def test_without_binfmt_misc_nothing_is_emulated(tmp_path: Path) -> None:
    assert read_emulated(tmp_path / "absent") == frozenset()


@pytest.mark.parametrize(
    ("arch", "magic"),
    [
        ("aarch64", "7f454c460201010000000000000000000200b700"),
        ("x86_64", "7f454c4602010100000000000000000002003e00"),
    ],
)
def test_the_registration_is_the_kernels_line(binfmt: Path, tmp_path: Path, arch: str, magic: str) -> None:
    """The format is the kernel's (admin-guide/binfmt-misc), magic and mask are those of Debian's qemu-user-binfmt."""
    emulator = tmp_path / f"qemu-{arch}"
    emulator.touch()
    assert register_emulator(arch, FakeRunner(), binfmt, (f"{tmp_path}/qemu-{{arch}}",)) == emulator
    written = (binfmt / "register").read_text(encoding="ascii")
    assert written.startswith(":")
    _, name, kind, offset, found_magic, mask, interpreter, flags = written.split(":")
    assert (name, kind, offset, interpreter, flags) == (f"qemu-{arch}", "M", "", str(emulator), "OCF")
    assert re.fullmatch(r"(\\x[0-9a-f]{2}){20}", found_magic)
    assert found_magic.replace("\\x", "") == magic
    assert mask.replace("\\x", "") == "ffffffffffffff00fffffffffffffffffeffffff"
    assert len(written) < 1920  # MAX_REGISTER_LENGTH of fs/binfmt_misc.c


def test_the_first_emulator_that_is_there_is_taken(binfmt: Path, places: tuple[str, str], tmp_path: Path) -> None:
    assert register_emulator("aarch64", FakeRunner(), binfmt, places) == tmp_path / "qemu-aarch64"
    (tmp_path / "qemu-aarch64-static").touch()
    assert register_emulator("aarch64", FakeRunner(), binfmt, places) == tmp_path / "qemu-aarch64-static"


def test_a_handler_that_does_not_work_in_containers_is_removed_first(binfmt: Path, places: tuple[str, str]) -> None:
    (binfmt / "qemu-aarch64").write_text(_HANDLER.format(arch="aarch64", flags=""))
    register_emulator("aarch64", FakeRunner(), binfmt, places)
    assert (binfmt / "qemu-aarch64").read_text() == "-1"  # the kernel's word for it


def test_binfmt_misc_is_mounted_where_it_is_not(binfmt: Path, places: tuple[str, str]) -> None:
    (binfmt / "register").unlink()

    def mount(_call: Call) -> Answer:
        (binfmt / "register").touch()
        return Answer()

    runner = FakeRunner({"mount": mount})
    register_emulator("aarch64", runner, binfmt, places)
    assert runner.lines == [f"mount -t binfmt_misc binfmt_misc {binfmt}"]
    assert (binfmt / "register").read_text().startswith(":qemu-aarch64:M::")


def test_without_qemu_the_way_to_it_is_named(binfmt: Path, places: tuple[str, str]) -> None:
    with pytest.raises(EnvironmentProblem, match="no emulator for x86_64 is installed") as caught:
        register_emulator("x86_64", FakeRunner(), binfmt, places)
    assert "apt-get install qemu-user-static" in caught.value.hint
    assert "[tool.wheelkiln.hosts]" in caught.value.hint
    assert (binfmt / "register").read_text() == ""


def test_who_may_not_register_is_told_that_it_takes_root(binfmt: Path, places: tuple[str, str]) -> None:
    (binfmt / "register").unlink()
    (binfmt / "register").symlink_to("/proc/sys/kernel/ostype")  # which nobody may write, not even root
    with pytest.raises(EnvironmentProblem, match=r"could not be registered in .*: Permission denied") as caught:
        register_emulator("aarch64", FakeRunner(), binfmt, places)
    assert "It takes root" in caught.value.hint


def test_where_it_cannot_be_mounted_it_is_told(tmp_path: Path, places: tuple[str, str]) -> None:
    runner = FakeRunner({"mount": Answer(returncode=32, stderr="mount: permission denied.")})
    with pytest.raises(EnvironmentProblem, match=r"could not be registered in .*: No such file"):
        register_emulator("aarch64", runner, tmp_path / "absent", places)


def _program(path: Path, kinds: Sequence[int]) -> Path:
    """Write the header of a 64-bit ELF file and its program headers, of which only the kinds are told."""
    header = b"\x7fELF\x02".ljust(32, b"\0") + struct.pack("<Q", 64) + bytes(14) + struct.pack("<HH", 56, len(kinds))
    path.write_bytes(header.ljust(64, b"\0") + b"".join(struct.pack("<I", kind).ljust(56, b"\0") for kind in kinds))
    return path


def test_an_emulator_that_needs_a_loader_cannot_run_in_every_container(tmp_path: Path) -> None:
    found = {
        "qemu-x86_64-static": str(_program(tmp_path / "dynamic", [1, 3])),
        "qemu-x86_64": str(_program(tmp_path / "static", [1, 2])),
    }
    assert find_static_emulator("x86_64", found.get) == tmp_path / "static"
    assert find_static_emulator("aarch64", found.get) is None


@pytest.mark.parametrize("content", [b"", b"#!/bin/sh\n", b"\x7fELF\x02" + b"\xff" * 100])
def test_what_is_no_program_is_no_emulator(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "qemu").write_bytes(content)
    assert not is_static(tmp_path / "qemu")
