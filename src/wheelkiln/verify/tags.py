"""The tags of a wheel: the file name, the WHEEL file and the symbols in it must agree."""

from __future__ import annotations

import json
import re
import sys
import zipfile
import zlib
from collections.abc import Iterator
from email.parser import Parser
from pathlib import Path, PurePosixPath

from packaging.tags import Tag, parse_tag
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from packaging.version import InvalidVersion, Version

from wheelkiln.system.process import Runner
from wheelkiln.verify.findings import Finding, Severity

__all__ = ["check_wheel", "serves"]

_GLIBC = re.compile(r"^manylinux_2_(?P<minor>[0-9]+)_(?P<arch>\w+)$")
_CPYTHON = re.compile(r"cp3(?P<minor>[0-9]+)")
_LEGACY_GLIBC = {"manylinux1": 5, "manylinux2010": 12, "manylinux2014": 17}
_MAX_METADATA = 16 << 20
_UNREADABLE = (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError, ValueError)
"""What zipfile raises for damaged, truncated, encrypted and unknown members."""


def serves(wheel_name: str, identifier: str) -> bool:
    """Tell whether a wheel also serves another identifier, as abi3 and py3-none wheels do (PEP 425)."""
    python, _, platform = identifier.partition("-")
    arch = platform.split("_", 1)[1]
    minor = int(python.removeprefix("cp3").rstrip("t"))
    try:
        tags = parse_wheel_filename(wheel_name)[3]
    except InvalidWheelFilename:
        return False
    for tag in tags:
        if not tag.platform.endswith(f"_{arch}"):
            continue
        if tag.abi == "none" and tag.interpreter == "py3":
            return True
        first = _CPYTHON.fullmatch(tag.interpreter)
        if tag.abi == "abi3" and not python.endswith("t") and first and int(first["minor"]) <= minor:
            return True
    return False


def check_wheel(path: Path, *, project: str, version: str, identifier: str, runner: Runner) -> tuple[Finding, ...]:
    """Return what is wrong with a wheel that was built for identifier; an empty result means that it may land."""
    try:
        name, wheel_version, _, tags = parse_wheel_filename(path.name)
    except InvalidWheelFilename as error:
        return (_error("file-name", path, f"the file name is not valid: {error}"),)
    found = []
    if name != canonicalize_name(project) or wheel_version != Version(version):
        found.append(_error("file-name", path, f"the wheel is of {name} {wheel_version}, not {project} {version}"))
    try:
        with zipfile.ZipFile(path) as archive:
            found += _check_members(archive, path)
            found += _check_metadata(archive, path, name, wheel_version, tags)
    except _UNREADABLE as error:
        return (*found, _error("zip", path, f"it is not a readable zip file: {error}"))
    found += _check_identifier(path, tags, identifier)
    if not found:
        found += _check_symbols(path, tags, runner)
    return tuple(found)


def _check_members(archive: zipfile.ZipFile, path: Path) -> Iterator[Finding]:
    names = archive.namelist()
    for name in sorted({name for name in names if names.count(name) > 1} if len(set(names)) != len(names) else ()):
        yield _error("zip-duplicate", path, f"the member '{name}' is there twice")
    for name in names:
        parts = PurePosixPath(name)
        if parts.is_absolute() or ".." in parts.parts or "\\" in name:
            yield _error("zip-path", path, f"the member '{name}' leaves the wheel")


def _check_metadata(
    archive: zipfile.ZipFile, path: Path, name: str, version: Version, tags: frozenset[Tag]
) -> Iterator[Finding]:
    texts = {}
    for part in ("METADATA", "WHEEL", "RECORD"):
        members = [m for m in archive.infolist() if re.fullmatch(rf"[^/]+\.dist-info/{part}", m.filename)]
        if len(members) != 1 or members[0].file_size > _MAX_METADATA:
            yield _error("dist-info", path, f"it does not have exactly one readable .dist-info/{part}")
            return
        texts[part] = archive.read(members[0]).decode("utf-8", errors="replace")
    metadata = Parser().parsestr(texts["METADATA"], headersonly=True)
    if canonicalize_name(str(metadata["Name"])) != name or not _same_version(str(metadata["Version"]), version):
        yield _error(
            "metadata",
            path,
            f"METADATA says {metadata['Name']} {metadata['Version']}, the file name {name} {version}",
        )
    lines = Parser().parsestr(texts["WHEEL"], headersonly=True).get_all("Tag") or []
    try:
        inside = frozenset(tag for line in lines for tag in parse_tag(str(line)))
    except ValueError as error:
        yield _error("wheel-tags", path, f"WHEEL holds a tag that is none: {error}")
        return
    if inside != tags:
        difference = ", ".join(sorted(str(tag) for tag in inside ^ tags))
        yield _error("wheel-tags", path, f"the tags in WHEEL and in the file name differ: {difference}")


def _same_version(text: str, version: Version) -> bool:
    try:
        return Version(text) == version
    except InvalidVersion:
        return False


def _check_identifier(path: Path, tags: frozenset[Tag], identifier: str) -> Iterator[Finding]:
    python, _, platform = identifier.partition("-")
    arch = platform.split("_", 1)[1]
    if not serves(path.name, identifier) and not any(tag.interpreter == python.rstrip("t") for tag in tags):
        yield _error("python-tag", path, f"the wheel is not for {python}")
    for tag in sorted({tag.platform for tag in tags}):
        if not tag.endswith(f"_{arch}") or not tag.startswith(("manylinux", "musllinux")):
            yield _error(
                "platform-tag",
                path,
                f"the platform tag '{tag}' is not a manylinux tag for {arch}",
                "Did a repair-wheel-command of the project's own leave the wheel unrepaired?",
            )


def _check_symbols(path: Path, tags: frozenset[Tag], runner: Runner) -> Iterator[Finding]:
    """Ask auditwheel what the symbols allow: no tag may promise an older system than that."""
    done = runner.capture([sys.executable, "-m", "auditwheel", "show", "--json", str(path)])
    try:
        allowed = str(json.loads(done.stdout)["overall_tag"])
    except (ValueError, KeyError, TypeError):
        yield _error("symbols", path, f"auditwheel could not read it: {done.last_line}")
        return
    needed = _glibc_minor(allowed)
    for platform in sorted({tag.platform for tag in tags}):
        promised = _glibc_minor(platform)
        if needed is None or (promised is not None and promised < needed):
            yield _error("symbols", path, f"the tag '{platform}' promises more than its symbols allow ({allowed})")


def _glibc_minor(platform: str) -> int | None:
    """Return the minor version of the glibc that a manylinux tag needs (PEP 600)."""
    match = _GLIBC.match(platform)
    if match:
        return int(match["minor"])
    return _LEGACY_GLIBC.get(platform.split("_", 1)[0])


def _error(code: str, path: Path, message: str, hint: str = "") -> Finding:
    return Finding(code, Severity.ERROR, path.name, message, hint)
