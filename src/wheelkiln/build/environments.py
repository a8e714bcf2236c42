"""Build environments: locked on this machine, made once in a container, mounted read-only into every job."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from wheelkiln.build.cibuildwheel_config import ReadOnlyMount, render_create_args
from wheelkiln.build.request import (
    BuildRequest,
    JobEnvironment,
    container_network_environment,
    container_user,
    make_invocation,
)
from wheelkiln.build.stages import plain_text
from wheelkiln.cache.lock import LockedEnvironment, Pin
from wheelkiln.cache.resolution import Resolver
from wheelkiln.cache.settings import ENVIRONMENT_DIR, JOB_MOUNT, CacheMount, make_cache_directories
from wheelkiln.errors import BuildError, DriftError
from wheelkiln.plan.model import Job
from wheelkiln.system.files import make_directory, naming_storage_errors, write_text_atomically
from wheelkiln.system.locks import exclusive
from wheelkiln.system.process import mask_secrets, stream_and_keep

__all__ = [
    "EnvironmentFailedError",
    "environment_directory",
    "known_environment",
    "make_environment",
    "prune_environments",
]

_PINS = "pins.txt"
_SDIST_TARGET = PurePosixPath("/opt/wheelkiln/mnt/source.tar.gz")
_SETTING = "[tool.wheelkiln.cache] dir"
_UNUSED_SECONDS = 14 * 24 * 3600.0
_DEAD_SECONDS = 6 * 3600.0
"""Age at which a half-made environment cannot belong to a living run."""


class EnvironmentFailedError(BuildError):
    """An environment could not be made; lines are what was printed."""

    def __init__(self, lines: Sequence[str]) -> None:
        super().__init__("the build environment could not be made")
        self.lines = tuple(lines)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where one environment is made: the job's directory, and the run that it belongs to."""

    job: Job
    job_dir: Path
    run_id: str
    log: Callable[[str], None]


def known_environment(
    request: BuildRequest, job: Job, *, preferred: tuple[Pin, ...] = (), fresh: bool = False
) -> LockedEnvironment | None:
    """Return what the job's environment will hold, or None while only its backend could tell.

    With a lock that is what it says; raise DriftError when it was made for other requirements. Without one the
    requirements are resolved now, as a frontend would, keeping preferred pins; fresh asks the index even when it was
    asked a moment ago. Raise BuildError when they have no solution.
    """
    platform = job.identifier.partition("-")[2]
    requires = tuple(sorted(request.source.facts.backend.requires))
    if request.lock is not None:
        found = request.lock.find(job.python, platform)
        if found is None or tuple(sorted(found.requires)) != requires:
            why = "has no environment for" if found is None else "was made for other build requirements than those of"
            raise DriftError(f"the lock {why} {job.id}", hint="Run 'wheelkiln lock' with the same options.")
        return found
    hooked = _remembered_hook(_hook_memory(request, job))
    return None if hooked is None else _resolve(request, job, hooked, preferred=preferred, fresh=fresh)


def make_environment(
    request: BuildRequest,
    job: Job,
    job_dir: Path,
    run_id: str,
    log: Callable[[str], None],
    *,
    preferred: tuple[Pin, ...] = (),
    fresh: bool = False,
) -> JobEnvironment:
    """Return the job's environment, which is made where it is not there yet; log receives the output.

    Raise BuildError when the requirements cannot be installed or the backend cannot say what it needs.
    """
    place = _Place(job, job_dir, run_id, log)
    locked = known_environment(request, job, preferred=preferred, fresh=fresh)
    if locked is None:
        first = _resolve(request, job, (), preferred=preferred, fresh=fresh)
        hooked = _make(request, place, first, ask=True)
        _remember_hook(_hook_memory(request, job), hooked)
        locked = _resolve(request, job, hooked, preferred=(*first.pins, *preferred)) if hooked else first
    directory = environment_directory(request, job, locked)
    if not directory.is_dir():
        _make(request, place, locked, ask=False)
    with suppress(OSError):
        directory.touch()  # the time of its last use
    return JobEnvironment(locked, directory)


def environment_directory(request: BuildRequest, job: Job, locked: LockedEnvironment) -> Path:
    """Name an environment's place by all that it is made from: a package without wheels is compiled by the image."""
    user = request.config.container.user
    parts = json.dumps([locked.digest, request.plan.references[job.image], user])
    return request.cache_root / "environments" / hashlib.sha256(parts.encode()).hexdigest()[:32]


def prune_environments(cache_root: Path, now: float | None = None) -> None:
    """Remove environments that nobody used for two weeks, and what killed runs left half made."""
    now = time.time() if now is None else now
    for path in (cache_root / "environments").glob("*"):
        with suppress(OSError):
            age = now - path.stat().st_mtime
            if age > (_DEAD_SECONDS if path.suffix == ".part" else _UNUSED_SECONDS):
                shutil.rmtree(path, ignore_errors=True)


def _resolve(
    request: BuildRequest,
    job: Job,
    hooked: tuple[str, ...],
    *,
    preferred: tuple[Pin, ...] = (),
    fresh: bool = False,
) -> LockedEnvironment:
    requires = tuple(sorted(request.source.facts.backend.requires))
    resolver = Resolver(
        request.engine.runner, _resolver_environment(request), request.cache_root / "resolver", offline=request.offline
    )
    pins = resolver.resolve(
        (*requires, *hooked),
        python=job.python_version,
        platform=_uv_platform(request, job),
        preferred=preferred,
        fresh=fresh,
    )
    return LockedEnvironment(job.python, job.identifier.partition("-")[2], requires, hooked, pins)


def _resolver_environment(request: BuildRequest) -> dict[str, str]:
    """The user's environment without settings of uv that would change the answer, plus pip's indexes for uv."""
    kept = {name: value for name, value in request.host.environ.items() if not name.startswith("UV_")}
    bundle = {"SSL_CERT_FILE": str(request.host.ca_bundle)} if request.host.ca_bundle else {}
    return {**kept, **bundle, **container_network_environment(request)}


def _uv_platform(request: BuildRequest, job: Job) -> str:
    """Return uv's name of the platform whose wheels the image can install (uv: --python-platform)."""
    if "-musllinux_" in job.identifier:
        return f"{job.arch}-unknown-linux-musl"
    policy = request.plan.image_of(job).policy or "manylinux_2_28"
    return f"{job.arch}-{policy}"


def _make(request: BuildRequest, place: _Place, locked: LockedEnvironment, *, ask: bool) -> tuple[str, ...]:
    """Make an environment under another name, and rename it when it is whole; return the backend's answer."""
    target = environment_directory(request, place.job, locked)
    make_directory(target.parent, setting=_SETTING)

    def wait() -> None:
        place.log(f"another run is making the environment of {place.job.id}; waiting for it to end")

    with exclusive(request.cache_root / "locks", f"environment {target.name}", on_wait=wait):
        part = target.with_name(f"{target.name}-{place.run_id}.part")
        try:
            lines = _run_container(request, place, locked, part, ask=ask)
            if target.is_dir():
                shutil.rmtree(target)
            with naming_storage_errors(target, setting=_SETTING):
                part.rename(target)
        finally:
            shutil.rmtree(part, ignore_errors=True)
    answer = json.loads(lines[-1]) if ask else []
    return tuple(sorted(map(str, answer)))


def _run_container(
    request: BuildRequest, place: _Place, locked: LockedEnvironment, part: Path, *, ask: bool
) -> list[str]:
    mount_dir = make_directory(place.job_dir / "mount", setting=_SETTING)
    (mount_dir / _PINS).write_text(locked.requirements_text, encoding="utf-8")
    without = replace(request, environments={})  # what is known of it is not there to be mounted yet
    invocation = make_invocation(without, (place.job,), mount_dir, place.run_id)
    sdist = ReadOnlyMount(PurePosixPath(request.source.sdist), _SDIST_TARGET)
    invocation = replace(
        invocation,
        mounts=(*invocation.mounts, CacheMount(part, ENVIRONMENT_DIR)),
        read_only=(*invocation.read_only, sdist),
        environment={**invocation.environment, "UV_OFFLINE": "1" if request.offline else "0", "CCACHE_DISABLE": "1"},
        network=_network(request),
    )
    make_cache_directories(invocation.mounts, container_user(request).owner)
    command = [
        "wheelkiln-environment",
        place.job.python,
        str(JOB_MOUNT / _PINS),
        *([str(_SDIST_TARGET)] if ask else []),
    ]
    argv = [request.engine.name.value, "run", "--rm", *render_create_args(invocation, request.config)]
    status, raw = stream_and_keep(
        request.engine.runner,
        [*argv, f"--env=SOURCE_DATE_EPOCH={request.source.epoch}", invocation.reference, *command],
        on_line=lambda line: place.log(mask_secrets(plain_text(line))),
        env={**request.host.environ, **container_network_environment(request)},
    )
    lines = [mask_secrets(plain_text(line)) for line in raw]
    if status:
        raise EnvironmentFailedError(lines)
    return lines


def _network(request: BuildRequest) -> str:
    """A build without a network is still given an environment from the index, unless nothing is to be asked."""
    wanted = request.config.container.network
    if request.offline:
        return "none"
    return "default" if wanted == "none" else wanted


def _hook_memory(request: BuildRequest, job: Job) -> Path:
    """Name the file of a backend's answer by what the answer depends on: source, image, Python and platform."""
    parts = [request.source.digest, request.plan.references[job.image], job.identifier, _config_settings(request)]
    digest = hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]
    return request.cache_root / "resolver" / "backends" / f"{digest}.json"


def _config_settings(request: BuildRequest) -> Mapping[str, str]:
    return {name: value for name, value in request.variables.items() if name.startswith("CIBW_CONFIG_SETTINGS")}


def _remembered_hook(memory: Path) -> tuple[str, ...] | None:
    with suppress(OSError, ValueError):
        answer = json.loads(memory.read_text(encoding="utf-8"))
        if isinstance(answer, list):
            return tuple(map(str, answer))
    return None


def _remember_hook(memory: Path, hooked: tuple[str, ...]) -> None:
    make_directory(memory.parent, setting=_SETTING)
    with naming_storage_errors(memory, setting=_SETTING):
        write_text_atomically(memory, json.dumps(hooked))
