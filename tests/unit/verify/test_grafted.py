from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.archives import write_wheel
from wheelkiln.verify import grafted
from wheelkiln.verify.grafted import GraftedLibrary, OtherSbom, Shipped, SourcePackage, read_shipped

_SBOMS = "kern-1.2.dist-info/sboms"
_ZLIB = SourcePackage("zlib", "1.2.13", "pkg:deb/debian/zlib@1.2.13")


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _component(path: str, package: SourcePackage = _ZLIB, **changes: Any) -> dict[str, Any]:
    """A component as auditwheel writes it: what it knows of the file is the digest of its path."""
    made = {"type": "library", "name": package.name, "version": package.version, "purl": package.purl}
    return {**made, "bom-ref": f"{package.purl}#{_sha256(path.encode())}", **changes}


def _read(tmp_path: Path, files: Mapping[str, bytes]) -> Shipped:
    with zipfile.ZipFile(write_wheel(tmp_path, files=files)) as archive:
        return read_shipped(archive)


def _with_sbom(tmp_path: Path, table: Any, library: str = "libz-1a2b3c4d.so.1.2.13") -> Shipped:
    content = table if isinstance(table, bytes) else json.dumps(table).encode()
    return _read(tmp_path, {f"kern.libs/{library}": b"z", f"{_SBOMS}/auditwheel.cdx.json": content})


def test_a_wheel_that_ships_nothing_else(tmp_path: Path) -> None:
    assert _read(tmp_path, {"kern/_kern.so": b"x", "kern.libs/readme.txt": b"x"}) == Shipped()


def test_libraries_that_nobody_knows_the_packages_of(tmp_path: Path) -> None:
    files = {
        "kern.libs/libgomp-a34b3233.so.1.0.0": b"gomp",
        "kern/.libs/libold.so": b"old",
        "kern.libs/libplain.so.3": b"p",
    }
    assert _read(tmp_path, files).libraries == (
        GraftedLibrary("kern.libs/libgomp-a34b3233.so.1.0.0", "libgomp.so.1.0.0", _sha256(b"gomp")),
        GraftedLibrary("kern.libs/libplain.so.3", "libplain.so.3", _sha256(b"p")),
        GraftedLibrary("kern/.libs/libold.so", "libold.so", _sha256(b"old")),
    )


@pytest.mark.parametrize(
    "path", ["/lib/x86_64-linux-gnu/libz.so.1.2.13", "/usr/lib64/libz.so.1.2.13", "/usr/local/lib/libz.so.1.2.13"]
)
def test_auditwheel_tells_the_package_by_the_path_that_it_had(tmp_path: Path, path: str) -> None:
    shipped = _with_sbom(tmp_path, {"components": [{"bom-ref": "pkg:pypi/kern@1.2"}, _component(path)]})
    (library,) = shipped.libraries
    assert (library.package, shipped.packages) == (_ZLIB, ())


def test_packages_of_files_in_unknown_places_are_kept_apart(tmp_path: Path) -> None:
    shipped = _with_sbom(tmp_path, {"components": [_component("/opt/z/libz.so.1.2.13"), _component("/opt/z/b")]})
    assert shipped.libraries[0].package is None
    assert shipped.packages == (_ZLIB,)


@pytest.mark.parametrize(
    "table",
    [
        b"{",
        b"[" * 100_000,
        b"\xff\xfe",
        [],
        {"components": 7},
        {"components": [7, None, []]},
        {"components": [_component("/lib/libz.so.1.2.13", purl="javascript:x")]},
        {"components": [_component("/lib/libz.so.1.2.13", name=7)]},
        {"components": [{"bom-ref": 7}]},
        {"components": [_component("/lib/libz.so.1.2.13", version="1\ud800")]},
    ],
)
def test_what_auditwheel_does_not_write_is_left_out(tmp_path: Path, table: Any) -> None:
    shipped = _with_sbom(tmp_path, table)
    assert [library.package for library in shipped.libraries] == [None]
    assert shipped.packages == ()


def test_documents_of_others_are_named_and_our_own_is_not(tmp_path: Path) -> None:
    names = ("auditwheel.cdx.json", "kern.cyclonedx.json", "wheelkiln.cdx.json")
    shipped = _read(tmp_path, {f"{_SBOMS}/{name}": b"{}" for name in names})
    assert shipped.sboms == tuple(OtherSbom(f"{_SBOMS}/{name}", _sha256(b"{}")) for name in names[:2])
    assert shipped.sboms[1].name == "kern.cyclonedx.json"


def test_a_document_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    bomb = {f"{_SBOMS}/auditwheel.cdx.json": b" " * (grafted._MOST_SBOM_BYTES + 1)}
    with pytest.raises(ValueError, match=r"auditwheel\.cdx\.json is larger than any SBOM"):
        _read(tmp_path, bomb)
