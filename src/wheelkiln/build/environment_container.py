"""A container for a build environment: what it is given, and what its program says."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from types import MappingProxyType

from wheelkiln.build.carrier import carrying
from wheelkiln.build.cibuildwheel_config import ReadOnlyMount, render_create_args
from wheelkiln.build.cores import Cores
from wheelkiln.build.environment_places import EnvironmentPlaces
from wheelkiln.build.request import BuildRequest, container_network_environment, make_invocation
from wheelkiln.build.stages import plain_text
from wheelkiln.cache.settings import JOB_MOUNT, UV_MOUNT, CacheMount
from wheelkiln.errors import BuildError
from wheelkiln.plan.model import Job
from wheelkiln.system.orphans import RUN_VARIABLE
from wheelkiln.system.process import mask_secrets

__all__ = ["EnvironmentFailedError", "Place", "run_container"]


class EnvironmentFailedError(BuildError):
    """An environment could not be made; lines are what was printed."""

    def __init__(self, lines: Sequence[str]) -> None:
        super().__init__("the build environment could not be made")
        self.lines = tuple(lines)


@dataclass(frozen=True, slots=True)
class Place:
    """Where one environment is made: the job's directory, the run that it belongs to, and where environments lie."""

    job: Job
    job_dir: Path
    run_id: str
    log: Callable[[str], None]
    places: EnvironmentPlaces


def run_container(
    request: BuildRequest,
    place: Place,
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


def _needed(mounts: tuple[CacheMount, ...]) -> tuple[PurePosixPath, ...]:
    return (JOB_MOUNT, UV_MOUNT) if mounts else (JOB_MOUNT,)


def _network(request: BuildRequest) -> str:
    """A build without a network is still given an environment from the index, unless nothing is to be asked."""
    wanted = request.config.container.network
    if request.offline:
        return "none"
    return "default" if wanted == "none" else wanted
