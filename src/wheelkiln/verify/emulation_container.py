"""Command lines of the containers that a wheel is tried in."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from wheelkiln.system.engine import ContainerEngine, join_fields
from wheelkiln.system.host import CA_VARIABLES, HostFacts

__all__ = [
    "EMULATOR",
    "LIBRARIES",
    "PROGRAM",
    "REQUIREMENTS",
    "SDE",
    "Box",
    "installing",
    "interpreter",
    "trying",
    "wheel_place",
]

_PLACE = PurePosixPath("/opt/wheelkiln/mnt")
EMULATOR = _PLACE / "emulator"
SDE = _PLACE / "sde"
LIBRARIES = _PLACE / "libraries"
REQUIREMENTS = _PLACE / "requirements.txt"
PROGRAM = _PLACE / "emulated_program.py"
_CA = _PLACE / "ca-bundle.pem"
_MEMORY = 2 << 30
_MEMORY_FOR_CONTENT = 3
"""How often a wheel's content is in memory: as files, and mapped."""
_PROCESSES = 512


@dataclass(frozen=True, slots=True)
class Box:
    """What the containers of one trial share: place is a directory of this machine for what goes between them.

    unpacked is the size of the wheel's content, in bytes.
    """

    image: str
    engine: ContainerEngine
    host: HostFacts
    place: Path
    run_id: str
    unpacked: int

    def give(self, directory: Path) -> None:
        """Make a directory writable for the container's user."""
        self.place.chmod(0o755)
        owner = self.engine.user_for(self.host).owner
        if owner is not None:
            os.chown(directory, *owner)


def interpreter(python: str) -> str:
    """Return where images have the interpreter of a tag such as ``cp312`` or ``cp313t``."""
    return f"/opt/python/{python.rstrip('t')}-{python}/bin/python"


def wheel_place(name: str) -> PurePosixPath:
    """Return where the container sees the wheel; pip goes by the name."""
    return _PLACE / name


def trying(box: Box, sources: Mapping[PurePosixPath, Path], python: str, spec: str) -> list[str]:
    """Return the command that runs the program, without a network, on what it may read."""
    memory = _MEMORY + _MEMORY_FOR_CONTENT * box.unpacked
    limits = [f"--memory={memory}", f"--pids-limit={_PROCESSES}", "--network=none"]
    mounts = [_mount(source, target, "readonly") for target, source in sorted(sources.items())]
    return [*_begin(box, python), *limits, *mounts, box.image, str(PROGRAM), spec]


def installing(box: Box, python: str, environment: Mapping[str, str], directories: tuple[Path, ...]) -> list[str]:
    """Return the command that installs requirements, from wheels alone."""
    mounts = [
        _mount(box.place / LIBRARIES.name, LIBRARIES),
        _mount(box.place / REQUIREMENTS.name, REQUIREMENTS, "readonly"),
        *(_mount(directory, PurePosixPath(directory), "readonly") for directory in directories),
    ]
    names = [f"--env={name}" for name in sorted(environment)]
    if box.host.ca_bundle:
        mounts.append(_mount(box.host.ca_bundle, _CA, "readonly"))
        names += [f"--env={name}={_CA}" for name in CA_VARIABLES]
    pip = ["-m", "pip", "--disable-pip-version-check", "install", "--only-binary=:all:", "--no-compile", "--quiet"]
    pip += [f"--target={LIBRARIES}", f"--requirement={REQUIREMENTS}"]
    return [*_begin(box, python), *mounts, *names, box.image, *pip]


def _begin(box: Box, python: str) -> list[str]:
    return [
        *box.engine.program,
        "run",
        "--rm",
        "--pull=never",
        *box.engine.user_for(box.host).create_args,
        *([box.engine.run_label(box.run_id)] if box.run_id else []),
        "--cap-drop=ALL",
        "--security-opt=no-new-privileges",
        "--read-only",
        f"--tmpfs=/tmp:rw,exec,nosuid,nodev,mode=1777,size={_MEMORY + _MEMORY_FOR_CONTENT * box.unpacked}",
        "--workdir=/tmp",
        "--env=HOME=/tmp",
        f"--entrypoint={interpreter(python)}",
    ]


def _mount(source: Path, target: PurePosixPath, *options: str) -> str:
    return f"--mount={join_fields('type=bind', f'source={source}', f'target={target}', *options)}"
