"""What stands for a job's mounts on an engine that is elsewhere: volumes, and what is carried into and out of them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from wheelkiln.build.cibuildwheel_config import Invocation, VolumeMount
from wheelkiln.cache.settings import ENVIRONMENT_DIR, INPUTS_MOUNT, JOB_MOUNT, CacheMount

__all__ = ["CACHE_LABEL", "ENVIRONMENT_LABEL", "RUN_LABEL", "Parcel", "Shipment", "VolumeNames", "plan_shipment"]

RUN_LABEL = "io.wheelkiln.run"
"""On what belongs to one run, and goes with it."""
CACHE_LABEL = "io.wheelkiln.cache"
"""On volumes that are caches; its value is the cache directory's."""
ENVIRONMENT_LABEL = "io.wheelkiln.environments"
"""On volumes that hold build environments; its value is the cache directory's."""
_BROUGHT_BACK = (JOB_MOUNT, INPUTS_MOUNT)


@dataclass(frozen=True, slots=True)
class Parcel:
    """A file or directory of this machine, and its place in containers."""

    here: Path
    there: PurePosixPath


@dataclass(frozen=True, slots=True)
class VolumeNames:
    """Names the volumes of one run; owner stands for the cache directory, so that its runs share its caches."""

    owner: str
    run_id: str
    cache_root: Path

    def of_directory(self, source: Path, target: PurePosixPath) -> VolumeMount:
        """Return the volume for a directory: kept when it is one of the caches, else the run's own."""
        if source.parent == self.cache_root:
            return VolumeMount(f"wheelkiln-{self.owner}-{source.name}", target, labels=(f"{CACHE_LABEL}={self.owner}",))
        return VolumeMount(f"wheelkiln-{self.run_id}-{_digest(str(source))}", target, labels=(self.run_label,))

    @property
    def run_label(self) -> str:
        return f"{RUN_LABEL}={self.run_id}"


@dataclass(frozen=True, slots=True)
class Shipment:
    """How an invocation reaches an engine elsewhere.

    volumes are what its container mounts, sent what is carried into them before, fetched the directories that are
    brought back, passing the volumes that go when the container has ended.
    """

    volumes: tuple[VolumeMount, ...]
    sent: tuple[Parcel, ...]
    fetched: tuple[Parcel, ...]
    passing: tuple[str, ...]

    def for_carrier(self) -> tuple[VolumeMount, ...]:
        """Return the volumes as the container mounts them through which they are filled."""
        return tuple(replace(volume, read_only=False) for volume in self.volumes)


def plan_shipment(
    invocation: Invocation, names: VolumeNames, environments: Mapping[Path, VolumeMount], *, job_dir: Path
) -> Shipment:
    """Turn an invocation's mounts into volumes.

    environments are the volumes of build environments, by the directories that stand for them here. Files that are
    mounted alone lie together in a volume for their directory: a volume cannot be mounted as a file everywhere.
    """
    writable = [(mount, _volume_for(mount, names, environments)) for mount in invocation.mounts]
    given = [(mount, Path(mount.source)) for mount in invocation.read_only]
    directories = [(source, mount.target) for mount, source in given if not source.is_file()]
    files = [Parcel(source, mount.target) for mount, source in given if source.is_file()]
    passing = [volume for mount, volume in writable if mount.target in _BROUGHT_BACK]
    read_only = []
    for source, target in directories:
        known = environments.get(source)
        read_only.append(replace(known or names.of_directory(job_dir / _digest(str(source)), target), target=target))
        passing += [] if known else read_only[-1:]
    parents = [names.of_directory(job_dir / _digest(str(place)), place) for place in _parents(files)]
    passing += parents
    return Shipment(
        volumes=(
            *(replace(volume, read_only=True) for volume in parents),
            *(replace(volume, read_only=mount.read_only) for mount, volume in writable),
            *(replace(volume, read_only=True) for volume in read_only),
        ),
        sent=(
            *files,
            *(Parcel(mount.source, mount.target) for mount, _ in writable if mount.target == JOB_MOUNT),
            *(Parcel(source, target) for source, target in directories if source not in environments),
        ),
        fetched=tuple(Parcel(mount.source, mount.target) for mount, _ in writable if mount.target in _BROUGHT_BACK),
        passing=tuple(volume.name for volume in passing),
    )


def _volume_for(mount: CacheMount, names: VolumeNames, environments: Mapping[Path, VolumeMount]) -> VolumeMount:
    if mount.target == ENVIRONMENT_DIR:
        return replace(environments[mount.source], target=mount.target)
    return names.of_directory(mount.source, mount.target)


def _parents(files: list[Parcel]) -> Iterator[PurePosixPath]:
    yield from dict.fromkeys(parcel.there.parent for parcel in files)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]
