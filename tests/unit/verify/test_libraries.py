from __future__ import annotations

from pathlib import Path

import pytest

from tests.archives import write_wheel
from tests.fakes import FakeRunner
from tests.hostile_wheels import make_elf
from wheelkiln.verify.checks import Expectation, check_wheel
from wheelkiln.verify.rules.model import Level

_LINUX = "kern-1.2-cp312-cp312-linux_x86_64.whl"
_HASHED = "libz-0123abcd.so.1"


def _codes(tmp_path: Path, files: dict[str, bytes], name: str = _LINUX) -> list[str]:
    found = check_wheel(
        write_wheel(tmp_path, name, files=files), Expectation(levels={"symbols": Level.OFF}), FakeRunner()
    )
    return [finding.code for finding in found]


def test_a_grafted_library_that_is_searched_for_where_it_is(tmp_path: Path) -> None:
    module = make_elf(search=b"$ORIGIN/../kern.libs", needed=_HASHED.encode())
    assert _codes(tmp_path, {"kern/k.so": module, f"kern.libs/{_HASHED}": make_elf()}) == []


def test_a_library_that_is_not_searched_for_where_it_is(tmp_path: Path) -> None:
    module = make_elf(search=b"$ORIGIN", needed=_HASHED.encode())
    assert _codes(tmp_path, {"kern/k.so": module, f"kern.libs/{_HASHED}": make_elf()}) == ["library-unreached"]


@pytest.mark.parametrize(("handed_on", "codes"), [(True, []), (False, ["library-unreached"])])
def test_an_rpath_counts_for_libraries_of_libraries(tmp_path: Path, handed_on: bool, codes: list[str]) -> None:
    module = make_elf(search=b"$ORIGIN/../kern.libs", tag=15 if handed_on else 29)
    files = {"kern/k.so": module, "kern.libs/liba.so": make_elf(needed=b"libb.so"), "kern.libs/libb.so": make_elf()}
    assert _codes(tmp_path, files) == codes


@pytest.mark.parametrize("search", [b"$ORIGIN", b"${ORIGIN}/lib", b"$ORIGIN/../../nvidia/lib", b"$ORIGIN/../kern.libs"])
def test_search_paths_below_the_place_of_installation(tmp_path: Path, search: bytes) -> None:
    assert _codes(tmp_path, {"kern/lib/k.so": make_elf(search=search)}) == []


def test_a_module_for_another_machine(tmp_path: Path) -> None:
    name = "kern-1.2-cp312-cp312-linux_aarch64.whl"
    assert _codes(tmp_path, {"kern/k.so": make_elf()}, name) == ["elf-machine"]
    assert _codes(tmp_path, {"kern/firmware.bin": make_elf()}, name) == []


def test_elf_files_in_a_wheel_for_any_platform(tmp_path: Path) -> None:
    assert _codes(tmp_path, {"kern/firmware.bin": make_elf()}, "kern-1.2-py3-none-any.whl") == ["elf-in-any"]


def test_a_data_file_that_only_begins_like_elf_is_data(tmp_path: Path) -> None:
    assert _codes(tmp_path, {"kern/sample.bin": b"\x7fELFnot"}) == []


def test_names_of_source_files_of_the_machine_that_built_it(tmp_path: Path) -> None:
    text = (
        b"\0/project/src/a.c\0/tmp/build-x/b.cpp\0/tmp/socket\0see/home/x.c\0/home/%s/.cache\0/root/.cargo/a/lib.rs\0"
    )
    path = write_wheel(tmp_path, _LINUX, files={"kern/k.so": make_elf() + text})
    (finding,) = check_wheel(path, Expectation(levels={"symbols": Level.OFF}), FakeRunner())
    assert finding.code == "build-path"
    assert finding.message.endswith("/project/src, /root/.cargo, /tmp/build-x")
    assert finding.details == ("kern/k.so: /root/.cargo/a/lib.rs, and 2 more",)
