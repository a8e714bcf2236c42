"""Kept states: the container of a job that failed, as an image, with what a shell in it needs."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from wheelkiln.build.cibuildwheel_config import Invocation, render_create_args
from wheelkiln.build.cores import Cores
from wheelkiln.build.failed_command import find_failed_command
from wheelkiln.build.request import PROJECT_SCRATCH, BuildRequest, make_invocation
from wheelkiln.build.runs import owner_of
from wheelkiln.cache.settings import parse_size
from wheelkiln.plan.model import Job
from wheelkiln.system.engine import ContainerEngine
from wheelkiln.system.files import make_directory, write_text_atomically
from wheelkiln.system.locks import exclusive

__all__ = ["EndedContainer", "KeptState", "drop_state", "keep_state", "list_states", "prune_states", "remove_state"]

_FORMAT = 1
_REPOSITORY = "localhost/wheelkiln-state"
_RECORD = "state.json"
_CONFIG = "cibuildwheel.toml"
_SETTING = "[tool.wheelkiln.cache] dir"


@dataclass(frozen=True, slots=True)
class KeptState:
    """A failed job's state: image is its container as it was, of the engine with this name.

    directory is the one that the job belongs to. create_args are the arguments of its container without labels, passed
    the names of variables whose values are kept nowhere. command is the one that failed, empty where that is not known.
    size is in bytes, of what the job had written; time in seconds since 1970.
    """

    place: Path
    project: str
    version: str
    directory: str
    job: str
    identifier: str
    engine: str
    image: str
    create_args: tuple[str, ...]
    passed: tuple[str, ...]
    stage: str
    command: tuple[str, ...]
    size: int
    time: float
    run: str

    @property
    def config_file(self) -> Path:
        """The configuration that cibuildwheel was given."""
        return self.place / _CONFIG

    @property
    def mount(self) -> Path:
        """The host's side of the mount that a container of this state has for itself."""
        return self.place / "mount"


@dataclass(frozen=True, slots=True)
class EndedContainer:
    """What is known of a container when cibuildwheel has ended: stage is where it did so, lines what it printed.

    was_stopped says that the run ended it by a signal: it did not fail by itself.
    """

    invocation: Invocation
    job_dir: Path
    run_id: str
    stage: str
    lines: Sequence[str]
    was_stopped: bool = False


def keep_state(request: BuildRequest, job: Job, ended: EndedContainer, container: str) -> KeptState | None:
    """Keep a stopped container instead of an earlier state of its job; None where it is too large or cannot be kept.

    The image has no value of a variable that is passed by its name: those may be secrets. Its record is written first,
    so that no image is left without one when the run is killed.
    """
    engine, limit = request.engine, request.config.container.keep_failed
    size = _written(engine, container)
    if limit == "off" or size is None or size > parse_size(limit):
        return None
    place = _place(request.cache_root, request.source.facts.name, job)
    with exclusive(request.cache_root / "locks", f"state {place.name}", on_wait=lambda: None):
        _remove(engine, place)
        make_directory(place, setting=_SETTING)
        own = _of_its_own(request, job, place)
        state = _describe(request, job, ended, own, size)
        write_text_atomically(place / _RECORD, _serialise(state))
        shutil.copyfile(ended.job_dir / _CONFIG, state.config_file)
        gone = ended.invocation.environment.keys() - own.environment.keys()
        changes = [f"ENV {name}=" for name in (*ended.invocation.passed, *sorted(gone))]
        options = [part for change in changes for part in ("--change", change)]
        if not engine.run("commit", *options, container, state.image).ok:
            _remove(engine, place)
            return None
        _move_mount(ended.job_dir, place)
    return state


def _describe(request: BuildRequest, job: Job, ended: EndedContainer, own: Invocation, size: int) -> KeptState:
    place = _place(request.cache_root, request.source.facts.name, job)
    return KeptState(
        place=place,
        project=request.source.facts.name,
        version=request.source.facts.version,
        directory=str(request.project.resolve()),
        job=job.name,
        identifier=job.identifier,
        engine=request.engine.name.value,
        image=f"{_REPOSITORY}:{owner_of(request.cache_root)}-{place.name}",
        create_args=tuple(filter(None, render_create_args(own, request.config))),
        passed=own.passed,
        stage=ended.stage,
        command=find_failed_command(ended.lines),
        size=size,
        time=time.time(),
        run=ended.run_id,
    )


def drop_state(request: BuildRequest, job: Job) -> None:
    """Remove what was kept of a job that is good now."""
    place = _place(request.cache_root, request.source.facts.name, job)
    if place.is_dir():
        with exclusive(request.cache_root / "locks", f"state {place.name}", on_wait=lambda: None):
            _remove(request.engine, place)


def list_states(cache_root: Path) -> tuple[KeptState, ...]:
    """Return the states that are kept, the newest first."""
    found = (_read(place) for place in (cache_root / "states").glob("*"))
    return tuple(sorted((state for state in found if state), key=lambda state: -state.time))


def remove_state(engine: ContainerEngine, state: KeptState) -> None:
    """Remove a state: its image and its directory."""
    _remove(engine, state.place)


def prune_states(
    engine: ContainerEngine | None, cache_root: Path, is_chosen: Callable[[KeptState], bool], *, dry_run: bool
) -> tuple[KeptState, ...]:
    """Remove the chosen states of an engine, or only tell them with dry_run; without their engine they stay."""
    chosen = tuple(state for state in list_states(cache_root) if is_chosen(state))
    if dry_run:
        return chosen
    ours = tuple(state for state in chosen if engine is not None and state.engine == engine.name)
    for state in ours:
        if engine is not None:
            remove_state(engine, state)
    return ours


def _written(engine: ContainerEngine, container: str) -> int | None:
    """Ask for the bytes that a container has written."""
    done = engine.run("inspect", "--size", "--format", "{{.SizeRw}}", container)
    text = done.stdout.strip()
    return int(text) if done.ok and text.isdigit() else None


def _place(cache_root: Path, project: str, job: Job) -> Path:
    name = hashlib.sha256(json.dumps([project, job.name]).encode()).hexdigest()[:16]
    return cache_root / "states" / name


def _of_its_own(request: BuildRequest, job: Job, place: Path) -> Invocation:
    """Make the invocation of a state's container: without what belongs to the run and goes with it.

    These are the run's label and directory, its jobserver, and the file that takes the remote cache away.
    """
    invocation = make_invocation(replace(request, cores=Cores(), remote=None), (job,), place / "mount", "")
    return replace(invocation, label="")


def _move_mount(job_dir: Path, place: Path) -> None:
    """Keep the job's /project where that is a mount; its other files stay in the run's directory."""
    mount = place / "mount"
    mount.mkdir()
    with suppress(OSError):
        shutil.move(job_dir / "mount" / PROJECT_SCRATCH, mount / PROJECT_SCRATCH)
    with suppress(OSError):
        owner = (job_dir / "mount").stat()
        shutil.chown(mount, owner.st_uid, owner.st_gid)


def _remove(engine: ContainerEngine, place: Path) -> None:
    state = _read(place)
    if state is not None and state.engine == engine.name:
        engine.run("image", "rm", "--force", state.image)
    shutil.rmtree(place, ignore_errors=True)


def _serialise(state: KeptState) -> str:
    table = {name: value for name, value in asdict(state).items() if name != "place"}
    return json.dumps({"format": _FORMAT, **table}, indent=2) + "\n"


def _read(place: Path) -> KeptState | None:
    """Read a state; None where there is none, or one of another format."""
    try:
        table = json.loads((place / _RECORD).read_text(encoding="utf-8"))
        if table.pop("format") != _FORMAT:
            return None
        table |= {name: tuple(table[name]) for name in ("create_args", "passed", "command")}
        return KeptState(place=place, **table)
    except (OSError, ValueError, KeyError, TypeError):
        return None
