from __future__ import annotations

from pathlib import Path

import pytest

from wheelkiln.errors import EnvironmentProblem
from wheelkiln.image.memory import ImageMemory, parse_toolchain
from wheelkiln.plan.features import Toolchain

_REFERENCE = "localhost/wheelkiln/manylinux_2_28_x86_64:0123456789abcdef"


@pytest.mark.parametrize(
    ("line", "toolchain"),
    [
        ("gcc 14.2.1 avx512bf16 amx-bf16", Toolchain("gcc", "14.2.1", frozenset({"avx512bf16", "amx-bf16"}))),
        ("clang 16.0.6", Toolchain("clang", "16.0.6", frozenset())),
        ("gcc", None),
        ("", None),
    ],
)
def test_a_toolchains_line_is_compiler_version_features(line: str, toolchain: Toolchain | None) -> None:
    assert parse_toolchain(line) == toolchain


def test_what_was_never_seen_is_not_known(tmp_path: Path) -> None:
    memory = ImageMemory(tmp_path / "absent")
    assert memory.toolchain(_REFERENCE) is None
    assert not memory.has_seen(_REFERENCE)
    assert memory.base_digest("debian:12") == ""
    assert memory.last_used(tmp_path, "x") == ""
    assert memory.in_use() == frozenset()
    assert not (tmp_path / "absent").exists()


def test_a_toolchain_is_remembered_by_reference(tmp_path: Path) -> None:
    memory = ImageMemory(tmp_path)
    memory.remember_toolchain(_REFERENCE, "gcc 14.2.1 avx512bf16")
    known = ImageMemory(tmp_path).toolchain(_REFERENCE)
    assert known == Toolchain("gcc", "14.2.1", frozenset({"avx512bf16"}))
    assert memory.toolchain(f"{_REFERENCE}0") is None


def test_an_image_of_unknown_toolchain_has_been_seen_all_the_same(tmp_path: Path) -> None:
    memory = ImageMemory(tmp_path)
    memory.remember_toolchain(_REFERENCE, "")
    assert memory.has_seen(_REFERENCE)
    assert memory.toolchain(_REFERENCE) is None


def test_what_is_known_already_is_not_written_again(tmp_path: Path) -> None:
    memory = ImageMemory(tmp_path)
    memory.remember_base("debian:12", "sha256:1")
    (written,) = (path for path in tmp_path.rglob("*.json"))
    before = written.stat().st_ino
    memory.remember_base("debian:12", "sha256:1")
    assert written.stat().st_ino == before
    memory.remember_base("debian:12", "sha256:2")
    assert memory.base_digest("debian:12") == "sha256:2"


@pytest.mark.parametrize("damage", ["", "{", "[]", "3", "\x00"])
def test_a_damaged_file_is_something_that_is_not_known(tmp_path: Path, damage: str) -> None:
    memory, project = ImageMemory(tmp_path / "cache"), tmp_path
    memory.remember_toolchain(_REFERENCE, "gcc 14")
    memory.remember_base("debian:12", "sha256:1")
    memory.remember_use(project, {"x": _REFERENCE})
    for path in (tmp_path / "cache").rglob("*.json"):
        path.write_text(damage)
    assert memory.toolchain(_REFERENCE) is None
    assert memory.base_digest("debian:12") == ""
    assert (memory.last_used(project, "x"), memory.in_use()) == ("", frozenset())
    memory.remember_use(project, {"x": _REFERENCE})
    assert memory.in_use() == {_REFERENCE}


def test_a_project_uses_one_image_of_each_name(tmp_path: Path) -> None:
    memory = ImageMemory(tmp_path / "cache")
    memory.remember_use(tmp_path, {"x_x86_64": "x:1", "x_aarch64": "x:1"})
    memory.remember_use(tmp_path, {"x_x86_64": "x:2"})
    assert memory.in_use() == {"x:1", "x:2"}
    assert memory.last_used(tmp_path, "x_x86_64") == "x:2"
    assert memory.last_used(tmp_path, "x_aarch64") == "x:1"


def test_a_project_that_is_gone_uses_nothing(tmp_path: Path) -> None:
    memory = ImageMemory(tmp_path / "cache")
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        memory.remember_use(tmp_path / name, {"x": f"x:{name}"})
    assert memory.in_use() == {"x:one", "x:two"}
    (tmp_path / "one").rmdir()
    assert memory.in_use() == {"x:two"}


def test_a_cache_directory_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "cache").touch()
    with pytest.raises(EnvironmentProblem) as caught:
        ImageMemory(tmp_path / "cache").remember_base("debian:12", "sha256:1")
    assert "[tool.wheelkiln.cache] dir" in caught.value.hint
