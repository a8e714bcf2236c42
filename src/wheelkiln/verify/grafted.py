"""What a wheel ships besides its project's own code: grafted libraries, their packages, and the SBOMs that it has."""

from __future__ import annotations

import hashlib
import json
import re
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

__all__ = ["OWN_SBOM", "GraftedLibrary", "OtherSbom", "Shipped", "SourcePackage", "read_shipped"]

OWN_SBOM = "wheelkiln.cdx.json"
"""Our document's name in ``*.dist-info/sboms`` (PEP 770)."""
_AUDITWHEEL = "auditwheel.cdx.json"
_SBOM = re.compile(r"[^/]+\.dist-info/sboms/(?P<name>[^/]+)")
_LIBRARY = re.compile(r"(.*/)?([^/]*\.libs)/[^/]+\.so(\.[^/]*)?")
"""auditwheel grafts into ``NAME.libs`` beside the package; before version 2 it was ``.libs`` in it."""
_HASH = re.compile(r"(?P<base>[^.]+)-[0-9a-f]{8}(?P<rest>\..*)")
_MOST_SBOM_BYTES = 16 << 20
_MOST_BYTES = 8 << 30
_CHUNK = 1 << 20
_ARCHES = ("x86_64", "aarch64", "i386", "arm", "powerpc64le", "s390x", "riscv64")
_PLACES = (
    *(f"{root}{lib}" for root in ("/usr/local", "/usr", "") for lib in ("/lib64", "/lib")),
    *(f"{root}/lib/{arch}-linux-gnu" for root in ("/usr/local", "/usr", "") for arch in _ARCHES),
)
"""Where packages install libraries."""


@dataclass(frozen=True, slots=True)
class SourcePackage:
    """A distribution's package that a grafted library came from."""

    name: str
    version: str
    purl: str


@dataclass(frozen=True, slots=True)
class GraftedLibrary:
    """name is what the library was called before it was grafted; package is None where nobody says whose it was."""

    member: str
    name: str
    sha256: str
    package: SourcePackage | None = None


@dataclass(frozen=True, slots=True)
class OtherSbom:
    """An SBOM of another tool in the wheel."""

    member: str
    sha256: str

    @property
    def name(self) -> str:
        return PurePosixPath(self.member).name


@dataclass(frozen=True, slots=True)
class Shipped:
    """packages are those of auditwheel's SBOM that no library here could be matched with."""

    libraries: tuple[GraftedLibrary, ...] = ()
    packages: tuple[SourcePackage, ...] = ()
    sboms: tuple[OtherSbom, ...] = ()


def read_shipped(archive: zipfile.ZipFile) -> Shipped:
    """Read a wheel; raise ValueError where it is larger than any wheel, and what zipfile raises where it is broken."""
    members = {entry.filename: entry for entry in archive.infolist() if not entry.is_dir()}
    entries = [members[name] for name in sorted(members)]
    if sum(entry.file_size for entry in entries if _LIBRARY.fullmatch(entry.filename)) > _MOST_BYTES:
        raise ValueError("its grafted libraries are larger than any wheel")
    packages, sboms = _read_sboms(archive, entries)
    libraries = []
    for entry in entries:
        if _LIBRARY.fullmatch(entry.filename):
            name = _name_before(PurePosixPath(entry.filename).name)
            package = next((packages[mark] for mark in _marks(name) if mark in packages), None)
            libraries.append(GraftedLibrary(entry.filename, name, _digest(archive, entry), package))
    matched = {library.package for library in libraries}
    left = sorted({package for package in packages.values() if package not in matched}, key=lambda it: it.purl)
    return Shipped(tuple(libraries), tuple(left), tuple(sboms))


def _name_before(name: str) -> str:
    """Take off what auditwheel adds to a name: eight digits of the file's SHA-256."""
    found = _HASH.fullmatch(name)
    return f"{found['base']}{found['rest']}" if found else name


def _marks(name: str) -> Iterator[str]:
    """Return what auditwheel would mark a library's package with, by all places where it may have been.

    Its SBOM has no file names, only the SHA-256 of each path. So a match proves the path, and nothing is guessed.
    """
    for place in _PLACES:
        yield hashlib.sha256(f"{place}/{name}".encode(errors="ignore")).hexdigest()


def _read_sboms(
    archive: zipfile.ZipFile, entries: Sequence[zipfile.ZipInfo]
) -> tuple[dict[str, SourcePackage], list[OtherSbom]]:
    """Return auditwheel's packages by their marks, and all SBOMs but our own."""
    packages: dict[str, SourcePackage] = {}
    sboms = []
    for entry in entries:
        found = _SBOM.fullmatch(entry.filename)
        if found is None or found["name"] == OWN_SBOM:
            continue
        if entry.file_size > _MOST_SBOM_BYTES:
            raise ValueError(f"{entry.filename} is larger than any SBOM")
        sboms.append(OtherSbom(entry.filename, _digest(archive, entry)))
        if found["name"] == _AUDITWHEEL:
            packages |= _read_packages(archive.read(entry))
    return packages, sboms


def _read_packages(content: bytes) -> dict[str, SourcePackage]:
    """Read auditwheel's SBOM; what is not as auditwheel writes it is left out."""
    try:
        table = json.loads(content)
    except (ValueError, RecursionError):
        return {}
    components = table.get("components") if isinstance(table, dict) else None
    return dict(filter(None, map(_read_package, components if isinstance(components, list) else ())))


def _read_package(component: Any) -> tuple[str, SourcePackage] | None:
    if not isinstance(component, dict):
        return None
    texts = [component.get(key) for key in ("bom-ref", "name", "version", "purl")]
    reference, name, version, purl = (text if isinstance(text, str) else "" for text in texts)
    _, _, mark = reference.partition("#")
    if not (mark and name and purl.startswith("pkg:") and f"{name}{version}{purl}".isprintable()):
        return None  # the wheel itself is a component, too, without a mark
    return mark, SourcePackage(name, version, purl)


def _digest(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> str:
    digest = hashlib.sha256()
    with archive.open(entry) as reader:
        while chunk := reader.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
