"""What an image's own checks wrote down, on its way into labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

__all__ = ["make_report", "read_reports"]

_PLATFORM_DIRECTORIES = {"x86_64": "linux_amd64", "aarch64": "linux_arm64"}


def read_reports(directory: Path, architectures: Sequence[str]) -> Mapping[str, Mapping[str, str]]:
    """Read the files of a local export, which has a directory for each platform when there are several."""
    found = {}
    for arch in architectures:
        split = directory / _PLATFORM_DIRECTORIES[arch]
        place = split if split.is_dir() else directory
        toolchain, versions = ((place / name).read_text(encoding="utf-8") for name in ("toolchain.txt", "versions.txt"))
        found[arch] = make_report(toolchain, versions)
    return found


def make_report(toolchain: str, versions: str) -> dict[str, str]:
    """Make one line of each text, as labels hold them."""
    return {"toolchain": toolchain.strip(), "versions": "; ".join(versions.split("\n")).strip("; ")}
