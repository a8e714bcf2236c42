"""The end of a job's container: what it held is kept when the job failed, and it goes."""

from __future__ import annotations

from contextlib import suppress

from wheelkiln.build.cibuildwheel_config import Invocation
from wheelkiln.build.outcome import Outcome
from wheelkiln.build.request import BuildRequest
from wheelkiln.build.states import EndedContainer, drop_state, keep_state
from wheelkiln.errors import WheelkilnError
from wheelkiln.plan.model import Job
from wheelkiln.system.engine import ContainerEngine, EngineName

__all__ = ["drop_container", "end_container", "removal_environment"]


def removal_environment(engine: ContainerEngine) -> dict[str, str]:
    """Return what has cibuildwheel leave its container to wheelkiln; what it makes in place it removes itself."""
    return {} if engine.name is EngineName.NONE else {"CIBW_DEBUG_KEEP_CONTAINER": "1"}


def end_container(request: BuildRequest, job: Job, ended: EndedContainer, outcome: Outcome) -> int | None:
    """Remove a job's container; return the bytes of its state where the job failed and that is kept.

    What cannot be kept is no reason to fail differently. A build for comparing leaves the user's states alone, and
    elsewhere nothing is kept: a shell is opened here.
    """
    if request.engine.name is EngineName.NONE:
        return None
    container, kept, elsewhere = _container_of(ended.invocation), None, request.engine.elsewhere
    if request.cold_cache is None and request.examination is None and not (ended.was_stopped or elsewhere):
        with suppress(WheelkilnError, OSError):
            if outcome.good:
                drop_state(request, job)
            elif container:
                kept = keep_state(request, job, ended, container)
    drop_container(request, ended.invocation)
    return kept.size if kept else None


def drop_container(request: BuildRequest, invocation: Invocation) -> None:
    """Remove a job's container, and keep nothing of it."""
    container = _container_of(invocation)
    if container and request.engine.name is not EngineName.NONE:
        request.engine.run("rm", "--force", "--volumes", container)


def _container_of(invocation: Invocation) -> str:
    """Read the id that the engine wrote; empty where it made no container."""
    with suppress(OSError):
        return invocation.id_file.read_text(encoding="ascii").strip() if invocation.id_file else ""
    return ""
