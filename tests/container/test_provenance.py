"""Statements and SBOMs of a wheel that was built by a real engine, as their consumers read them."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from sigstore.dsse._predicate import SLSAPredicateV1_0

from tests.container.conftest import Tool

pytestmark = pytest.mark.any_engine(but=())

_GITHUB = {
    "GITHUB_ACTIONS": "true",
    "GITHUB_SERVER_URL": "https://github.example",
    "GITHUB_WORKFLOW_REF": "acme/kern/.github/workflows/wheels.yml@refs/tags/v1",
}


def test_a_wheel_says_what_it_was_built_with_and_its_statement_who_built_it(
    tool: Tool, project: Callable[[str], Path]
) -> None:
    source = project("plain")
    ran = tool.build(".", "--python", "cp312", "--fresh", cwd=source, **_GITHUB)  # an earlier test may have built it
    assert ran.code == 0, ran.stderr
    (wheel,) = (source / "wheelhouse").glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        sbom = archive.read("plainkernel-1.2.3.dist-info/sboms/wheelkiln.cdx.json").decode()
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(sbom) is None
    built_with = [it["name"] for it in json.loads(sbom)["formulation"][0]["components"]]
    assert built_with == ["setuptools", "bootstrap", "gcc"]

    told = tool.run("provenance", "--stdout", cwd=source)
    assert told.code == 0, told.stderr
    statement: dict[str, Any] = json.loads(told.stdout)
    assert statement["subject"] == [{"name": wheel.name, "digest": {"sha256": sha256(wheel.read_bytes()).hexdigest()}}]
    predicate = SLSAPredicateV1_0.model_validate(statement["predicate"])
    assert predicate.run_details.builder.id.startswith("https://github.example/acme/kern/")

    wheel.write_bytes(wheel.read_bytes() + b"\0")
    refused = tool.run("provenance", "--stdout", cwd=source)
    assert (refused.code, refused.stdout) == (8, "")
