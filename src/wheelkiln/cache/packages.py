"""Packages in directories of this machine: those of them that an environment elsewhere is to be made from."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from packaging.utils import (
    InvalidSdistFilename,
    InvalidWheelFilename,
    NormalizedName,
    canonicalize_name,
    parse_sdist_filename,
    parse_wheel_filename,
)
from packaging.version import InvalidVersion, Version

from wheelkiln.cache.lock import LockedEnvironment

__all__ = ["copy_packages", "find_packages"]


def find_packages(locked: LockedEnvironment, directories: Iterable[Path]) -> Iterator[Path]:
    """Yield the files below directories that are at a pinned version and may be installed for the environment."""
    wanted = {}
    for pin in locked.pins:
        name, _, version = pin.requirement.partition("==")
        with suppress(InvalidVersion):
            wanted[canonicalize_name(name.strip())] = Version(version.partition(";")[0].strip())
    for directory in directories:
        for place, _, names in os.walk(directory):
            for name in names:
                if _is_wanted(name, wanted, locked):
                    yield Path(place) / name


def copy_packages(locked: LockedEnvironment, directories: Iterable[Path], target: Path) -> bool:
    """Put those files into a directory; tell whether there were any."""
    found = list(find_packages(locked, directories))
    if found:
        target.mkdir(parents=True, exist_ok=True)
    for path in found:
        shutil.copyfile(path, target / path.name)
    return bool(found)


def _is_wanted(name: str, wanted: Mapping[NormalizedName, Version], locked: LockedEnvironment) -> bool:
    if canonicalize_name(name.partition("-")[0]) not in wanted and not name.endswith((".tar.gz", ".zip")):
        return False  # parsing takes longer, and an index may have very many files
    try:
        if not name.endswith(".whl"):
            project, version = parse_sdist_filename(name)
            return wanted.get(project) == version
        project, version, _, tags = parse_wheel_filename(name)
    except (InvalidSdistFilename, InvalidWheelFilename, InvalidVersion):
        return False
    arch = locked.platform.partition("_")[2]
    fits = any(
        (tag.platform == "any" or tag.platform.endswith(arch))
        and (tag.interpreter == locked.python or tag.interpreter.startswith("py") or tag.abi == "abi3")
        for tag in tags
    )
    return fits and wanted.get(project) == version
