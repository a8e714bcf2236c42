"""Statements and SBOMs as their consumers read them: PyPI's attestations, sigstore's models, CycloneDX's schema."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL
from pypi_attestations import AttestationType, Distribution
from sigstore.dsse import Statement
from sigstore.dsse._predicate import SLSAPredicateV1_0

from tests.archives import write_wheel
from tests.golden.cases import CASES
from wheelkiln.build.sbom import Making, make_sbom
from wheelkiln.build.wheel_contents import read_wheel
from wheelkiln.cache.lock import Pin

_STATEMENT = json.loads(CASES["provenance/every-field.intoto.json"]())
_SBOM = CASES["provenance/every-field.cdx.json"]()


def _faults(text: str) -> str:
    return str(JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) or "")


def test_sigstore_signs_the_statement_as_it_is() -> None:
    """The constructor refuses what its model of in-toto's statement does not hold."""
    content = json.dumps(_STATEMENT).encode()
    assert Statement(content)._contents == content


def test_the_predicate_is_slsas() -> None:
    """sigstore's model, which 'sigstore attest' checks a predicate with, refuses fields that it does not know."""
    predicate = SLSAPredicateV1_0.model_validate(_STATEMENT["predicate"])
    assert predicate.run_details.builder.id == _STATEMENT["predicate"]["runDetails"]["builder"]["id"]
    assert len(predicate.build_definition.resolved_dependencies or ()) == 6
    with pytest.raises(ValueError, match="wheel"):
        SLSAPredicateV1_0.model_validate({**_STATEMENT["predicate"], "wheel": 1})


def test_pypi_takes_the_statement(tmp_path: Path) -> None:
    """What pypi-attestations asks besides a signature: a known type, and one subject that is the file."""
    path = write_wheel(tmp_path, _STATEMENT["subject"][0]["name"])
    (subject,) = _STATEMENT["subject"]
    distribution = Distribution(name=subject["name"], digest=subject["digest"]["sha256"])
    assert AttestationType(_STATEMENT["predicateType"]) is AttestationType.SLSA_PROVENANCE_V1
    assert Distribution.from_file(path).name == distribution.name


def test_the_sbom_obeys_the_schema() -> None:
    assert _faults(_SBOM) == ""
    broken = json.loads(_SBOM)
    broken["components"][0]["type"] = "grafted"
    assert "grafted" in _faults(json.dumps(broken))


def test_the_sbom_of_a_wheel_that_has_little(tmp_path: Path) -> None:
    wheel = read_wheel(write_wheel(tmp_path))
    assert _faults(make_sbom(wheel.identity, wheel.shipped)) == ""


@pytest.mark.parametrize("name", ["kern+x y", "ünï", 'q"\\', "a#b?c"])
def test_the_sbom_of_a_wheel_with_strange_names(tmp_path: Path, name: str) -> None:
    files = {f"kern.libs/{name}.so.1": b"z", f"kern-1.2.dist-info/sboms/{name}.json": b"{}"}
    wheel = read_wheel(write_wheel(tmp_path, files=files))
    making = Making(
        (Pin(f"kern @ https://a.example/{base64.b16encode(name.encode()).decode()}"),), name, name, f"{name} 1", "1"
    )
    assert _faults(make_sbom(wheel.identity, wheel.shipped, making)) == ""


def _purls(value: Any) -> list[str]:
    if isinstance(value, dict):
        found = [value[key] for key in ("purl", "uri") if str(value.get(key, "")).startswith("pkg:")]
        return found + [purl for inner in value.values() for purl in _purls(inner)]
    return [purl for inner in value for purl in _purls(inner)] if isinstance(value, list) else []


def test_package_urls_come_back_as_they_were() -> None:
    purls = _purls([_STATEMENT, json.loads(_SBOM)])
    assert len(purls) > 5
    assert [PackageURL.from_string(purl).to_string() for purl in purls] == purls
