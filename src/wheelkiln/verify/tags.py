"""The tags of a wheel: the file name, the WHEEL file and the symbols in it must agree."""

from __future__ import annotations

import json
import lzma
import re
import sys
import zipfile
import zlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from packaging.tags import Tag, compatible_tags, cpython_tags, parse_tag
from packaging.utils import BuildTag, InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from packaging.version import Version

from wheelkiln.errors import EnvironmentProblem
from wheelkiln.system.process import Runner
from wheelkiln.verify.dist_info import DistInfo
from wheelkiln.verify.findings import Finding, Severity
from wheelkiln.verify.variant_label import read_label, split_label

__all__ = ["UNREADABLE", "check_label", "check_stable_abi", "check_symbols", "check_tags", "serves"]

_GLIBC = re.compile(r"^manylinux_2_(?P<minor>[0-9]+)_(?P<arch>\w+)$")
_LEGACY_GLIBC = {"manylinux1": 5, "manylinux2010": 12, "manylinux2014": 17}
_TOOL_SECONDS, _TOOL_SECONDS_PER_MB = 600, 10
UNREADABLE = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    OSError,
    NotImplementedError,
    RuntimeError,
    ValueError,
)
"""What zipfile raises for damaged, truncated, encrypted and unknown members."""


def serves(wheel_name: str, identifier: str) -> bool:
    """Tell whether a wheel serves an identifier's Python and platform, as abi3 and py3-none wheels do for many."""
    python, _, platform = identifier.partition("-")
    family, arch = platform.split("_", 1)
    try:
        tags = parse_wheel_filename(split_label(wheel_name)[0])[3]
    except InvalidWheelFilename:
        return False
    return _fits(python, {tag for tag in tags if _is_platform(tag.platform, family, arch)})


def _fits(python: str, tags: Collection[Tag]) -> bool:
    """Apply the installers' own rules to a Python such as ``cp313t`` (PEP 425, PEP 703, packaging.tags)."""
    version = (3, int(python.removeprefix("cp3").rstrip("t")))
    platforms = sorted({tag.platform for tag in tags})
    supported = {
        *cpython_tags(version, abis=[python], platforms=platforms),
        *compatible_tags(version, interpreter=python.rstrip("t"), platforms=platforms),
    }
    return not supported.isdisjoint(tags)


def _is_platform(tag: str, family: str, arch: str) -> bool:
    return tag.startswith(family) and tag.endswith(f"_{arch}")


def check_tags(
    path: Path, info: DistInfo, *, project: str = "", version: str = "", identifier: str = ""
) -> Iterator[Finding]:
    """Yield what is wrong with names, versions and tags below a valid file name; what is empty is not known."""
    name, wheel_version, build, tags = parse_wheel_filename(path.name)
    if project and (name != canonicalize_name(project) or wheel_version != Version(version)):
        yield _error("file-name", path, f"the wheel is of {name} {wheel_version}, not {project} {version}")
    yield from _check_wheel_file(path, info, build, tags)
    if identifier:
        yield from _check_identifier(path, tags, identifier)


def check_label(path: Path, label: str) -> tuple[Finding, ...]:
    """Return what is wrong with the variant label of a file name."""
    try:
        with zipfile.ZipFile(path) as archive:
            inside = read_label(archive)
    except (*UNREADABLE, AttributeError) as error:
        return (_error("variant-label", path, str(error)),)
    if inside != label:
        return (_error("variant-label", path, f"variant.json explains '{inside}', and the file name has '{label}'"),)
    return ()


def _check_wheel_file(path: Path, info: DistInfo, build: BuildTag, tags: frozenset[Tag]) -> Iterator[Finding]:
    wheel = info.wheel
    wheel_version = str(wheel["Wheel-Version"])
    if not re.fullmatch(r"1\.[0-9]+", wheel_version.strip()):
        yield _error("wheel-version", path, f"Wheel-Version is {wheel_version}")
    told = str(wheel["Build"] or "").strip()
    if told != "".join(map(str, build)):
        yield _error(
            "wheel-tags", path, f"WHEEL has the build number '{told}', the file name '{''.join(map(str, build))}'"
        )
    lines = wheel.get_all("Tag") or []
    try:
        inside = frozenset(tag for line in lines for tag in parse_tag(str(line)))
    except ValueError as error:
        yield _error("wheel-tags", path, f"WHEEL holds a tag that is none: {error}")
        return
    if inside != tags:
        difference = ", ".join(sorted(str(tag) for tag in inside ^ tags))
        yield _error("wheel-tags", path, f"the tags in WHEEL and in the file name differ: {difference}")


def _check_identifier(path: Path, tags: frozenset[Tag], identifier: str) -> Iterator[Finding]:
    python, _, platform = identifier.partition("-")
    family, arch = platform.split("_", 1)
    if not _fits(python, tags):
        yield _error("python-tag", path, f"the wheel is not for {python}")
    for tag in sorted({tag.platform for tag in tags}):
        if not _is_platform(tag, family, arch):
            yield _error(
                "platform-tag",
                path,
                f"the platform tag '{tag}' is not a {family} tag for {arch}",
                "Did a repair-wheel-command of the project's own leave the wheel unrepaired?",
            )


def check_symbols(path: Path, runner: Runner, excluded: Sequence[str] = ()) -> Iterator[Finding]:
    """Ask auditwheel what the symbols allow: no tag may promise an older system than that.

    excluded are patterns of libraries that another package provides, so that no policy need have them.
    musl's symbols have no versions, so there auditwheel tells only whether the libraries are those of a policy.
    """
    platforms = sorted(tag for tag in {tag.platform for tag in _tags_of(path)} if "linux" in tag)
    if not platforms:
        return
    try:
        done = runner.capture(
            [sys.executable, "-m", "auditwheel", "show", "--json", str(path)], timeout=_patience(path)
        )
    except EnvironmentProblem as problem:
        yield _error("symbols", path, f"auditwheel could not read it: {problem.message}")
        return
    try:
        shown = json.loads(done.stdout)
        allowed = str(shown["sym_tag" if _are_excluded(shown.get("external_libs"), excluded) else "overall_tag"])
    except (ValueError, KeyError, TypeError, AttributeError):
        yield _error("symbols", path, f"auditwheel could not read it: {done.last_line}")
        return
    for platform in platforms:
        if _promises_more(platform, allowed):
            told = _error("symbols", path, f"the tag '{platform}' promises more than its symbols allow ({allowed})")
            yield replace(told, details=tuple(_reasons(shown)))


def _are_excluded(libraries: Any, excluded: Sequence[str]) -> bool:
    """Tell whether all libraries from outside are those that the project leaves out, by auditwheel's own matching."""
    names = list(libraries) if isinstance(libraries, dict) else []
    return bool(names) and all(any(fnmatch(name, pattern) for pattern in excluded) for name in names)


def _reasons(shown: Mapping[str, Any]) -> Iterator[str]:
    """Say what auditwheel saw: libraries that no policy has, and versions of symbols by the library that has them."""
    with suppress(AttributeError, TypeError):  # its answer is of another form
        for library, path in sorted(shown.get("external_libs", {}).items()):
            yield f"needs {library}, which is {f'{path} here' if path else 'not there'} and not in the wheel"
        for library, versions in sorted(shown.get("versioned_symbols", {}).items()):
            yield f"{library}: {', '.join(sorted(map(str, versions)))}"


def check_stable_abi(path: Path, runner: Runner) -> Iterator[Finding]:
    """Ask abi3audit whether a wheel that claims the stable ABI keeps to it."""
    if not any(tag.abi == "abi3" for tag in _tags_of(path)):
        return
    try:
        done = runner.capture(
            [sys.executable, "-m", "abi3audit", "--strict", "--report", str(path)], timeout=_patience(path)
        )
    except EnvironmentProblem as problem:
        yield _error("stable-abi", path, f"abi3audit could not read it: {problem.message}")
        return
    if not done.ok:
        yield _error(
            "stable-abi",
            path,
            f"abi3audit found that it does not keep to the stable ABI: {done.stdout.strip()[:2000] or done.last_line}",
            "Build with the Py_LIMITED_API of the wheel's tag, or without the abi3 tag.",
        )


def _patience(path: Path) -> float:
    """Return the seconds that a tool may take: a hostile library can keep it busy for ever."""
    return _TOOL_SECONDS + _TOOL_SECONDS_PER_MB * (path.stat().st_size >> 20)


def _tags_of(path: Path) -> frozenset[Tag]:
    return parse_wheel_filename(path.name)[3]


def _promises_more(platform: str, allowed: str) -> bool:
    if platform.startswith("linux_"):
        return False  # it promises nothing
    if platform.startswith("musllinux_"):
        return not allowed.startswith("musllinux_")
    promised, needed = _glibc_minor(platform), _glibc_minor(allowed)
    return needed is None or (promised is not None and promised < needed)


def _glibc_minor(platform: str) -> int | None:
    """Return the minor version of the glibc that a manylinux tag needs (PEP 600)."""
    match = _GLIBC.match(platform)
    if match:
        return int(match["minor"])
    return _LEGACY_GLIBC.get(platform.split("_", 1)[0])


def _error(code: str, path: Path, message: str, hint: str = "") -> Finding:
    return Finding(code, Severity.ERROR, path.name, message, hint)
