"""What a rebuild is made from: the record, this machine's caches and network, and nothing of a project here."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.archives import write_wheel
from tests.fakes import FakeRunner
from tests.values import CIBUILDWHEEL, make_config, make_engine, make_facts, make_host, make_record
from wheelkiln.build.cibuildwheel_config import lay_over, render_cibuildwheel_config, write_toml
from wheelkiln.build.members import add_members
from wheelkiln.build.records import check_of
from wheelkiln.build.request import BuildRequest, make_invocation
from wheelkiln.errors import UsageProblem
from wheelkiln.plan.model import Job
from wheelkiln.reproduce.images import FoundImage
from wheelkiln.reproduce.rebuild import Workshop, make_rebuild_request, variables_of
from wheelkiln.source.prepare import PreparedSource
from wheelkiln.system.pip_settings import PipSettings
from wheelkiln.verify.record import RECORD_MEMBER, Record, write_record_text


def _rebuild(record: Record, place: Path, frontend: str = "pip") -> tuple[BuildRequest, Job]:
    wheel = add_members(write_wheel(place / "a"), place / "k.whl", {RECORD_MEMBER: write_record_text(record)})
    workshop = Workshop(
        host=make_host(environ={"CIBW_BUILD": "x", "CIBW_ENVIRONMENT": "A=1"}),
        engine=make_engine(FakeRunner()),
        config=make_config({"frontend": "build", "repair": {"args": ["--mine"]}}),
        cache_root=place / "cache",
        cibuildwheel_version=CIBUILDWHEEL.version,
        read_pip=PipSettings,
    )
    source = PreparedSource(make_facts(), place / "kern-1.2.tar.gz", "d" * 64, record.epoch, 1)
    image = FoundImage("localhost/x:1", "sha256:1", ())
    return make_rebuild_request(record, wheel, source, image, workshop, frontend=frontend)


def _plain() -> Record:
    record = make_record()
    return replace(record, build=replace(record.build, withheld={}, passed={}))


def _table(request: BuildRequest, job: Job, place: Path) -> dict[str, Any]:
    invocation = make_invocation(request, (job,), place, "run")
    rendered = render_cibuildwheel_config(
        invocation, request.config, request.source.facts, request.settings, tests=False
    )
    assert request.rebuild is not None
    text = write_toml(lay_over(request.rebuild.configuration, rendered))
    table: dict[str, Any] = tomllib.loads(text)["tool"]["cibuildwheel"]
    return table


def test_the_configuration_is_the_records_on_this_machine(tmp_path: Path) -> None:
    request, job = _rebuild(_plain(), tmp_path)
    table = _table(request, job, tmp_path)
    recorded, ours = table["overrides"]
    assert recorded["repair-wheel-command"] == "true {wheel}"
    assert "repair-wheel-command" not in ours, "this user's own settings have no part"
    assert ours["manylinux-x86_64-image"] == "localhost/x:1"
    assert ours["build-frontend"] == "pip"
    assert table["build"] == ["cp312-manylinux_x86_64"]


def test_a_record_decides_on_no_container(tmp_path: Path) -> None:
    hostile = {
        "container-engine": {"name": "docker", "create-args": ["--privileged"]},
        "manylinux-x86_64-image": "evil",
        "overrides": [{"select": "*", "container-engine": {"name": "docker", "create-args": ["--volume=/:/h"]}}],
    }
    record = _plain()
    record = replace(
        record, build=replace(record.build, configuration=hostile, variables={"CIBW_CONTAINER_ENGINE": "x"})
    )
    request, job = _rebuild(record, tmp_path)
    ours = _table(request, job, tmp_path)["overrides"][-1]
    assert "--privileged" not in ours["container-engine"]["create-args"]
    assert ours["manylinux-x86_64-image"] == "localhost/x:1"
    assert request.variables == {}


def test_it_has_no_part_in_what_is_kept(tmp_path: Path) -> None:
    request, _ = _rebuild(_plain(), tmp_path)
    assert (request.fresh, request.store, request.tests) == (True, False, False)
    assert request.lock is not None
    (environment,) = request.lock.environments
    assert [pin.requirement for pin in environment.pins] == ["setuptools==84.2.1"]
    assert not [name for name in request.host.environ if name.startswith("CIBW_")]


@pytest.mark.parametrize(("frontend", "name"), [("pip", "pip"), ("recorded", "build")])
def test_the_frontend_is_pip_or_the_recorded_one(tmp_path: Path, frontend: str, name: str) -> None:
    assert _rebuild(_plain(), tmp_path, frontend)[0].config.frontend.value == name


def test_the_members_are_those_of_the_wheel(tmp_path: Path) -> None:
    record = _plain()
    request, _ = _rebuild(record, tmp_path)
    assert request.rebuild is not None
    assert request.rebuild.members == {RECORD_MEMBER: write_record_text(record)}


def test_values_that_were_withheld_have_to_be_here_and_the_same() -> None:
    record = make_record()
    record = replace(
        record, build=replace(record.build, withheld={"CIBW_ENVIRONMENT": check_of("A=1")}, passed={"T": check_of("t")})
    )
    usual = {"CIBW_ENVIRONMENT": "A=1", "T": "t"}
    assert variables_of(record, usual) == {"CIBW_CONFIG_SETTINGS": "a=b", "CIBW_ENVIRONMENT": "A=1"}
    with pytest.raises(UsageProblem, match="CIBW_ENVIRONMENT, which has another value here"):
        variables_of(record, usual | {"CIBW_ENVIRONMENT": "A=2"})
    with pytest.raises(UsageProblem, match="T, which is not set") as caught:
        variables_of(record, {"CIBW_ENVIRONMENT": "A=1"})
    assert "--pass" in caught.value.hint
