"""Two engines as two hosts: jobs on both, one that dies in the middle, and one that is the only engine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.container.conftest import Tool, manifest, wait_for
from tests.container.second_engine import SecondEngine, can_start, second_engine

pytestmark = pytest.mark.skipif(not can_start(), reason="a second dockerd needs root, dockerd and ip")

PYTHONS = ("--python", "cp311", "--python", "cp312")
"""Their flags differ, so that the two gain nothing from one cache and are spread."""


@pytest.fixture(scope="module")
def attic(engine: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecondEngine]:
    if engine != "docker":
        pytest.skip("hosts are docker's")
    with second_engine(tmp_path_factory.mktemp("attic")) as started:
        yield started


@pytest.fixture
def config(tmp_path: Path, attic: SecondEngine) -> Path:
    path = tmp_path / "wheelkiln.toml"
    path.write_text(f'[container]\nnetwork = "host"\n[hosts.attic]\ndocker = "{attic.address}"\narch = ["x86_64"]\n')
    return path


def slow(project: Path) -> Path:
    """Give a project a step during which something can happen."""
    with (project / "pyproject.toml").open("a") as file:
        file.write('\n[tool.cibuildwheel]\nbefore-build = "sleep 3"\n')
    return project


def test_wheels_come_from_both_and_are_what_one_machine_makes(
    tool: Tool, project: Any, attic: SecondEngine, config: Path
) -> None:
    source = project("lto")
    ran = tool.build(".", *PYTHONS, "--config", str(config), "--no-store", cwd=source)
    assert ran.code == 0, ran.stderr
    told = manifest(source / "wheelhouse")
    assert {job["host"] for job in told["jobs"]} == {"", "attic"}
    assert [host["name"] for host in told["hosts"]] == ["attic"]
    assert all(job["statistics"]["misses"] for job in told["jobs"]), "the statistics came back"
    assert attic.lines("ps", "-aq") == []
    assert not [name for name in attic.lines("volume", "ls", "-q") if tool.owner not in name.split("-")[1]]
    assert not attic.lines("volume", "ls", "-q", "--filter", "label=io.wheelkiln.run")

    again = tool.build(".", *PYTHONS, "--config", str(config), "--no-store", "--fresh", cwd=source)
    assert again.code == 0, again.stderr
    assert {job["statistics"]["misses"] for job in manifest(source / "wheelhouse")["jobs"]} == {0}

    alone = tool.build(".", *PYTHONS, "--no-store", "--fresh", "-o", "alone", cwd=source)
    assert alone.code == 0, alone.stderr
    here = {job["wheel"]["name"]: job["wheel"]["sha256"] for job in manifest(source / "alone")["jobs"]}
    assert here == {job["wheel"]["name"]: job["wheel"]["sha256"] for job in told["jobs"]}


def test_the_jobs_of_a_host_that_dies_move(tool: Tool, project: Any, attic: SecondEngine, config: Path) -> None:
    source = slow(project("plain"))
    options = tool.options(*PYTHONS, "--config", str(config), "--no-store", "--fresh")
    process = tool.start("build", ".", *options, cwd=source)
    seen = wait_for(process, "cp312-manylinux_x86_64: before-build")
    attic.kill()
    _, stderr = process.communicate(timeout=120)
    assert process.returncode == 0, seen + stderr
    assert "the host attic does not answer any more" in stderr
    jobs = {job["id"]: job for job in manifest(source / "wheelhouse")["jobs"]}
    assert {job["status"] for job in jobs.values()} == {"built"}
    assert jobs["cp312-manylinux_x86_64"]["host"] == ""
    assert len(list((source / "wheelhouse").glob("*.whl"))) == 2

    attic.start()
    assert tool.build(".", "--python", "cp312", "--config", str(config), "--no-store", "--fresh", cwd=source).code == 0
    assert attic.lines("ps", "-aq") == [], "what the dead run left is gone"
    assert not attic.lines("volume", "ls", "-q", "--filter", "label=io.wheelkiln.run")


def test_an_engine_elsewhere_can_be_the_only_one(tool: Tool, project: Any, attic: SecondEngine) -> None:
    source = project("lto")
    (source / "wheelkiln.toml").write_text('[container]\nnetwork = "host"\n')
    ran = tool.build(".", "--python", "cp312", "--no-store", "--fresh", cwd=source, DOCKER_HOST=attic.address)
    assert ran.code == 0, ran.stderr
    (job,) = manifest(source / "wheelhouse")["jobs"]
    assert (job["status"], job["host"]) == ("built", "")
    assert attic.lines("ps", "-aq") == []
