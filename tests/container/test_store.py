"""Caches that are damaged, poisoned, full, shared or gone: no build fails for it, and no wheel is wrong."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from tests.container.conftest import BUILD_SECONDS, Ran, Tool, clean_environment, manifest

pytestmark = pytest.mark.any_engine(but=())

ONE = ("--python", "cp312")
BOTH = ("--python", "cp312", "--python", "cp313")
needs_root = pytest.mark.skipif(os.getuid() != 0, reason="mounting a file system, and other users, need root")


@pytest.fixture
def own(tool: Tool, tmp_path: Path) -> Tool:
    """The tool with a cache directory of this test; the image is in the engine."""
    cache = tmp_path / "cache"
    cache.mkdir()
    return replace(tool, cache=cache)


def digests(house: Path) -> dict[str, str]:
    return {path.name: sha256(path.read_bytes()).hexdigest() for path in house.glob("*.whl")}


def jobs(house: Path) -> list[tuple[str, bool]]:
    return [(job["status"], job["from_store"]) for job in manifest(house)["jobs"]]


def build(tool: Tool, source: Path, *more: str, **environ: str) -> Mapping[str, str]:
    ran = tool.build(".", *more, cwd=source, **environ)
    assert ran.code == 0, ran.stderr
    return digests(source / "wheelhouse")


def verify(tool: Tool, source: Path, *more: str) -> Ran:
    return tool.run("cache", "verify", ".", *tool.options(*ONE, *more), cwd=source)


@pytest.fixture
def without_image(tool: Tool, tmp_path: Path) -> str:
    """A PATH whose engine has no image, and fails a run that would build, pull or start anything."""
    real = shutil.which(tool.engine)
    wrapper = tmp_path / "bin" / tool.engine
    wrapper.parent.mkdir()
    wrapper.write_text(
        '#!/bin/sh\ncase "$1 $2" in\n"image inspect") exit 1;;\n'
        '"buildx version") ;;\nbuild*|pull*|run*|create*|import*) echo "refused: $*" >&2; exit 9;;\nesac\n'
        f'exec {real} "$@"\n'
    )
    wrapper.chmod(0o755)
    return f"{wrapper.parent}:{os.environ['PATH']}"


def test_wheels_come_out_of_the_store_without_image_and_container(own: Tool, project: Any, without_image: str) -> None:
    source = project("plain")
    first = build(own, source, *BOTH)
    shutil.rmtree(source / "wheelhouse")
    assert build(own, source, *BOTH) == first
    assert jobs(source / "wheelhouse") == [("reused", True)] * 2

    shutil.rmtree(source / "wheelhouse")
    assert build(own, source, *BOTH, PATH=without_image) == first
    assert jobs(source / "wheelhouse") == [("reused", True)] * 2
    assert manifest(source / "wheelhouse")["images"][0]["digest"]

    next((own.cache / "wheels").rglob("*cp313*.whl")).unlink()
    shutil.rmtree(source / "wheelhouse")
    refused = own.build(".", *BOTH, cwd=source, PATH=without_image)
    assert refused.code == 6, "a job is missing, so an image is needed"
    assert digests(source / "wheelhouse") == {}


def test_a_damaged_wheel_in_the_store_is_built_again(own: Tool, project: Any) -> None:
    source = project("plain")
    first = build(own, source, *ONE)
    shutil.rmtree(source / "wheelhouse")
    (stored,) = (own.cache / "wheels").rglob("*.whl")
    stored.write_bytes(stored.read_bytes()[:-1])
    assert build(own, source, *ONE) == first
    assert jobs(source / "wheelhouse") == [("built", False)]


def test_runs_beside_each_other_and_beside_prunes_get_whole_wheels(own: Tool, project: Any) -> None:
    source = project("plain")
    first = build(own, source, *ONE)
    options = own.options(*ONE)
    houses = [f"house-{number}" for number in range(3)]
    runs = [own.start("build", ".", *options, "-o", house, cwd=source) for house in houses]
    prunes = [
        own.start("cache", "prune", "--cache-dir", str(own.cache), "--engine", own.engine, *scope, cwd=source)
        for scope in (["--all"], ["--project", "plainkernel"])
    ]
    ended = [process.communicate(timeout=BUILD_SECONDS)[1] for process in (*runs, *prunes)]
    assert [process.returncode for process in (*runs, *prunes)] == [0] * 5, ended
    assert [digests(source / house) for house in houses] == [first] * 3


def entries(cache: Path) -> list[Path]:
    """The compile cache's results: ccache ends their names with R."""
    found = sorted((cache / "ccache").rglob("*R"))
    assert found
    return found


@pytest.mark.parametrize("damage", ["cut", "garbage", "empty"])
def test_a_damaged_entry_of_the_compile_cache_is_not_used(own: Tool, project: Any, damage: str) -> None:
    source = project("plain")
    first = build(own, source, *ONE)
    for entry in entries(own.cache):
        size = entry.stat().st_size
        content = {"cut": entry.read_bytes()[: size // 2], "garbage": os.urandom(size), "empty": b""}[damage]
        entry.write_bytes(content)
    assert build(own, source, *ONE, "--fresh") == first
    assert manifest(source / "wheelhouse")["jobs"][0]["statistics"]["hits"] == 0
    assert build(own, source, *ONE, "--fresh") == first
    assert manifest(source / "wheelhouse")["jobs"][0]["statistics"]["hits"] == 1, "and it is replaced"


def test_a_poisoned_compile_cache_is_found(own: Tool, project: Any) -> None:
    source = project("plain")
    honest = build(own, source, *BOTH)
    assert verify(own, source, "--record").code == 0
    noted = manifest(source / "wheelhouse")["jobs"][0]
    assert noted["cold_rebuild"]["verdict"] == "equal"
    assert noted["cold_rebuild"]["sha256"] == noted["wheel"]["sha256"]

    one, other = entries(own.cache)  # each is whole, under the other's key
    one_content, other_content = one.read_bytes(), other.read_bytes()
    one.write_bytes(other_content)
    other.write_bytes(one_content)
    poisoned = build(own, source, *ONE, "--fresh")
    assert manifest(source / "wheelhouse")["jobs"][0]["statistics"]["hits"] == 1
    name = next(name for name in honest if "cp312" in name)
    assert poisoned[name] != honest[name], "or nothing was poisoned"

    found = verify(own, source, "--record")
    assert found.code == 8, found.stderr
    assert "differs: plainkernel/_kernel.cpython-312" in found.stdout
    assert manifest(source / "wheelhouse")["jobs"][0]["cold_rebuild"]["verdict"] == "different"

    prune = ["cache", "prune", "--cache-dir", str(own.cache), "--engine", own.engine, "--project", "plainkernel"]
    assert own.run(*prune, cwd=source).code == 0
    assert build(own, source, *ONE)[name] == honest[name]
    assert verify(own, source).code == 0


@needs_root
def test_a_disk_that_fills_up_under_the_compile_cache_costs_hits_only(own: Tool, project: Any) -> None:
    source = project("plain")
    first = build(own, source, *BOTH)
    shutil.rmtree(own.cache / "ccache")
    (own.cache / "ccache").mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=20k", "tmpfs", str(own.cache / "ccache")], check=True)
    try:
        for _ in range(2):
            assert build(own, source, *BOTH, "--fresh") == first
        assert shutil.disk_usage(own.cache / "ccache").free < 8192, "or it was not full"
        assert sum(job["statistics"]["misses"] for job in manifest(source / "wheelhouse")["jobs"]) > 0
    finally:
        subprocess.run(["umount", str(own.cache / "ccache")], check=True)


@needs_root
@pytest.mark.skipif(shutil.which("setpriv") is None, reason="setpriv starts a program as another user")
def test_two_users_of_one_cache_directory_do_not_get_in_each_others_way(
    own: Tool, project: Any, tmp_path: Path
) -> None:
    if own.engine != "docker":
        pytest.skip("other users have their own podman, with its own images")
    own.cache.chmod(0o1777)
    for directory in (tmp_path, *tmp_path.parents[:3]):
        directory.chmod(directory.stat().st_mode | 0o055)
    socket_group = Path("/var/run/docker.sock").stat().st_gid
    made: list[dict[str, str]] = []
    for uid in (1000, 1001, 1000):
        source = project("plain", f"of {uid} {len(made)}")
        for path in (source, *source.rglob("*")):
            os.chown(path, uid, uid)
        # they may read the interpreter and the program wherever these are, and write what is theirs
        rights = ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]
        command = ["setpriv", f"--reuid={uid}", f"--regid={uid}", f"--groups={socket_group}", *rights, "--"]
        tool = ["python", "-m", "wheelkiln", "build", ".", *own.options(*ONE)]
        environ = clean_environment() | {"DOCKER_CONFIG": str(tmp_path / f"docker-{uid}")}
        done = subprocess.run([*command, *tool], cwd=source, env=environ, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        made.append(digests(source / "wheelhouse"))
        status = manifest(source / "wheelhouse")["jobs"][0]["status"]
        assert status == ("built" if len(made) < 3 else "reused")
    assert made[0] == made[1] == made[2]


def test_stats_and_prune_without_an_engine(own: Tool, project: Any) -> None:
    source = project("plain")
    build(own, source, *ONE)
    nowhere = {"PATH": "/nonexistent"}
    shown = own.run("cache", "stats", "--cache-dir", str(own.cache), "--format", "json", cwd=source, **nowhere)
    told = json.loads(shown.stdout)
    assert [(entry["project"], entry["hits"], entry["misses"]) for entry in told["builds"]] == [("plainkernel", 0, 1)]
    assert {"compile", "wheels", "environments"} <= {entry["name"] for entry in told["caches"]}
    kept = own.run("cache", "prune", "--cache-dir", str(own.cache), cwd=source, **nowhere)
    assert "kept compile: ccache does this" in kept.stderr
    own.run("cache", "prune", "--cache-dir", str(own.cache), "--all", cwd=source, **nowhere)
    assert list((own.cache / "ccache").iterdir()) == []
    assert list((own.cache / "wheels").rglob("*.whl")) == []
    assert build(own, source, *ONE, "--fresh")
