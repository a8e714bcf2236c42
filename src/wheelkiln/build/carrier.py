"""What a container is given and what it leaves: directories on this machine's engine, carried volumes elsewhere."""

from __future__ import annotations

import os
import tarfile
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path, PurePosixPath

from wheelkiln.build.cibuildwheel_config import Invocation, render_volume
from wheelkiln.build.environment_places import EnvironmentVolumes
from wheelkiln.build.request import BuildRequest, container_user
from wheelkiln.build.runs import owner_of
from wheelkiln.build.volumes import Shipment, VolumeNames, plan_shipment
from wheelkiln.cache.settings import make_cache_directories
from wheelkiln.errors import EnvironmentProblem
from wheelkiln.system.engine import ContainerEngine
from wheelkiln.system.volumes import VolumeStore

__all__ = ["Carrier", "carrying"]


@contextmanager
def carrying(request: BuildRequest, invocation: Invocation, job_dir: Path, run_id: str) -> Iterator[Invocation]:
    """Make sure that what an invocation mounts is there, while the context lasts, and yield it as it is to be run.

    job_dir is the directory that the job's mount lies in. Elsewhere the job's files are brought back at the end,
    however the job ended, and what belongs to it alone is removed there.
    """
    if not request.engine.elsewhere:
        make_cache_directories(invocation.mounts, container_user(request).owner)
        yield invocation
        return
    names = VolumeNames(owner_of(request.cache_root), run_id, request.cache_root)
    environments = EnvironmentVolumes(request.engine, names).of_mounts(invocation)
    shipment = plan_shipment(invocation, names, environments, job_dir=job_dir)
    carrier = Carrier(request.engine, shipment, invocation, container_user(request).owner or (0, 0))
    try:
        carrier.send(job_dir)
        yield carrier.invocation
        carrier.fetch(job_dir)
    except BaseException:
        with suppress(EnvironmentProblem, OSError):
            carrier.fetch(job_dir)
        raise
    finally:
        with suppress(EnvironmentProblem):
            carrier.remove()


class Carrier:
    """A container that is never started: through it the engine's client reads and writes volumes (docker cp).

    owner is to whom belongs what is carried there, the volumes' own directories among it.
    """

    def __init__(
        self, engine: ContainerEngine, shipment: Shipment, invocation: Invocation, owner: tuple[int, int]
    ) -> None:
        self._engine, self._shipment, self._given, self._owner = engine, shipment, invocation, owner
        self._id = ""

    @property
    def invocation(self) -> Invocation:
        """The invocation with volumes in the place of its mounts."""
        return replace(self._given, mounts=(), read_only=(), volumes=self._shipment.volumes)

    def send(self, scratch: Path) -> None:
        """Make the volumes, give each to the user who will write there, and fill those that are given something.

        An archive says whose its entries are, and the engine does as it says, with ids that need no names there.
        """
        given = self._given
        volumes = map(render_volume, self._shipment.for_carrier())
        self._id = self._run("create", "--pull=never", "--network=none", given.label, *volumes, given.reference, "true")
        with tempfile.TemporaryDirectory(dir=scratch, prefix="send-") as name:
            archive = Path(name) / "sent.tar"
            with tarfile.open(archive, "w") as tar:
                for volume in self._shipment.volumes:
                    tar.addfile(self._own(_directory(volume.target)))
                for parcel in (entry for entry in self._shipment.sent if entry.here.exists()):
                    tar.add(parcel.here, _member(parcel.there), filter=self._whose)
            self._run("cp", "-", f"{self._id}:/", stdin=archive)

    def fetch(self, scratch: Path) -> None:
        """Bring back what the job wrote; of what is built, only plain files and directories come here."""
        for parcel in self._shipment.fetched:
            with tempfile.TemporaryDirectory(dir=scratch, prefix="fetch-") as name:
                self._run("cp", f"{self._id}:{parcel.there}/.", name)
                _take_files(Path(name), parcel.here)

    def remove(self) -> None:
        """Remove the container and the volumes that belong to the job alone."""
        if self._id:
            self._engine.run("rm", "--force", self._id)
        VolumeStore(self._engine).remove(*self._shipment.passing)

    def _whose(self, member: tarfile.TarInfo) -> tarfile.TarInfo | None:
        """Give a member to its owner; sockets and fifos stay on this machine."""
        return self._own(member) if member.isfile() or member.isdir() or member.issym() else None

    def _own(self, member: tarfile.TarInfo) -> tarfile.TarInfo:
        member.uid, member.gid = self._owner
        member.uname = member.gname = ""
        return member

    def _run(self, *argv: str, stdin: Path | None = None) -> str:
        done = self._engine.run(*argv, stdin=stdin)
        if not done.ok:
            raise EnvironmentProblem(f"a job's files could not be carried to or from its engine: {done.last_line}")
        return done.stdout.strip()


def _directory(path: PurePosixPath) -> tarfile.TarInfo:
    member = tarfile.TarInfo(_member(path))
    member.type, member.mode, member.mtime = tarfile.DIRTYPE, 0o755, int(time.time())
    return member


def _member(path: PurePosixPath) -> str:
    return str(path.relative_to("/"))


def _take_files(source: Path, target: Path) -> None:
    target.mkdir(parents=True, exist_ok=True)
    for place, directories, files in os.walk(source):
        here = target / Path(place).relative_to(source)
        for name in directories:
            if not (Path(place) / name).is_symlink():
                (here / name).mkdir(exist_ok=True)
        for name in files:
            path = Path(place) / name
            if path.is_file() and not path.is_symlink() and here.is_dir():
                path.replace(here / name)
