"""Places and what runs in them: what stands for images and containers where none are started.

A place is where builds run on this machine itself: inside of one of our images, or among the machine's own tools. Both
are kept as small files in a directory of the user's, as an engine keeps its images and containers.
"""

from __future__ import annotations

import csv
import hashlib
import json
import os
import shlex
import stat
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from wheelkiln.errors import EnvironmentProblem

__all__ = [
    "PROGRAM",
    "Container",
    "Mount",
    "Place",
    "containers",
    "parse_create",
    "program_directory",
    "read_place",
    "write_place",
]

PROGRAM = "wheelkiln.system.in_place_program"
"""The module that stands for an engine's command line."""
_JOB_MOUNT = "/opt/wheelkiln/mnt/job"


@dataclass(frozen=True, slots=True)
class Place:
    """Where builds run.

    private tells whether each has a root of its own, in namespaces. Without that all use the machine's one, below root,
    which is empty where the paths of an image may be written to. layers are directories of the machine that a private
    root shows at paths of an image. environment is what an image's would be.
    """

    reference: str
    digest: str
    arch: str
    private: bool
    root: str = ""
    layers: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Mount:
    source: str
    target: str
    read_only: bool = False


@dataclass(frozen=True, slots=True)
class Container:
    """What ``create`` was asked for, and the process that runs it; started is that process's time of birth."""

    name: str
    reference: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    mounts: tuple[Mount, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    network: bool = True
    pid: int = 0
    group: int = 0
    started: str = ""

    @property
    def scratch(self) -> Path:
        """Its files: beside the job's own, on the disk of the caches."""
        job = next((mount.source for mount in self.mounts if mount.target == _JOB_MOUNT), None)
        return (Path(job).parent if job else _directory("containers")) / f"place-{self.name}"

    @property
    def is_running(self) -> bool:
        return bool(self.pid) and _birth(self.pid) == self.started

    def save(self) -> None:
        _write("containers", self.name, asdict(self))

    def forget(self) -> None:
        (_directory("containers") / f"{self.name}.json").unlink(missing_ok=True)

    def running_as(self, pid: int) -> Container:
        """Return it with the process that runs it, which is of the present process's group."""
        return replace(self, pid=pid, group=os.getpgrp(), started=_birth(pid))


def parse_create(arguments: Sequence[str], environ: Mapping[str, str]) -> Container:
    """Read the arguments of ``create`` and ``run`` that cibuildwheel and wheelkiln give.

    environ has the values of variables that are passed by name.
    """
    options: dict[str, list[str]] = {}
    rest = list(arguments)
    while rest and rest[0].startswith("--"):
        name, _, value = rest.pop(0).partition("=")
        options.setdefault(name, []).append(value)
    pairs = [text.partition("=") for text in options.get("--env", [])]
    values = {name: value if equals else environ.get(name) for name, equals, value in pairs}
    return Container(
        name=options.get("--name", [f"run-{os.getpid()}"])[-1],
        reference=rest[0],
        command=tuple(rest[1:]),
        environment={name: value for name, value in values.items() if value is not None},
        mounts=tuple(_parse_mount(text) for text in options.get("--mount", [])),
        labels={text.partition("=")[0]: text.partition("=")[2] for text in options.get("--label", [])},
        network=options.get("--network") != ["none"],
    )


def _parse_mount(text: str) -> Mount:
    (fields,) = csv.reader([text])
    values = {name: value for name, _, value in (entry.partition("=") for entry in fields)}
    return Mount(values["source"], values["target"], "readonly" in values)


def write_place(place: Place) -> None:
    """Keep a place under its reference."""
    _write("places", place.reference.rpartition(":")[2], asdict(place))


def program_directory() -> Path:
    """Return a directory with a program called docker, which is the module that stands for an engine."""
    text = f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m {PROGRAM} "$@"\n'
    directory = _directory(f"bin-{hashlib.sha256(text.encode()).hexdigest()[:12]}")
    program = directory / "docker"
    if not program.exists():
        part = directory / f".docker.{os.getpid()}"
        part.write_text(text, encoding="utf-8")
        part.chmod(0o755)
        part.replace(program)
    return directory


def read_place(reference: str) -> Place | None:
    """Return the place of a reference, None where there is none."""
    table = _read("places", reference.rpartition(":")[2])
    return Place(**table) if table else None


def containers() -> Iterator[Container]:
    """Yield what was created and not removed, of dead runs too."""
    for path in sorted(_directory("containers").glob("*.json")):
        table = _read("containers", path.stem)
        if table:
            mounts = tuple(Mount(**mount) for mount in table.pop("mounts"))
            yield Container(**{**table, "mounts": mounts, "command": tuple(table["command"])})


def _directory(kind: str) -> Path:
    """Return a directory of this user alone: who could write there could run programs as this user."""
    home = Path(f"/tmp/wheelkiln-of-user-{os.getuid()}")  # noqa: S108 - its owner and mode are checked
    with suppress(FileExistsError):
        home.mkdir(mode=0o700)
    found = home.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o022:
        raise EnvironmentProblem(f"{home} belongs to somebody else", hint="Remove it, or have it removed.")
    (home / kind).mkdir(exist_ok=True)
    return home / kind


def _write(kind: str, name: str, table: Mapping[str, object]) -> None:
    path = _directory(kind) / f"{name}.json"
    part = path.with_name(f".{path.name}.{os.getpid()}")
    part.write_text(json.dumps(table), encoding="utf-8")
    part.replace(path)


def _read(kind: str, name: str) -> dict[str, Any]:
    try:
        value = json.loads((_directory(kind) / f"{name}.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def _birth(pid: int) -> str:
    """Return when a process began, in ticks since the machine did (proc_pid_stat(5): starttime); "" for a dead one."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] == "Z" else fields[19]
