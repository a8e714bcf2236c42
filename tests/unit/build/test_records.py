"""A record tells what went into a wheel: nothing secret, and nothing that another engine or machine would change."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from tests.fakes import Answer, FakeRunner
from tests.values import inspected_image, make_engine, make_host, make_inputs, make_request
from wheelkiln.build.records import check_of, make_record
from wheelkiln.build.request import BuildRequest, JobEnvironment
from wheelkiln.cache.lock import LockedEnvironment, Pin
from wheelkiln.plan.make import settings_of
from wheelkiln.source.origin import EditionChanges, OriginKind, SourceOrigin
from wheelkiln.system.engine import EngineName
from wheelkiln.verify.record import Record, parse_record, write_record_text

_ORIGIN = SourceOrigin(OriginKind.DIRECTORY, "kern", "1.2", "d" * 64)
_CONTENT = f"== recipe\n{'a' * 64}\n== toolchain\ngcc 14.2.1\n== tools\nauditwheel 6.8.2\n== packages\ngcc=14.2.1\n"
_ANSWERS = {
    f"{name} {command}": Answer(text)
    for name in ("docker", "podman")
    for command, text in (("image inspect", inspected_image()), ("run", _CONTENT))
}


def _request(root: Path, table: dict[str, Any] | None = None, **changes: Any) -> BuildRequest:
    inputs = make_inputs({"python": ["cp312"], **(table or {})})
    request = make_request(inputs, FakeRunner(_ANSWERS), root, settings=settings_of(inputs))
    pins = (Pin("setuptools @ https://me:pass@files.example/s.whl", ("sha256:" + "a" * 64,)),)
    locked = LockedEnvironment("cp312", "manylinux_x86_64", (), (), pins)
    (job,) = request.plan.jobs
    request = replace(
        request,
        source=replace(request.source, origin=_ORIGIN),
        environments={job.id: JobEnvironment(locked, PurePosixPath("/x"))},  # type: ignore[arg-type]
    )
    return replace(request, **changes)


def _record(request: BuildRequest) -> Record:
    record = make_record(request, request.plan.jobs[0])
    assert record is not None
    return record


def test_it_tells_what_the_image_and_the_environment_held(tmp_path: Path) -> None:
    record = _record(_request(tmp_path))
    assert (record.project, record.version, record.identifier) == ("kern", "1.2", "cp312-manylinux_x86_64")
    assert record.tools["auditwheel"] == "6.8.2"
    assert (record.image.recipe, record.image.packages) == ("a" * 64, ("gcc=14.2.1",))
    assert record.machine.architecture == "x86_64"
    assert record.edition is None


def test_engine_user_machine_and_places_make_no_other_record(tmp_path: Path) -> None:
    runner = FakeRunner(_ANSWERS)
    others = [
        _request(tmp_path / "b", engine=make_engine(runner, name=EngineName.PODMAN, rootless=True)),
        _request(tmp_path / "c", host=make_host(uid=0, home=Path("/root"), cpus=64, environ={"LANG": "de_DE"})),
        _request(tmp_path / "d", {"container": {"user": "root", "network": "none"}}),
        _request(tmp_path / "e", {"cache": {"max-size": "1G", "mode": "read-only", "links": "off"}}),
        _request(tmp_path / "f", tests=False),
        _request(tmp_path / "g", variables={"CIBW_TEST_COMMAND": "pytest", "CIBW_CACHE_PATH": "/home/me/.cache"}),
    ]
    first = write_record_text(_record(_request(tmp_path / "a")))
    assert {write_record_text(_record(request)) for request in others} == {first}
    assert str(tmp_path) not in first


@pytest.mark.parametrize(
    "change",
    [
        {"table": {"frontend": "pip"}},
        {"table": {"repair": {"args": ["--strip"]}}},
        {"table": {"cache": {"share-between-pythons": "flags"}}},
        {"variables": {"CIBW_CONFIG_SETTINGS": "a=b"}},
        {"cibuildwheel_version": "5.0"},
    ],
    ids=str,
)
def test_what_reaches_a_wheel_makes_another_record(tmp_path: Path, change: dict[str, Any]) -> None:
    table = change.pop("table", None)
    assert _record(_request(tmp_path, table, **change)) != _record(_request(tmp_path))


def test_no_secret_is_in_it(tmp_path: Path) -> None:
    variables = {"CIBW_ENVIRONMENT": "TOKEN=hush", "CIBW_REPAIR_WHEEL_COMMAND": "get https://me:pass@host/{wheel}"}
    request = _request(tmp_path, variables=variables, host=make_host(environ={"KEY": "hush"}))
    settings = replace(
        request.settings, table={"environment-pass": ["KEY", "UNSET"], "before-build": "curl https://me:pass@host"}
    )
    record = _record(replace(request, settings=settings))
    text = write_record_text(record)
    assert "hush" not in text
    assert "pass@" not in text
    assert record.build.withheld == {name: check_of(value) for name, value in variables.items()}
    assert record.build.passed == {"KEY": check_of("hush")}
    assert len(check_of("hush")) == 4


def test_an_edition_tells_its_changes(tmp_path: Path) -> None:
    request = _request(tmp_path)
    changes = EditionChanges(name="kern-fast", classifiers=("A",))
    record = _record(replace(request, source=replace(request.source, changes=changes, digest="e" * 64)))
    assert record.edition is not None
    assert (record.edition.digest, record.edition.changes) == ("e" * 64, changes)
    assert record.source.digest == "d" * 64


def test_what_is_made_is_what_is_read(tmp_path: Path) -> None:
    record = _record(_request(tmp_path))
    assert parse_record(write_record_text(record), where="x") == record


def test_without_an_origin_there_is_none(tmp_path: Path) -> None:
    request = _request(tmp_path)
    assert make_record(replace(request, source=replace(request.source, origin=None)), request.plan.jobs[0]) is None
