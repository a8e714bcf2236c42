"""Real engines, real images, real wheels: what these tests share."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

PROJECTS = Path(__file__).parent.parent / "projects"
BUILD_SECONDS = 900


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.container)
    _leave_out_repetitions(items)


def _leave_out_repetitions(items: list[pytest.Item]) -> None:
    """Where several engines answer, run what does not depend on the engine with the first alone."""
    first = next(iter(engines()), "")
    kept: list[pytest.Item] = []
    left_out: list[pytest.Item] = []
    for item in items:
        callspec = getattr(item, "callspec", None)
        engine = callspec.params.get("engine", first) if callspec else first
        marker = item.get_closest_marker("any_engine")
        again = marker is not None and engine != first and item.name.partition("[")[0] not in marker.kwargs["but"]
        (left_out if again else kept).append(item)
    if left_out:
        left_out[0].config.hook.pytest_deselected(items=left_out)
        items[:] = kept


@dataclass(frozen=True, slots=True)
class Ran:
    code: int
    stdout: str
    stderr: str


@dataclass(frozen=True, slots=True)
class Tool:
    """wheelkiln's command line against one engine, with a cache directory of the test session.

    keep_failed limits what failed jobs leave in the engine for a look: nothing, for tests that do not look.
    """

    engine: str
    cache: Path
    place: Path
    keep_failed: str = "off"

    def start(self, *arguments: str, cwd: Path | None = None, **environ: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "wheelkiln", *arguments],
            cwd=cwd or self.place,
            env=clean_environment() | {"WHEELKILN_CONTAINER_KEEP_FAILED": self.keep_failed} | environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str, cwd: Path | None = None, **environ: str) -> Ran:
        with self.start(*arguments, cwd=cwd, **environ) as process:
            stdout, stderr = process.communicate(timeout=BUILD_SECONDS)
        assert "Traceback (most recent call last)" not in stderr, stderr
        return Ran(process.returncode, stdout, stderr)

    def options(self, *more: str) -> list[str]:
        return ["--base", "bootstrap", "--cache-dir", str(self.cache), "--engine", self.engine, *more]

    def build(self, source: str | Path, *more: str, cwd: Path | None = None, **environ: str) -> Ran:
        return self.run("build", str(source), *self.options(*more), cwd=cwd, **environ)

    @property
    def owner(self) -> str:
        """What stands for the cache directory in names."""
        return hashlib.sha256(str(self.cache.resolve()).encode()).hexdigest()[:8]

    def containers(self) -> list[str]:
        """The containers of runs that used this cache directory: others may be at work on this machine."""
        command = [self.engine, "ps", "-aq", "--no-trunc", "--filter", "label=io.wheelkiln.run"]
        ids = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
        inspect = [self.engine, "inspect", "--format", '{{index .Config.Labels "io.wheelkiln.run"}}']
        return [
            container
            for container in ids
            if subprocess.run([*inspect, container], capture_output=True, text=True, check=False).stdout.startswith(
                self.owner
            )
        ]


def clean_environment() -> dict[str, str]:
    dropped = ("CIBW_", "WHEELKILN_", "SOURCE_DATE_EPOCH", "COLUMNS")
    return {name: value for name, value in os.environ.items() if not name.startswith(dropped)}


@pytest.fixture(scope="session", autouse=True)
def podman_without_systemd() -> Iterator[None]:
    """Give podman the settings that it needs where no systemd manages control groups."""
    with pytest.MonkeyPatch.context() as patch:
        if not Path("/run/systemd/system").is_dir():
            patch.setenv("CONTAINERS_CONF", str(Path(__file__).parent / "containers.conf"))
        yield


def engines() -> list[str]:
    probes = {"docker": ["docker", "version"], "podman": ["podman", "info"]}
    return [
        name
        for name, probe in probes.items()
        if shutil.which(name) and subprocess.run(probe, capture_output=True, check=False).returncode == 0
    ]


@pytest.fixture(scope="session", params=engines() or ["none"])
def engine(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    if name == "none":
        pytest.fail("no container engine answers; leave these tests out with -m 'not container'")
    return name


@pytest.fixture(scope="session")
def session_cache(engine: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """One cache for an engine's tests: the image is made once. What failed jobs left in the engine goes at the end."""
    cache = tmp_path_factory.mktemp(f"cache-{engine}")
    yield cache
    states = [json.loads(record.read_text())["image"] for record in (cache / "states").glob("*/state.json")]
    if states:
        subprocess.run([engine, "image", "rm", "--force", *states], capture_output=True, check=False)


@pytest.fixture
def tool(engine: str, session_cache: Path, tmp_path: Path) -> Iterator[Tool]:
    made = Tool(engine, session_cache, tmp_path)
    yield made
    assert made.containers() == [], "a container was left behind"


@pytest.fixture
def project(tmp_path: Path) -> Any:
    """Copy one of tests/projects, under a name with blanks and letters beyond ASCII."""

    def copy(name: str, directory: str = "a prøject;x") -> Path:
        target = tmp_path / directory
        shutil.copytree(PROJECTS / name, target)
        return target

    return copy


def manifest(wheelhouse: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((wheelhouse / "wheelkiln-manifest.json").read_text(encoding="utf-8"))
    return found


def wait_for(process: subprocess.Popen[str], text: str, seconds: float = BUILD_SECONDS) -> str:
    """Read stderr until a line has text; return everything that was read."""
    assert process.stderr is not None
    read = []
    deadline = time.monotonic() + seconds
    for line in process.stderr:
        read.append(line)
        if text in line:
            return "".join(read)
        assert time.monotonic() < deadline, "".join(read)
    pytest.fail(f"ended without {text!r}:\n{''.join(read)}")


def interrupt(process: subprocess.Popen[str], number: signal.Signals) -> Ran:
    process.send_signal(number)
    stdout, stderr = process.communicate(timeout=120)
    return Ran(process.returncode, stdout, stderr)
