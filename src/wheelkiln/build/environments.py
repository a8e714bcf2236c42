"""Build environments: what a job's holds, told on this machine, and where it lies."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from wheelkiln.build.request import BuildRequest, network_environment
from wheelkiln.cache.lock import LockedEnvironment, Pin
from wheelkiln.cache.resolution import Resolver
from wheelkiln.errors import DriftError
from wheelkiln.plan.model import Job
from wheelkiln.system.files import make_directory, naming_storage_errors, write_text_atomically

__all__ = [
    "backend_memory",
    "environment_directory",
    "known_environment",
    "prune_environments",
    "remember_answer",
    "resolve_environment",
]

_SETTING = "[tool.wheelkiln.cache] dir"
_UNUSED_SECONDS = 14 * 24 * 3600.0
_DEAD_SECONDS = 6 * 3600.0
"""Age at which a half-made environment cannot belong to a living run."""


def known_environment(
    request: BuildRequest, job: Job, *, preferred: tuple[Pin, ...] = (), fresh: bool = False
) -> LockedEnvironment | None:
    """Return what the job's environment will hold, or None while only its backend could tell.

    With a lock that is what it says; raise DriftError when it was made for other requirements. Without one the
    requirements are resolved now, as a frontend would, keeping preferred pins; fresh asks the index even when it was
    asked a moment ago. Raise BuildError when they have no solution.
    """
    requires = tuple(sorted(request.source.facts.backend.requires))
    if request.lock is not None:
        found = request.lock.find(job.python, job.platform, job.variant)
        if found is None or tuple(sorted(found.requires)) != requires:
            why = "has no environment for" if found is None else "was made for other build requirements than those of"
            raise DriftError(f"the lock {why} {job.id}", hint="Run 'wheelkiln lock' with the same options.")
        return found
    hooked = remembered_answer(backend_memory(request, job))
    return None if hooked is None else resolve_environment(request, job, hooked, preferred=preferred, fresh=fresh)


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


def resolve_environment(
    request: BuildRequest,
    job: Job,
    hooked: tuple[str, ...],
    *,
    preferred: tuple[Pin, ...] = (),
    fresh: bool = False,
) -> LockedEnvironment:
    """Resolve what the project and its backend ask for, as known_environment does."""
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
    return LockedEnvironment(job.python, job.platform, requires, hooked, pins, job.variant)


def _resolver_environment(request: BuildRequest) -> dict[str, str]:
    """The user's environment without settings of uv that would change the answer, plus pip's indexes for uv."""
    kept = {name: value for name, value in request.host.environ.items() if not name.startswith("UV_")}
    bundle = {"SSL_CERT_FILE": str(request.host.ca_bundle)} if request.host.ca_bundle else {}
    return {**kept, **bundle, **network_environment(request.pip, request.host.environ)}


def _uv_platform(request: BuildRequest, job: Job) -> str:
    """Return uv's name of the platform whose wheels the image can install (uv: --python-platform)."""
    if "-musllinux_" in job.identifier:
        return f"{job.arch}-unknown-linux-musl"
    policy = request.plan.image_of(job).policy or "manylinux_2_28"
    return f"{job.arch}-{policy}"


def backend_memory(request: BuildRequest, job: Job) -> Path:
    """Name the file of a backend's answer by what the answer depends on: project files, image, Python, platform."""
    inputs = request.source.facts.backend_inputs or request.source.digest
    variant = request.variant
    told = [_config_settings(request), variant.environment, variant.config_settings]
    parts = [inputs, request.plan.references[job.image], job.identifier, told]
    digest = hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]
    return request.cache_root / "resolver" / "backends" / f"{digest}.json"


def _config_settings(request: BuildRequest) -> Mapping[str, str]:
    return {name: value for name, value in request.variables.items() if name.startswith("CIBW_CONFIG_SETTINGS")}


def remembered_answer(memory: Path) -> tuple[str, ...] | None:
    with suppress(OSError, ValueError):
        answer = json.loads(memory.read_text(encoding="utf-8"))
        if isinstance(answer, list):
            return tuple(map(str, answer))
    return None


def remember_answer(memory: Path, hooked: tuple[str, ...]) -> None:
    """Keep what a backend asked for."""
    make_directory(memory.parent, setting=_SETTING)
    with naming_storage_errors(memory, setting=_SETTING):
        write_text_atomically(memory, json.dumps(hooked))
