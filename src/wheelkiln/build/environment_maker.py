"""Making build environments in containers: as soon as everything is installed a job can use one."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Self

from wheelkiln.build.cibuildwheel_config import ReadOnlyMount
from wheelkiln.build.environment_container import EnvironmentFailedError, Place, run_container
from wheelkiln.build.environment_places import places_of
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
)
from wheelkiln.build.runs import owner_of
from wheelkiln.build.volumes import VolumeNames
from wheelkiln.cache.lock import LockedEnvironment, Pin
from wheelkiln.cache.packages import copy_packages
from wheelkiln.cache.settings import ENVIRONMENT_DIR, JOB_MOUNT, CacheMount
from wheelkiln.plan.model import Job
from wheelkiln.system.files import make_directory, readable_by_all
from wheelkiln.system.locks import exclusive

__all__ = ["EnvironmentMaker"]

_PINS = "pins.txt"
_PACKAGES = "packages"
"""Name of the directory in the job's mount with packages of this machine, for an engine elsewhere."""
_INSTALLED = "wheelkiln: installed"
"""What wheelkiln-environment says when everything is installed."""
_ANSWER = "wheelkiln: the backend asks for "
"""What it says before a backend's answer, a list in JSON."""
_AT_A_TIME = 2
_SDIST_TARGET = PurePosixPath("/opt/wheelkiln/mnt/source.tar.gz")
_SETTING = "[tool.wheelkiln.cache] dir"


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
        self._ending: list[threading.Thread] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)
        for thread in tuple(self._ending):
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
        place = Place(job, self._run_dir / "environments" / job.directory, self.run_id, log, places)
        locked = known_environment(request, job, preferred=preferred, fresh=fresh)
        if locked is None:
            first = resolve_environment(request, job, (), preferred=preferred, fresh=fresh)
            hooked = self._ask(request, place, self._provide(request, place, first))
            if not request.config.cache.read_only:
                remember_answer(backend_memory(request, job), hooked)
            locked = resolve_environment(request, job, hooked, preferred=(*first.pins, *preferred)) if hooked else first
        return JobEnvironment(locked, self._provide(request, place, locked))

    def _provide(self, request: BuildRequest, place: Place, locked: LockedEnvironment) -> Path:
        directory = environment_directory(request, place.job, locked)
        if place.places.holds(directory):
            return directory
        if request.config.cache.read_only:
            directory = self._own / directory.name
            if place.places.holds(directory):
                return directory
        making = _Making(request, place, locked, directory)
        self._ending.append(making)
        making.start()
        making.installed.wait()
        if making.error is not None:
            raise making.error
        return directory

    def _ask(self, request: BuildRequest, place: Place, directory: Path) -> tuple[str, ...]:
        asking = _Asking(request, place, directory)
        self._ending.append(asking)
        asking.start()
        asking.answered.wait()
        if asking.answer is None:
            raise asking.error or EnvironmentFailedError(())
        return asking.answer


class _Making(threading.Thread):
    """One environment in the making: under another name until everything is installed."""

    def __init__(self, request: BuildRequest, place: Place, locked: LockedEnvironment, directory: Path) -> None:
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
            lines = run_container(request, self._place, command, on_line, mounts=mounts)
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


class _Asking(threading.Thread):
    """A backend that is asked what it needs besides. Once it has answered, its container ends while others begin."""

    def __init__(self, request: BuildRequest, place: Place, directory: Path) -> None:
        super().__init__()
        self.answered = threading.Event()
        self.answer: tuple[str, ...] | None = None
        self.error: BaseException | None = None
        self._request, self._place, self._directory = request, place, directory

    def run(self) -> None:
        try:
            lines = self._ask()
            if self.answer is None:
                self.error = EnvironmentFailedError(lines)
        except BaseException as error:  # noqa: BLE001 - it belongs to the thread that waits
            self.error = error
        finally:
            self.answered.set()

    def _ask(self) -> list[str]:
        """Run the project's code, so the environment is not writable."""
        make_directory(self._place.job_dir / "mount", setting=_SETTING)
        command = ["ask", self._place.job.python, str(_SDIST_TARGET)]
        with readable_by_all(self._request.source.sdist, self._place.job_dir) as sdist:
            return run_container(
                self._request,
                self._place,
                command,
                self._note,
                read_only=(
                    ReadOnlyMount(PurePosixPath(sdist), _SDIST_TARGET),
                    ReadOnlyMount(PurePosixPath(self._directory), ENVIRONMENT_DIR),
                ),
                environment=_plain_environment(self._request),
            )

    def _note(self, line: str) -> None:
        self._place.log(line)
        if line.startswith(_ANSWER) and self.answer is None:
            self.answer = tuple(sorted(map(str, json.loads(line.removeprefix(_ANSWER)))))
            self.answered.set()


def _plain_environment(request: BuildRequest) -> dict[str, str]:
    """The variant's environment, which a setup.py may read, without what stands for other values."""
    return {name: value for name, value in request.variant.environment.items() if not set("$`") & set(value)}
