"""Where build environments lie: in a directory of this machine, or in volumes of an engine that is elsewhere."""

from __future__ import annotations

import hashlib
import shutil
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from wheelkiln.build.cibuildwheel_config import Invocation, VolumeMount
from wheelkiln.build.volumes import ENVIRONMENT_LABEL, VolumeNames
from wheelkiln.cache.settings import ENVIRONMENT_DIR
from wheelkiln.errors import EnvironmentProblem
from wheelkiln.system.engine import ContainerEngine
from wheelkiln.system.files import make_directory, naming_storage_errors
from wheelkiln.system.volumes import VolumeStore

__all__ = [
    "HOLDS",
    "MADE",
    "MADE_BY",
    "EnvironmentDirectories",
    "EnvironmentPlaces",
    "EnvironmentVolumes",
    "places_of",
]

_SETTING = "[tool.wheelkiln.cache] dir"
HOLDS = "io.wheelkiln.holds"
"""Label of the volume that points to a finished environment's: its own name cannot be changed when it is finished."""
MADE = "io.wheelkiln.made"
"""Label with the second of a volume's creation: docker's own notation of that differs."""
MADE_BY = "io.wheelkiln.made-by"
"""Label with the run that made a volume, which may outlive it."""


class EnvironmentPlaces(Protocol):
    """Environments by the directories that stand for them; a part is one that is being made."""

    def holds(self, directory: Path) -> bool:
        """Tell whether a finished environment is there, and note that it is used."""
        ...

    def finish(self, part: Path, directory: Path) -> None:
        """Make what was made available under its name, in one step."""
        ...

    def drop(self, part: Path) -> None:
        """Remove what is left of one that was not finished."""
        ...


class EnvironmentDirectories:
    """On this machine an environment is a directory, renamed when everything is installed."""

    def holds(self, directory: Path) -> bool:
        if not directory.is_dir():
            return False
        with suppress(OSError):
            directory.touch()
        return True

    def finish(self, part: Path, directory: Path) -> None:
        make_directory(directory.parent, setting=_SETTING)
        with naming_storage_errors(directory, setting=_SETTING):
            part.rename(directory)

    def drop(self, part: Path) -> None:
        shutil.rmtree(part, ignore_errors=True)


class EnvironmentVolumes:
    """Elsewhere it is a volume, and another one with the environment's name that points to it.

    Volumes cannot be renamed. Of two that are made at once for one environment, the first to finish is pointed to:
    creating a volume that is there changes nothing.
    """

    def __init__(self, engine: ContainerEngine, names: VolumeNames) -> None:
        self._volumes, self._names = VolumeStore(engine), names

    def holds(self, directory: Path) -> bool:
        return self.find(directory) is not None

    def find(self, directory: Path) -> str | None:
        """Return the volume of a finished environment; a pointer to nothing is removed."""
        pointer = self._pointer(directory)
        held = self._volumes.labels(pointer).get(HOLDS, "")
        if not held or self._volumes.labels(held):
            return held or None
        self._volumes.remove(pointer)
        return None

    def finish(self, part: Path, directory: Path) -> None:
        self._volumes.create(self._pointer(directory), (f"{HOLDS}={self._part(part)}", *self._labels(directory)))

    def drop(self, part: Path) -> None:
        self._volumes.remove(self._part(part))

    def of_mounts(self, invocation: Invocation) -> Mapping[Path, VolumeMount]:
        """Return the volumes of the environments that an invocation mounts, by their directories."""
        found: dict[Path, VolumeMount] = {}
        for given in invocation.read_only:
            if given.target == ENVIRONMENT_DIR:
                held = self.find(Path(given.source))
                if held is None:
                    raise EnvironmentProblem("a build environment is gone from its engine while it was to be used")
                found[Path(given.source)] = VolumeMount(held, ENVIRONMENT_DIR)
        for mount in invocation.mounts:
            if mount.target == ENVIRONMENT_DIR:
                labels = self._labels(mount.source)
                found[mount.source] = VolumeMount(self._part(mount.source), ENVIRONMENT_DIR, labels=labels)
        return found

    def _labels(self, directory: Path) -> tuple[str, ...]:
        """An environment of the cache stays; one that a read-only run makes for itself goes with the run."""
        if directory.parent == self._names.cache_root / "environments":
            made = (f"{MADE}={time.time():.0f}", f"{MADE_BY}={self._names.run_id}")
            return (f"{ENVIRONMENT_LABEL}={self._names.owner}", *made)
        return (self._names.run_label,)

    def _pointer(self, directory: Path) -> str:
        own = directory.parent != self._names.cache_root / "environments"
        return f"wheelkiln-{self._names.run_id if own else self._names.owner}-env-{directory.name}"

    def _part(self, part: Path) -> str:
        digest = hashlib.sha256(f"{self._names.run_id} {part}".encode()).hexdigest()[:16]
        return f"wheelkiln-{self._names.owner}-environment-{digest}"


def places_of(engine: ContainerEngine, names: VolumeNames) -> EnvironmentPlaces:
    """Return where an engine's environments lie."""
    return EnvironmentVolumes(engine, names) if engine.elsewhere else EnvironmentDirectories()
