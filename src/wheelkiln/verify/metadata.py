"""What a wheel says of its project: METADATA, licence files, the description, and its place among others."""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from packaging.metadata import InvalidMetadata, Metadata, parse_email
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.tags import Tag
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from wheelkiln.errors import EnvironmentProblem
from wheelkiln.system.process import Runner
from wheelkiln.verify.dist_info import DistInfo, same_version
from wheelkiln.verify.findings import Finding
from wheelkiln.verify.rules.made import found

__all__ = ["check_description", "check_layout", "check_metadata", "check_requires_python"]

_LICENCES_SINCE = Version("2.4")
_RST = ("", "text/x-rst")
_RENDERED = (*_RST, "text/markdown", "text/plain")
_RENDER_SECONDS = 60
_MOST_DESCRIPTION = 4 << 20
_CPYTHON = re.compile(r"cp3([0-9]{1,2})")
_NEWEST_MINOR = 60
_JUNK = {
    "__init__.py", "build", "conftest.py", "dist", "doc", "docs", "example", "examples", "node_modules", "noxfile.py",
    "setup.py", "src", "test", "tests", "tasks.py",
}  # fmt: skip


def check_metadata(
    info: DistInfo, members: Collection[str], name: str, version: Version, subject: str
) -> Iterator[Finding]:
    """Yield where METADATA is not valid, of something else than the file name, or names files that are not there."""
    told = info.metadata
    if canonicalize_name(str(told["Name"])) != name or not same_version(str(told["Version"]), version):
        message = f"METADATA says {told['Name']} {told['Version']}, the file name {name} {version}"
        yield found("metadata", subject, message)
    faults = tuple(_faults(info.texts["METADATA"]))
    if faults:
        yield found("metadata-invalid", subject, f"METADATA: {faults[0]}", details=faults[1:])
    missing = [file for file in told.get_all("License-File") or [] if not _has_licence(info, members, str(file))]
    if missing:
        yield found(
            "licence-files", subject, f"licence files that METADATA names are not there: {', '.join(map(str, missing))}"
        )


def _faults(text: str) -> Iterator[str]:
    try:
        Metadata.from_email(text.encode(), validate=True)
    except ExceptionGroup as group:
        for error in group.exceptions:
            if not (
                isinstance(error, InvalidMetadata) and error.field == "license-file" and "introduced" in str(error)
            ):
                yield " ".join(str(error).split())  # setuptools wrote License-File years before it was standard
    except (ValueError, TypeError) as error:
        yield " ".join(str(error).split())


def _has_licence(info: DistInfo, members: Collection[str], file: str) -> bool:
    """PEP 639 has a place for them since metadata 2.4; before, backends put them beside METADATA, or there already."""
    places = [f"{info.directory}/licenses/{file}"]
    try:
        newer = Version(str(info.metadata["Metadata-Version"])) >= _LICENCES_SINCE
    except InvalidVersion:
        newer = False
    if not newer:
        places += [f"{info.directory}/{file}", f"{info.directory}/{file.rpartition('/')[2]}"]
        places += [f"{info.directory}/license_files/{file}"]
    return any(place in members for place in places)


def check_requires_python(info: DistInfo, tags: Collection[Tag], subject: str) -> Iterator[Finding]:
    """Yield where Requires-Python has none of the Pythons that the tags are for."""
    text = info.metadata["Requires-Python"]
    if text is None:
        return
    try:
        wanted = SpecifierSet(str(text))
    except InvalidSpecifier:
        return  # METADATA is not valid then
    for interpreter in sorted({tag.interpreter for tag in tags}):
        match = _CPYTHON.fullmatch(interpreter)
        if match is None:
            continue
        first = int(match[1])
        stable = any(tag.abi == "abi3" for tag in tags if tag.interpreter == interpreter)
        minors = range(first, _NEWEST_MINOR if stable else first + 1)
        if not any(wanted.contains(f"3.{minor}.{micro}", prereleases=True) for minor in minors for micro in (0, 9, 99)):
            yield found("requires-python", subject, f"the tag '{interpreter}' is for a Python that '{text}' leaves out")


def check_layout(members: Sequence[str], directory: str, subject: str) -> Iterator[Finding]:
    """Yield what lands in site-packages beside other projects' files, and what only this machine can use."""
    ours = [name for name in members if not name.startswith(f"{directory}/") and not name.endswith("/")]
    top = {re.sub(r"^[^/]+\.data/(purelib|platlib)/", "", name).partition("/")[0] for name in ours}
    junk = sorted(top & _JUNK)
    if junk:
        yield found("top-level", subject, f"at the top level it has {', '.join(junk)}")
    bytecode = [name for name in ours if name.endswith((".pyc", ".pyo"))]
    if bytecode:
        yield found("bytecode", subject, f"it has bytecode: {bytecode[0]}", details=tuple(bytecode[1:]))
    if not ours:
        yield found("empty", subject, "it has no files besides .dist-info")


def check_description(info: DistInfo, runner: Runner, subject: str) -> Iterator[Finding]:
    """Yield where the long description does not render; only reStructuredText can fail to."""
    raw, _ = parse_email(info.texts["METADATA"])
    text = raw.get("description", "")
    kind = raw.get("description_content_type", "").partition(";")[0].strip().lower()
    if not text.strip() or text.strip() == "UNKNOWN":
        yield found("description", subject, "it has no long description")
        return
    if kind not in _RENDERED:
        yield found("description", subject, f"package indexes do not render {kind!r}")
    if kind not in _RST or len(text) > _MOST_DESCRIPTION:
        return
    with tempfile.TemporaryDirectory() as place:
        file = Path(place) / "description"
        file.write_text(text, encoding="utf-8", errors="replace")
        try:
            done = runner.capture(
                [sys.executable, "-m", "wheelkiln.verify.description"], stdin=file, timeout=_RENDER_SECONDS
            )
        except EnvironmentProblem as problem:
            yield found("description", subject, f"the long description does not render: {problem.message}")
            return
    if not done.ok:
        lines = tuple(line for line in done.stdout.splitlines() if line.strip()) or (done.last_line,)
        yield found("description", subject, f"the long description does not render: {lines[0]}", details=lines[1:])
