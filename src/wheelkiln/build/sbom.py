"""A wheel's SBOM: what it ships and what it was made with, as CycloneDX 1.6.

Written by hand because cyclonedx-python-lib has no formulation, which is where the format wants what is used to build
and not shipped. The same wheel has the same text: the serial number is made from the content, and there is no time.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from wheelkiln.cache.lock import Pin
from wheelkiln.verify.grafted import OWN_SBOM, GraftedLibrary, OtherSbom, Shipped, SourcePackage
from wheelkiln.verify.purl import package_of, pypi_purl
from wheelkiln.verify.record import Record

__all__ = ["SBOM_MEMBER", "Making", "WheelIdentity", "make_sbom"]

SBOM_MEMBER = f"sboms/{OWN_SBOM}"
"""The member's name in *.dist-info (PEP 770)."""
_SCHEMA = "http://cyclonedx.org/schema/bom-1.6.schema.json"
_ONE_OF = "wheelkiln:one-of-sha256"


@dataclass(frozen=True, slots=True)
class WheelIdentity:
    """license is an SPDX expression, sha256 that of the file; empty where they are not known.

    A document inside of a wheel cannot have the wheel's digest.
    """

    file_name: str
    name: str
    version: str
    license: str = ""
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class Making:
    """What a wheel was made with: pinned requirements, the image and the digest of its recipe, the compiler's version.

    image and recipe are empty for a wheel that was not built in one of our images.
    """

    requirements: tuple[Pin, ...] = ()
    image: str = ""
    recipe: str = ""
    toolchain: str = ""
    wheelkiln: str = ""

    @classmethod
    def recorded(cls, record: Record) -> Making:
        """Take from a wheel's record what an SBOM has of it."""
        pins = tuple(Pin(pin.requirement, pin.hashes) for pin in record.build.requirements)
        image = record.image
        return cls(pins, image.name, image.recipe, image.toolchain, record.tools.get("wheelkiln", ""))


def make_sbom(wheel: WheelIdentity, shipped: Shipped, making: Making | None = None) -> str:
    """Return the document's text; making is None where nobody says what the wheel was made with."""
    root = pypi_purl(wheel.name, wheel.version, file_name=wheel.file_name)
    components = [*map(_of_library, shipped.libraries), *map(_of_package, shipped.packages)]
    formulation = _formulation(making) if making else []
    document: dict[str, Any] = {
        "metadata": {
            "lifecycles": [{"phase": "build"}] if making else [{"phase": "post-build"}],
            **_tools(making),
            "component": {
                "type": "library",
                "bom-ref": root,
                "name": wheel.name,
                "version": wheel.version,
                **({"hashes": [_sha256(wheel.sha256)]} if wheel.sha256 else {}),
                **({"licenses": [{"expression": wheel.license}]} if wheel.license else {}),
                "purl": root,
            },
        },
        "components": components,
        **({"externalReferences": [_of_sbom(sbom) for sbom in shipped.sboms]} if shipped.sboms else {}),
        "dependencies": _dependencies(root, [str(component["bom-ref"]) for component in components]),
        **({"formulation": formulation} if formulation else {}),
    }
    return _write(document)


def _write(document: Mapping[str, Any]) -> str:
    content = json.dumps(document, sort_keys=True)
    head = {
        "$schema": _SCHEMA,
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": uuid.uuid5(uuid.NAMESPACE_URL, content).urn,
        "version": 1,
    }
    return json.dumps({**head, **document}, indent=2, ensure_ascii=False) + "\n"


def _tools(making: Making | None) -> dict[str, Any]:
    if making is None or not making.wheelkiln:
        return {}
    return {"tools": {"components": [{"type": "application", "name": "wheelkiln", "version": making.wheelkiln}]}}


def _of_library(library: GraftedLibrary) -> dict[str, Any]:
    """Name the package where it is known, because that is what scanners look up, and always the file."""
    package = library.package
    return {
        "type": "library",
        "bom-ref": f"file:{library.member}",
        "name": package.name if package else library.name,
        **({"version": package.version} if package and package.version else {}),
        "hashes": [_sha256(library.sha256)],
        **({"purl": package.purl} if package else {}),
        "evidence": {"occurrences": [{"location": library.member}]},
        "properties": [_property("wheelkiln:name-before-grafting", library.name)],
    }


def _of_package(package: SourcePackage) -> dict[str, Any]:
    version = {"version": package.version} if package.version else {}
    return {"type": "library", "bom-ref": package.purl, "name": package.name, **version, "purl": package.purl}


def _of_sbom(sbom: OtherSbom) -> dict[str, Any]:
    """Refer to a document beside ours, relative to it."""
    return {"type": "bom", "url": quote(sbom.name, safe=""), "hashes": [_sha256(sbom.sha256)]}


def _formulation(making: Making) -> list[dict[str, Any]]:
    """Tell what was used to build: a scanner that reads components does not take it for shipped."""
    components = [component for pin in making.requirements for component in _of_pin(pin)]
    if making.image:
        image = {"type": "container", "bom-ref": "build:image", "name": making.image, "version": making.recipe}
        components.append(image)
    if making.toolchain:
        compiler, version, *_ = [*making.toolchain.split(), ""]
        components.append({"type": "application", "bom-ref": "build:compiler", "name": compiler, "version": version})
    return [{"bom-ref": "build", "components": components}] if components else []


def _of_pin(pin: Pin) -> Iterable[dict[str, Any]]:
    """A pin has the hashes of all files of a release: one of them was installed, and nobody says which."""
    package = package_of(pin.requirement)
    if package is None:
        return
    name, version, purl = package
    digests = [digest.removeprefix("sha256:") for digest in pin.hashes if digest.startswith("sha256:")]
    component = {"type": "library", "bom-ref": f"build:{purl}", "name": name, "purl": purl, "scope": "excluded"}
    if version:
        component["version"] = version
    if len(digests) == 1:
        yield component | {"hashes": [_sha256(digests[0])]}
    elif digests:
        yield component | {"properties": [_property(_ONE_OF, digest) for digest in digests]}
    else:
        yield component


def _dependencies(root: str, references: list[str]) -> list[dict[str, Any]]:
    return [{"ref": root, "dependsOn": references}, *({"ref": reference} for reference in references)]


def _sha256(digest: str) -> dict[str, str]:
    return {"alg": "SHA-256", "content": digest}


def _property(name: str, value: str) -> dict[str, str]:
    return {"name": name, "value": value}
