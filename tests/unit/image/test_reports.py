from __future__ import annotations

from pathlib import Path

import pytest

from wheelkiln.image.reports import make_report, read_reports


def _write(directory: Path, toolchain: str) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "toolchain.txt").write_text(f"{toolchain}\n")
    (directory / "versions.txt").write_text("ccache 4.13.6\nlibc 2.28\n")


def test_one_platform_is_exported_without_a_directory_of_its_own(tmp_path: Path) -> None:
    _write(tmp_path, "gcc 14.2.1")
    report = {"toolchain": "gcc 14.2.1", "versions": "ccache 4.13.6; libc 2.28"}
    assert read_reports(tmp_path, ["aarch64"]) == {"aarch64": report}


def test_several_platforms_are_exported_side_by_side(tmp_path: Path) -> None:
    _write(tmp_path / "linux_amd64", "gcc 14")
    _write(tmp_path / "linux_arm64", "gcc 12")
    found = read_reports(tmp_path, ["x86_64", "aarch64"])
    assert {arch: report["toolchain"] for arch, report in found.items()} == {"x86_64": "gcc 14", "aarch64": "gcc 12"}


@pytest.mark.parametrize(
    ("versions", "line"), [("", ""), ("ccache 4.13.6\n", "ccache 4.13.6"), ("a 1\nb 2\n\n", "a 1; b 2")]
)
def test_a_report_is_lines_joined_to_one(versions: str, line: str) -> None:
    assert make_report("gcc 14 \n", versions) == {"toolchain": "gcc 14", "versions": line}
