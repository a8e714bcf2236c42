"""Making build environments in containers: as soon as everything is installed a job can use one."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import Self

from wheelkiln.build.carrier import carrying
from wheelkiln.build.cibuildwheel_config import ReadOnlyMount, render_create_args
from wheelkiln.build.cores import Cores
from wheelkiln.build.environment_places import EnvironmentPlaces, places_of
from wheelkiln.build.environments import (
    backend_memory,
    environment_directory,
    known_environment,
    remember_answer,
    resolve_environment,
)
from wheelkiln.build.request import (
    BuildRequest,
    JobEnvironment,
    container_network_environment,
    make_invocation,
)
from wheelkiln.build.runs import owner_of
from wheelkiln.build.stages import plain_text
from wheelkiln.build.volumes import VolumeNames
from wheelkiln.cache.lock import LockedEnvironment, Pin
from wheelkiln.cache.packages import copy_packages
from wheelkiln.cache.settings import ENVIRONMENT_DIR, JOB_MOUNT, UV_MOUNT, CacheMount
from wheelkiln.errors import BuildError
from wheelkiln.plan.model import Job
from wheelkiln.system.files import make_directory, readable_by_all
from wheelkiln.system.locks import exclusive
from wheelkiln.system.orphans import RUN_VARIABLE
from wheelkiln.system.process import mask_secrets

__all__ = ["EnvironmentFailedError", "EnvironmentMaker"]

_PINS = "pins.txt"
_PACKAGES = "packages"
"""Name of the directory in the job's mount with packages of this machine, for an engine elsewhere."""
_INSTALLED = "wheelkiln: installed"
"""What wheelkiln-environment says when everything is installed."""
_AT_A_TIME = 2
_SDIST_TARGET = PurePosixPath("/opt/wheelkiln/mnt/source.tar.gz")
_SETTING = "[tool.wheelkiln.cache] dir"


class EnvironmentFailedError(BuildError):
    """An environment could not be made; lines are what was printed."""

    def __init__(self, lines: Sequence[str]) -> None:
        super().__init__("the build environment could not be made")
        self.lines = tuple(lines)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where one environment is made: the job's directory, the run that it belongs to, and where environments lie."""

    job: Job
    job_dir: Path
    run_id: str
    log: Callable[[str], None]
    places: EnvironmentPlaces


class EnvironmentMaker:
    """Makes the environments of a run's jobs, ahead of the jobs where they are expected.

    An environment can be used as soon as everything is installed; its bytecode is compiled meanwhile. As a context,
    the maker waits for that at its end. What a read-only run makes is its own, and goes with it.
    """

    def __init__(self, run_id: str, run_dir: Path) -> None:
        self.run_id = run_id
        self._run_dir = run_dir
        self._own = run_dir / "own-environments"
        self._pool = ThreadPoolExecutor(max_workers=_AT_A_TIME)
        self._expected: dict[str, Future[JobEnvironment]] = {}
        self._lines: dict[str, list[str]] = {}
        self._compiling: list[threading.Thread] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)
        for thread in tuple(self._compiling):
            thread.join()
        shutil.rmtree(self._own, ignore_errors=True)

    def expect(self, request: BuildRequest, job: Job) -> None:
        """Begin to make a job's environment, or queue behind those that were expected before."""
        self._expected[job.id] = self._pool.submit(self.make, request, job)

    def get(self, request: BuildRequest, job: Job) -> JobEnvironment:
        """Return a job's environment, and raise what make raises; what failed is made again when it is asked again."""
        expected = self._expected.pop(job.id, None)
        return expected.result() if expected else self.make(request, job)

    def lines(self, job: Job) -> Sequence[str]:
        """Return what was printed while a job's environment was made."""
        return self._lines.get(job.id, ())

    def make(
        self, request: BuildRequest, job: Job, *, preferred: tuple[Pin, ...] = (), fresh: bool = False
    ) -> JobEnvironment:
        """Return the job's environment, which is made where it is not there yet.

        Raise BuildError when the requirements cannot be installed or the backend cannot say what it needs.
        """
        log = self._lines.setdefault(job.id, []).append
        names = VolumeNames(owner_of(request.cache_root), self.run_id, request.cache_root)
        places = places_of(request.engine, names)
        place = _Place(job, self._run_dir / "environments" / job.directory, self.run_id, log, places)
        locked = known_environment(request, job, preferred=preferred, fresh=fresh)
        if locked is None:
            first = resolve_environment(request, job, (), preferred=preferred, fresh=fresh)
            hooked = _ask(request, place, self._provide(request, place, first))
            if not request.config.cache.read_only:
                remember_answer(backend_memory(request, job), hooked)
            locked = resolve_environment(request, job, hooked, preferred=(*first.pins, *preferred)) if hooked else first
        return JobEnvironment(locked, self._provide(request, place, locked))

    def _provide(self, request: BuildRequest, place: _Place, locked: LockedEnvironment) -> Path:
        directory = environment_directory(request, place.job, locked)
        if place.places.holds(directory):
            return directory
        if request.config.cache.read_only:
            directory = self._own / directory.name
            if place.places.holds(directory):
                return directory
        making = _Making(request, place, locked, directory)
        self._compiling.append(making)
        making.start()
        making.installed.wait()
        if making.error is not None:
            raise making.error
        return directory


class _Making(threading.Thread):
    """One environment in the making: under another name until everything is installed."""

    def __init__(self, request: BuildRequest, place: _Place, locked: LockedEnvironment, directory: Path) -> None:
        super().__init__()
        self.installed = threading.Event()
        self.error: BaseException | None = None
        self._request, self._place, self._locked, self._directory = request, place, locked, directory

    def run(self) -> None:
        try:
            locks = self._request.cache_root / "locks"
            name = f"environment {self._directory.name} {self._request.engine.host}".strip()
            with exclusive(locks, name, on_wait=self._say):
                if not self._place.places.holds(self._directory):
                    self._make()
        except BaseException as error:  # noqa: BLE001 - it belongs to the thread that waits
            if not self.installed.is_set():  # else all that is missing is bytecode
                self.error = error
        finally:
            self.installed.set()

    def _say(self) -> None:
        self._place.log(f"another run is making the environment of {self._place.job.id}; waiting for it to end")

    def _make(self) -> None:
        part = self._directory.with_name(f"{self._directory.name}-{self._place.run_id}.part")

        def on_line(line: str) -> None:
            if line == _INSTALLED:
                self._place.places.finish(part, self._directory)
                self.installed.set()
            else:
                self._place.log(line)

        pins = make_directory(self._place.job_dir / "mount", setting=_SETTING) / _PINS
        try:
            pins.write_text(self._locked.requirements_text, encoding="utf-8")
            command = ["make", self._place.job.python, str(JOB_MOUNT / _PINS)]
            mounts = (CacheMount(part, ENVIRONMENT_DIR),)
            request = _with_carried_packages(self._request, self._locked, pins.parent)
            lines = _run_container(request, self._place, command, on_line, mounts=mounts)
        finally:
            shutil.rmtree(pins.parent / _PACKAGES, ignore_errors=True)
            if not self.installed.is_set():
                self._place.places.drop(part)
        if not self.installed.is_set():
            raise EnvironmentFailedError(lines)


def _with_carried_packages(request: BuildRequest, locked: LockedEnvironment, mount: Path) -> BuildRequest:
    """Give a container elsewhere what it needs of the package directories of this machine."""
    if not request.engine.elsewhere:
        return request
    if not copy_packages(locked, request.pip.local_directories(), mount / _PACKAGES):
        return request
    pip = replace(request.pip, carried=str(JOB_MOUNT / _PACKAGES))
    return replace(request, read_pip=lambda: pip)


def _ask(request: BuildRequest, place: _Place, directory: Path) -> tuple[str, ...]:
    """Run the backend to hear what it needs besides; the project's code runs, so the environment is not writable."""
    make_directory(place.job_dir / "mount", setting=_SETTING)
    command = ["ask", place.job.python, str(_SDIST_TARGET)]
    with readable_by_all(request.source.sdist, place.job_dir) as sdist:
        read_only = (
            ReadOnlyMount(PurePosixPath(sdist), _SDIST_TARGET),
            ReadOnlyMount(PurePosixPath(directory), ENVIRONMENT_DIR),
        )
        lines = _run_container(
            request, place, command, place.log, read_only=read_only, environment=_plain_environment(request)
        )
    for line in reversed(lines):  # its warnings come by another stream, and may come later
        with suppress(ValueError):
            answer = json.loads(line)
            if isinstance(answer, list):
                return tuple(sorted(map(str, answer)))
    raise EnvironmentFailedError(lines)


def _run_container(
    request: BuildRequest,
    place: _Place,
    command: Sequence[str],
    on_line: Callable[[str], None],
    *,
    mounts: tuple[CacheMount, ...] = (),
    read_only: tuple[ReadOnlyMount, ...] = (),
    environment: Mapping[str, str] = MappingProxyType({}),
) -> list[str]:
    """Run wheelkiln-environment; return its lines, or raise EnvironmentFailedError with them.

    Of the caches only uv's is mounted, and only where an environment is made.
    """
    # What is known of the environment is not there to be mounted yet, nothing is cached remotely, no job has its cores.
    without = replace(request, environments={}, remote=None, cores=Cores())
    invocation = make_invocation(without, (place.job,), place.job_dir / "mount", place.run_id)
    invocation = replace(
        invocation,
        mounts=(*(entry for entry in invocation.mounts if entry.target in _needed(mounts)), *mounts),
        read_only=(*invocation.read_only, *read_only),
        environment={
            **environment,
            **invocation.environment,
            "UV_OFFLINE": "1" if request.offline else "0",
            "CCACHE_DISABLE": "1",
        },
        network=_network(request),
    )
    lines: list[str] = []

    def note(raw: str) -> None:
        lines.append(mask_secrets(plain_text(raw)))
        on_line(lines[-1])

    environ = {**request.host.environ, **container_network_environment(request), RUN_VARIABLE: place.run_id}
    with carrying(request, invocation, place.job_dir, place.run_id) as carried:
        argv = [*request.engine.program, "run", "--rm", *render_create_args(carried, request.config)]
        argv += [f"--env=SOURCE_DATE_EPOCH={request.source.epoch}", carried.reference, "wheelkiln-environment"]
        if request.engine.runner.stream([*argv, *command], on_line=note, env=environ):
            raise EnvironmentFailedError(lines)
    return lines


def _plain_environment(request: BuildRequest) -> dict[str, str]:
    """The variant's environment, which a setup.py may read, without what stands for other values."""
    return {name: value for name, value in request.variant.environment.items() if not set("$`") & set(value)}


def _needed(mounts: tuple[CacheMount, ...]) -> tuple[PurePosixPath, ...]:
    return (JOB_MOUNT, UV_MOUNT) if mounts else (JOB_MOUNT,)


def _network(request: BuildRequest) -> str:
    """A build without a network is still given an environment from the index, unless nothing is to be asked."""
    wanted = request.config.container.network
    if request.offline:
        return "none"
    return "default" if wanted == "none" else wanted
