"""Compile caches that machines share: a real redis and an http store on loopback, and what happens without them."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from tests.container.cache_servers import PROGRAM, Redis, http_store, real_redis, silent_server
from tests.container.conftest import Ran, Tool, manifest

pytestmark = pytest.mark.any_engine(but=("test_what_one_machine_compiled_another_finds_in_redis",))

PASSWORD = "s3cret/p@ss:%41|x"  # noqa: S105 - of a server that lives for one test
ENCODED = "s3cret%2Fp%40ss%3A%2541%7Cx"
HOST = {"WHEELKILN_CONTAINER_NETWORK": "host"}
ONE = ("--python", "cp312")
FILES = 8

needs_redis = pytest.mark.skipif(shutil.which(PROGRAM) is None, reason="no redis-server")


@dataclass(frozen=True, slots=True)
class Machine:
    """A machine of the team: a cache directory and a checkout of its own."""

    tool: Tool
    project: Path

    def build(self, *more: str, **environ: str) -> Ran:
        return self.tool.build(".", *ONE, "--fresh", *more, cwd=self.project, **(HOST | environ))

    @property
    def job(self) -> dict[str, Any]:
        found: dict[str, Any] = manifest(self.project / "wheelhouse")["jobs"][0]
        return found

    def traces(self, secret: str) -> list[Path]:
        """The files of this machine that hold the secret."""
        places = (self.tool.cache, self.project)
        files = (path for place in places for path in place.rglob("*") if path.is_file())
        return [path for path in files if secret.encode() in path.read_bytes()]


def write_project(place: Path, files: int = FILES) -> Path:
    """Write a project whose every source takes the compiler some tenths of a second."""
    place.mkdir()
    sources = [f"part{number}.c" for number in range(files)]
    for number, name in enumerate(sources):
        body = "".join(f"int f{number}_{i}(int a) {{ return a * {i} + {number}; }}\n" for i in range(400))
        (place / name).write_text(f"#include <Python.h>\n{body}")
    (place / "init.c").write_text(
        '#include <Python.h>\nstatic struct PyModuleDef m = {PyModuleDef_HEAD_INIT, "many", 0, -1, 0};\n'
        "PyMODINIT_FUNC PyInit_many(void) { return PyModule_Create(&m); }\n"
    )
    module = json.dumps([*sources, "init.c"])
    (place / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["setuptools>=77"]\nbuild-backend = "setuptools.build_meta"\n'
        '[project]\nname = "many"\nversion = "1"\n'
        f'[tool.setuptools]\npackages = []\next-modules = [{{ name = "many", sources = {module} }}]\n'
    )
    return place


@pytest.fixture
def team(tool: Tool, tmp_path: Path) -> Iterator[tuple[Machine, Machine]]:
    """Two machines with one engine; the image is there."""
    names = ("a", "another place")
    machines = tuple(
        Machine(replace(tool, cache=tmp_path / f"cache {name}"), write_project(tmp_path / f"checkout {name}"))
        for name in names
    )
    yield machines[0], machines[1]
    for machine in machines:
        assert machine.tool.containers() == []


def served(machine: Machine) -> tuple[int, int]:
    statistics = machine.job["statistics"]
    return statistics["hits"], statistics["misses"]


def assert_secret_is_nowhere(ran: Ran, machine: Machine) -> None:
    for secret in (PASSWORD, ENCODED):
        assert secret not in ran.stdout + ran.stderr
        assert machine.traces(secret) == []


@contextmanager
def redis() -> Iterator[tuple[Redis, dict[str, str]]]:
    with real_redis(PASSWORD) as server:
        yield server, {"WHEELKILN_CACHE_REMOTE": f"redis://{ENCODED}@127.0.0.1:{server.port}"}


@needs_redis
def test_what_one_machine_compiled_another_finds_in_redis(team: tuple[Machine, Machine]) -> None:
    first, second = team
    with redis() as (server, remote):
        cold = first.build("--verbose", **remote)
        assert cold.code == 0, cold.stderr
        assert served(first) == (0, FILES + 1)
        assert server.keys() >= FILES + 1
        assert_secret_is_nowhere(cold, first)

        warm = second.build("--verbose", **remote)
        assert warm.code == 0, warm.stderr
        assert served(second) == (FILES + 1, 0)
        assert second.job["remote"]["hits"] == FILES + 1
        assert manifest(second.project / "wheelhouse")["cache"]["remote"] == f"redis://127.0.0.1:{server.port}"
        assert second.job["wheel"]["sha256"] == first.job["wheel"]["sha256"]
        assert_secret_is_nowhere(warm, second)


def test_what_one_machine_compiled_another_finds_in_an_http_store(team: tuple[Machine, Machine]) -> None:
    first, second = team
    with http_store("team", PASSWORD) as store:
        credentials = first.project.parent / "credentials"
        credentials.write_text(f"team:{PASSWORD}\n")
        remote = {
            "WHEELKILN_CACHE_REMOTE": f"http://127.0.0.1:{store.port}/ccache|layout=flat",
            "WHEELKILN_CACHE_REMOTE_CREDENTIALS_FILE": str(credentials),
        }
        cold = first.build(**remote)
        assert cold.code == 0, cold.stderr
        assert served(first) == (0, FILES + 1)
        assert all(path.startswith("/ccache/") for path in store.entries)

        warm = second.build(**remote)
        assert warm.code == 0, warm.stderr
        assert served(second) == (FILES + 1, 0)
        assert_secret_is_nowhere(warm, second)


@needs_redis
def test_a_read_only_job_reads_and_writes_nothing(team: tuple[Machine, Machine]) -> None:
    first, second = team
    with redis() as (server, remote):
        nothing = second.build("--cache-read-only", **remote)
        assert nothing.code == 0, nothing.stderr
        assert served(second) == (0, FILES + 1)
        assert server.keys() == 0

        assert first.build(**remote).code == 0
        keys = server.keys()
        everything = second.build("--cache-read-only", **remote)
        assert everything.code == 0, everything.stderr
        assert served(second) == (FILES + 1, 0)
        assert server.keys() == keys
    assert contents(second) == {}


def test_a_read_only_job_uses_the_local_cache_and_leaves_it_as_it_is(team: tuple[Machine, Machine]) -> None:
    machine, _ = team
    assert machine.build().code == 0
    before = contents(machine)
    (machine.project / "part0.c").write_text("#include <Python.h>\nint changed(void) { return 7; }\n")
    ran = machine.build("--cache-read-only")
    assert ran.code == 0, ran.stderr
    assert served(machine) == (FILES, 1)
    assert contents(machine) == before


def contents(machine: Machine) -> dict[str, bytes]:
    caches = (machine.tool.cache / name for name in ("ccache", "links", "uv", "environments", "wheels"))
    return {str(path): path.read_bytes() for cache in caches for path in cache.rglob("*") if path.is_file()}


@needs_redis
def test_a_wrong_password_costs_a_notice(team: tuple[Machine, Machine]) -> None:
    machine, _ = team
    with redis() as (server, _):
        ran = machine.build(WHEELKILN_CACHE_REMOTE=f"redis://not-{ENCODED}@127.0.0.1:{server.port}")
    assert ran.code == 0, ran.stderr
    assert "does without the remote cache" in ran.stderr
    assert "refuses the login (WRONGPASS)" in ran.stderr
    assert_secret_is_nowhere(ran, machine)


@pytest.mark.parametrize("scheme", ["redis", "http"])
def test_a_server_that_does_not_answer_costs_a_notice(team: tuple[Machine, Machine], scheme: str) -> None:
    machine, _ = team
    with silent_server() as port:
        ran = machine.build(WHEELKILN_CACHE_REMOTE=f"{scheme}://127.0.0.1:{port}")
    assert ran.code == 0, ran.stderr
    assert f"does without the remote cache {scheme}://127.0.0.1:{port}: it does not answer" in ran.stderr
    assert machine.job["remote"] is None


@needs_redis
def test_a_server_that_stops_in_the_middle_is_left_alone(team: tuple[Machine, Machine]) -> None:
    machine, _ = team
    with redis() as (server, remote):
        process = machine.tool.start(
            "build", ".", *machine.tool.options(*ONE, "--fresh"), cwd=machine.project, **HOST, **remote
        )
        while process.poll() is None and server.keys() == 0:
            time.sleep(0.05)
        os.kill(server.process.pid, signal.SIGSTOP)
        _, stderr = process.communicate(timeout=900)
        os.kill(server.process.pid, signal.SIGCONT)
    assert process.returncode == 0, stderr
    assert "the rest of the job did without it" in stderr
    remote_use = machine.job["remote"]
    assert remote_use["given_up"]
    assert 2 <= remote_use["failures"] < FILES


def test_a_remote_on_loopback_is_not_the_containers(team: tuple[Machine, Machine]) -> None:
    machine, _ = team
    ran = machine.build(WHEELKILN_CONTAINER_NETWORK="default", WHEELKILN_CACHE_REMOTE="redis://localhost:6379")
    assert ran.code == 0, ran.stderr
    assert "loopback is not the container's" in ran.stderr
    assert "container.network = 'host'" in ran.stderr


def test_the_gate_lets_good_wheels_land_and_then_fails(team: tuple[Machine, Machine]) -> None:
    machine, _ = team
    gate = {"WHEELKILN_CACHE_MIN_HIT_RATE": "0.9"}
    first = machine.build(**gate)
    assert first.code == 0, first.stderr
    assert "the compile cache was empty" in first.stdout

    good = machine.build(**gate)
    assert good.code == 0, good.stderr
    assert f"cache gate: passed: {FILES + 1} of {FILES + 1}" in good.stdout

    entries = [path for path in (machine.tool.cache / "ccache").rglob("*") if path.is_file()]
    for path in entries:
        if path.name.endswith(("R", "M")):
            path.write_bytes(b"")
    bad = machine.build(**gate)
    assert bad.code == 9, bad.stderr
    assert f"served 0 of {FILES + 1} calls" in bad.stderr
    assert "[cache-lost]" in bad.stderr
    assert "and 4 more" in bad.stderr
    assert len(list((machine.project / "wheelhouse").glob("*.whl"))) == 1
    assert manifest(machine.project / "wheelhouse")["cache"]["gate"]["verdict"] == "failed"
