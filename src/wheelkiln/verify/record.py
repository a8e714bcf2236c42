"""A wheel's record: what it was built from, as a member of the wheel that anybody can read."""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from wheelkiln.errors import VerificationError
from wheelkiln.source.origin import EditionChanges, OriginKind, SourceOrigin

if TYPE_CHECKING:
    from pydantic import TypeAdapter

__all__ = [
    "RECORD_FORMAT",
    "RECORD_MEMBER",
    "BuildMachine",
    "BuildSettings",
    "Record",
    "RecordedEdition",
    "RecordedImage",
    "RecordedPin",
    "parse_record",
    "read_record",
    "record_schema",
    "write_record_text",
]

RECORD_FORMAT = 1
RECORD_MEMBER = "wheelkiln.json"
"""The member's name in *.dist-info."""
_MAX_SIZE = 8 << 20
_MAX_RATIO = 200
_NAMES = {
    "project": r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?",
    "version": r"[A-Za-z0-9][A-Za-z0-9.+!_-]*",
    "variant": r"[A-Za-z0-9][A-Za-z0-9._-]*",
    "identifier": r"cp3[0-9]+t?-(many|musl)linux_(x86_64|aarch64)",
}
_HASH = re.compile(r"sha(256|384|512):[0-9a-f]{64,128}")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_MAYBE_DIGEST = re.compile(r"([0-9a-f]{64})?")
_ADDRESS = re.compile(r"([a-z][a-z0-9+.]*://[!-~]+)?")
_IMAGE = re.compile(r"([a-z0-9][a-z0-9._-]*)?")
_COMMIT = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")
_FILE = re.compile(r"[A-Za-z0-9][\w.+!-]*")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True, slots=True)
class RecordedEdition:
    """digest is that of the edition's own sdist."""

    digest: str
    changes: EditionChanges


@dataclass(frozen=True, slots=True)
class RecordedImage:
    """What the image holds, told from inside of it. recipe and inputs are empty for a build on a plain machine.

    content is a digest of toolchain, tools, programs and packages: no engine's own id of the image.
    """

    name: str
    recipe: str
    inputs: dict[str, Any]
    content: str
    toolchain: str
    tools: dict[str, str]
    programs: dict[str, str]
    packages: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RecordedPin:
    """One requirement of the build environment, with the hashes of all files that it may come from."""

    requirement: str
    hashes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class BuildSettings:
    """What the build was told.

    configuration is cibuildwheel's, without what differs between machines and without tests. environment is what the
    container was given besides, but for caches and network. variables are the user's CIBW_* that reach a wheel.
    withheld are variables whose values may be secret: names, and 16 bits of a digest of each value, which tell a wrong
    value and give none away. passed are those that the build was let read, told in the same way. shared_flags: compiled
    with cache.share-between-pythons = flags.
    """

    frontend: Literal["build", "pip"]
    configuration: dict[str, Any]
    environment: dict[str, str]
    variables: dict[str, str]
    withheld: dict[str, str]
    passed: dict[str, str]
    requirements: tuple[RecordedPin, ...]
    shared_flags: bool = False


@dataclass(frozen=True, slots=True)
class BuildMachine:
    """architecture is the machine's own; emulator is empty where none was needed."""

    architecture: str
    emulator: str = ""


@dataclass(frozen=True, slots=True)
class Record:
    """All that a wheel was built from, and nothing that differs between two builds of the same inputs."""

    format: int
    project: str
    version: str
    variant: str
    identifier: str
    tools: dict[str, str]
    source: SourceOrigin
    epoch: int
    edition: RecordedEdition | None
    image: RecordedImage
    build: BuildSettings
    machine: BuildMachine


def write_record_text(record: Record) -> str:
    """Serialise a record, always the same way."""
    return json.dumps(asdict(record), indent=1, sort_keys=True) + "\n"


def parse_record(text: str | bytes, *, where: str) -> Record:
    """Read a record that anybody may have written; raise VerificationError where it is none that can be used."""
    if len(text) > _MAX_SIZE:
        raise _wrong(where, f"it is larger than {_MAX_SIZE >> 20} MiB")
    try:
        table = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _wrong(where, f"it is not JSON: {error}") from error
    found = table.get("format") if isinstance(table, dict) else None
    if found != RECORD_FORMAT:
        raise _wrong(where, f"its format is {found!r}, and this version reads {RECORD_FORMAT}")
    from pydantic import ValidationError

    try:
        record = _adapter().validate_python(table)
    except (ValidationError, RecursionError) as error:
        reason = error.errors()[0] if isinstance(error, ValidationError) else {"loc": (), "msg": "it is too deep"}
        raise _wrong(where, f"{'.'.join(map(str, reason['loc']))}: {reason['msg']}") from error
    problem = next(_problems(record), "")
    if problem:
        raise _wrong(where, problem)
    return record


def read_record(wheel: Path) -> Record | None:
    """Return a wheel's record, None where it has none; raise VerificationError for one that cannot be used."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            pattern = re.compile(rf"[^/]+\.dist-info/{re.escape(RECORD_MEMBER)}")
            members = [entry for entry in archive.infolist() if pattern.fullmatch(entry.filename)]
            if not members:
                return None
            entry = members[0]
            if len(members) > 1 or entry.file_size > _MAX_SIZE or entry.file_size > _MAX_RATIO * entry.compress_size:
                raise _wrong(wheel.name, "it has several, or one that is too large")
            with archive.open(entry) as file:
                content = file.read(_MAX_SIZE + 1)
    except (OSError, ValueError, EOFError, NotImplementedError, RuntimeError, zipfile.BadZipFile) as error:
        raise VerificationError(f"{wheel} is not a readable wheel: {error}") from error
    return parse_record(content, where=wheel.name)


def record_schema() -> dict[str, Any]:
    """Return the record's JSON schema."""
    return _adapter().json_schema()


@cache
def _adapter() -> TypeAdapter[Record]:
    from pydantic import TypeAdapter

    return TypeAdapter(Record)


def _problems(record: Record) -> Iterator[str]:
    """Yield what makes a record unusable: its names become file names, and its values arguments of programs."""
    for name, pattern in _NAMES.items():
        if not re.fullmatch(pattern, str(getattr(record, name)), re.ASCII):
            yield f"{name} is not valid"
    source = record.source
    yield from _problems_of_source(source)
    digests = [source.digest, record.image.content, *([source.sha256] if source.sha256 else [])]
    digests += [record.edition.digest] if record.edition else []
    if not all(map(_DIGEST.fullmatch, digests)):
        yield "a digest is not valid"
    if not _IMAGE.fullmatch(record.image.name) or not _MAYBE_DIGEST.fullmatch(record.image.recipe):
        yield "image.name or image.recipe is not valid"
    yield from _problems_of_changes(record)
    yield from _problems_of_build(record.build)


def _problems_of_source(source: SourceOrigin) -> Iterator[str]:
    for key in ("project", "version"):
        if not re.fullmatch(_NAMES[key], getattr(source, key), re.ASCII):
            yield f"source.{key} is not valid"
    if source.file and not _FILE.fullmatch(source.file):
        yield "source.file is not a file name"
    if not _ADDRESS.fullmatch(source.url):
        yield "source.url is not an address"
    if source.url and (source.kind is not OriginKind.GIT or not source.commit):
        yield "source.url is not that of a commit"
    if source.commit and not _COMMIT.fullmatch(source.commit):
        yield "source.commit is not valid"


def _problems_of_changes(record: Record) -> Iterator[str]:
    changes = record.edition.changes if record.edition else EditionChanges()
    texts = [*changes.patches, *([changes.readme] if changes.readme else [])]
    if any("/" in text.name or text.name in ("", ".", "..") or "\0" in text.name for text in texts):
        yield "a file name of the edition is not valid"


def _problems_of_build(build: BuildSettings) -> Iterator[str]:
    from packaging.requirements import InvalidRequirement, Requirement

    names = [*build.environment, *build.variables, *build.withheld, *build.passed]
    if not all(map(_VARIABLE.fullmatch, names)) or not all(name.startswith("CIBW_") for name in build.variables):
        yield "the name of a variable is not valid"
    parts = [build.configuration.get("linux", {}), *_list(build.configuration.get("overrides", []))]
    if not all(isinstance(part, dict) for part in parts) or _has_null(build.configuration):
        yield "build.configuration is no table of cibuildwheel's"
    for pin in build.requirements:
        try:
            Requirement(pin.requirement)
        except InvalidRequirement:
            yield "a requirement is not valid"
        if "\n" in pin.requirement or not all(map(_HASH.fullmatch, pin.hashes)):
            yield "a requirement or its hash is not valid"


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else [value]


def _has_null(value: object) -> bool:
    """Tell whether a value holds what TOML has no word for."""
    if isinstance(value, dict):
        return any(map(_has_null, value.values()))
    return any(map(_has_null, value)) if isinstance(value, list) else value is None


def _wrong(where: str, reason: str) -> VerificationError:
    return VerificationError(f"the record of {where} cannot be used: {reason}")
