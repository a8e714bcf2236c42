"""The user's own engine: the one that answers, and where it is."""

from __future__ import annotations

from wheelkiln.system.engine import ContainerEngine, EngineName, find_engine
from wheelkiln.system.host import read_host
from wheelkiln.system.process import Runner
from wheelkiln.system.remote_engine import note_place

__all__ = ["choose_engine"]


def choose_engine(runner: Runner, name: str | None) -> ContainerEngine:
    """Return the engine of that name, or the one that answers; raise EnvironmentProblem when none does."""
    return note_place(find_engine(runner, EngineName(name) if name else None), read_host())
