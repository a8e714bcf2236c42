"""What a wheel is given after its build: record, SBOM and label, the same for the same inputs."""

from __future__ import annotations

import json
import zipfile
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from tests.archives import write_wheel
from tests.fakes import Answer, FakeRunner
from tests.records import make_record_value
from tests.values import inspected_image, make_inputs, make_request
from wheelkiln.build.records import complete_wheel
from wheelkiln.build.request import BuildRequest, JobEnvironment, Rebuild
from wheelkiln.cache.lock import LockedEnvironment, Pin
from wheelkiln.source.origin import OriginKind, SourceOrigin
from wheelkiln.system.files import sha256_of
from wheelkiln.verify.record import write_record_text

_CONTENT = "== recipe\naabb\n== toolchain\ngcc 14.2.1\n== tools\nauditwheel 6.8.2\n== packages\ngcc=14.2.1\n"
_RECORD, _SBOM = "kern-1.2.dist-info/wheelkiln.json", "kern-1.2.dist-info/sboms/wheelkiln.cdx.json"


def _request(root: Path, table: dict[str, Any] | None = None) -> BuildRequest:
    answers = {"docker image inspect": Answer(inspected_image()), "docker run": Answer(_CONTENT)}
    request = make_request(make_inputs({"python": ["cp312"], **(table or {})}), FakeRunner(answers), root)
    locked = LockedEnvironment("cp312", "manylinux_x86_64", (), (), (Pin("cmake==4.1.0"),))
    (job,) = request.plan.jobs
    return replace(
        request,
        source=replace(request.source, origin=SourceOrigin(OriginKind.DIRECTORY, "kern", "1.2", "d" * 64)),
        environments={job.id: JobEnvironment(locked, PurePosixPath("/x"))},  # type: ignore[arg-type]
    )


def _complete(request: BuildRequest, place: Path, **files: bytes) -> Path:
    wheel = write_wheel(place, files={f"kern.libs/{name}.so": content for name, content in files.items()})
    return complete_wheel(request, request.plan.jobs[0], wheel)


def _members(wheel: Path) -> dict[str, str]:
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name).decode() for name in (_RECORD, _SBOM) if name in archive.namelist()}


def test_a_wheel_carries_an_sbom_of_what_it_ships_and_was_built_with(tmp_path: Path) -> None:
    wheel = _complete(_request(tmp_path), tmp_path / "w", libz=b"z")
    document = json.loads(_members(wheel)[_SBOM])
    assert document["metadata"]["component"]["purl"] == f"pkg:pypi/kern@1.2?file_name={wheel.name}"
    assert [component["name"] for component in document["components"]] == ["libz.so"]
    assert document["formulation"][0]["components"][0]["name"] == "cmake"
    with zipfile.ZipFile(wheel) as archive:
        assert f"{_SBOM},sha256=" in archive.read("kern-1.2.dist-info/RECORD").decode()


def test_two_builds_are_one_wheel(tmp_path: Path) -> None:
    wheels = [_complete(_request(tmp_path / name), tmp_path / name / "w", libz=b"z") for name in "ab"]
    assert len({sha256_of(wheel) for wheel in wheels}) == 1


@pytest.mark.parametrize(
    ("table", "members"),
    [
        ({}, [_RECORD, _SBOM]),
        ({"sbom": False}, [_RECORD]),
        ({"record": False}, [_SBOM]),
        ({"record": False, "sbom": False}, []),
    ],
)
def test_each_of_them_can_be_left_out(tmp_path: Path, table: dict[str, Any], members: list[str]) -> None:
    assert list(_members(_complete(_request(tmp_path, table), tmp_path / "w"))) == members


def test_a_rebuilt_wheel_has_the_first_ones_record_and_an_sbom_of_its_own(tmp_path: Path) -> None:
    record = write_record_text(make_record_value())
    given = {"wheelkiln.json": record, "sboms/wheelkiln.cdx.json": "what the first one said"}
    request = replace(_request(tmp_path), rebuild=Rebuild({}, {}, given))
    members = _members(_complete(request, tmp_path / "w", libz=b"z"))
    assert members[_RECORD] == record
    document = json.loads(members[_SBOM])
    assert [component["name"] for component in document["components"]] == ["libz.so"]
    assert [it["name"] for it in document["formulation"][0]["components"]][:2] == ["cmake", "numpy"]


@pytest.mark.parametrize("given", [{}, {"wheelkiln.json": "{}"}])
def test_without_a_record_that_can_be_read_an_sbom_is_not_taken_over(tmp_path: Path, given: dict[str, str]) -> None:
    given = {**given, "sboms/wheelkiln.cdx.json": "what the first one said"}
    request = replace(_request(tmp_path), rebuild=Rebuild({}, {}, given))
    assert _SBOM not in _members(_complete(request, tmp_path / "w"))


def test_a_rebuilt_wheel_gets_no_sbom_that_the_first_one_had_not(tmp_path: Path) -> None:
    request = replace(_request(tmp_path), rebuild=Rebuild({}, {}, {"wheelkiln.json": "{}"}))
    assert list(_members(_complete(request, tmp_path / "w"))) == [_RECORD]
