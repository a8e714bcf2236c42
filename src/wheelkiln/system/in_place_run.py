"""Starting a program in a place: in a root of its own, or at the machine's paths, where one waits for the other."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import IO, NoReturn

from wheelkiln.errors import EnvironmentProblem
from wheelkiln.system.in_place import Container, Mount, Place
from wheelkiln.system.namespaces import Bind, enter_new_root, join_namespaces
from wheelkiln.system.relocation import Relocation

__all__ = ["execute_in", "path_outside", "run", "start", "sweep"]

_ENVIRONMENT = "/tmp/wheelkiln/env"  # noqa: S108 - a path inside of a container
_OWN_DIRECTORIES = ("/project", "/output", "/home/builder", "/opt/wheelkiln/mnt", "/tmp", "/var/tmp", "/dev/shm")  # noqa: S108
_OWN_FILES = ("/constraints.txt", "/cibuildwheel-ca-bundle.pem")
_EMPTIED = ("/project", "/output", "/tmp/cibuildwheel", "/tmp/wheelkiln/build", _ENVIRONMENT)  # noqa: S108
_WORK = "/project"
_UNPACK = ["tar", "--no-same-owner", "-xC"]
"""How cibuildwheel has the project unpacked (oci_container.py: copy_into); a directory follows."""
_LOCK = "/opt/wheelkiln/mnt/.in-place.lock"
_CLAIM = "/opt/wheelkiln/mnt/.project-is-ours"


def start(place: Place, container: Container, command: Sequence[str]) -> NoReturn:
    """Become the container's program, with standard input and output as they are."""
    environment = _enter(place, container)
    if place.root:
        os._exit(_converse(Relocation(place.root), command, environment))  # a thread may still wait for more to say
    sys.stdout.flush()
    os.execvpe(command[0], list(command), environment)  # noqa: S606 - this process stands for an engine's


def run(place: Place, container: Container) -> int:
    """Run the container's program, to its end or as what this process becomes, and return its status.

    Without a root of its own, what it made of its environment is copied to where it belongs before it is told of.
    """
    relocation = Relocation(place.root)
    environment = _enter(place, container)
    command = [relocation.forward(part) for part in container.command]
    made = next((m for m in container.mounts if m.target == _ENVIRONMENT and not m.read_only), None)
    if place.private or made is None:
        os.execvpe(command[0], command, environment)  # noqa: S606
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=False)
    shutil.copytree(place.root + _ENVIRONMENT, made.source, symlinks=True, dirs_exist_ok=True)
    sys.stdout.buffer.write(done.stdout)
    sys.stdout.flush()
    return done.returncode


def execute_in(place: Place, container: Container, command: Sequence[str]) -> NoReturn:
    """Become a program in a container that runs."""
    relocation = Relocation(place.root)
    if place.private:
        join_namespaces(container.pid)
    argv = [relocation.forward(part) for part in command]
    os.umask(0o022)
    environment = _environment(place, container)
    if argv[:3] == _UNPACK and os.getuid() not in (0, Path(argv[3]).stat().st_uid):
        sys.exit(_unpack(argv, environment))
    os.execvpe(argv[0], argv, environment)  # noqa: S606


def _unpack(argv: Sequence[str], environment: Mapping[str, str]) -> int:
    """Unpack into a directory of somebody else, which may be written to: tar would set its mode, as only they may."""
    with tempfile.TemporaryDirectory() as scratch:
        done = subprocess.run([*argv[:3], scratch, *argv[4:]], env=environment, check=False)
        for entry in Path(scratch).iterdir():
            shutil.move(entry, Path(argv[3]) / entry.name)
    return done.returncode


def path_outside(place: Place, container: Container, path: str) -> Path:
    """Return where a path of a container lies on the machine."""
    return Path(f"{container.scratch}{path}" if place.private else f"{place.root}{path}")


def sweep(place: Place | None, container: Container) -> None:
    """Remove what a container left; at the machine's own paths only while no other one is there."""
    shutil.rmtree(container.scratch, ignore_errors=True)
    if place is None or place.private or not container.pid:
        return
    lock = _open_lock(place.root)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        claim = Path(place.root + _CLAIM)
        for path in _EMPTIED if claim.exists() else ():
            _empty(Path(place.root + path))
        claim.unlink(missing_ok=True)
    except BlockingIOError:
        return
    finally:
        os.close(lock)


def _enter(place: Place, container: Container) -> dict[str, str]:
    """Make the container's root this process's, and return the environment of what runs there."""
    os.umask(0o022)
    if place.private:
        _enter_private(place, container)
    else:
        _wait_and_lay(place, container)
    os.chdir(place.root + _WORK)
    return _environment(place, container)


def _environment(place: Place, container: Container) -> dict[str, str]:
    relocation = Relocation(place.root)
    values = {**place.environment, **container.environment}
    return {name: relocation.forward(value) for name, value in values.items()}


def _enter_private(place: Place, container: Container) -> None:
    scratch = container.scratch
    root = scratch / "root"
    root.mkdir(parents=True)
    for path in _OWN_DIRECTORIES:
        (scratch / path[1:]).mkdir(parents=True, exist_ok=True)
    for path in _OWN_FILES:
        (scratch / path[1:]).touch()
    layers = [Bind(Path(source), PurePosixPath(target), read_only=True) for target, source in place.layers.items()]
    own = [Bind(scratch / path[1:], PurePosixPath(path)) for path in (*_OWN_DIRECTORIES, *_OWN_FILES)]
    given = [_bind(mount) for mount in container.mounts]
    enter_new_root(root, [*layers, *own, *given], network=container.network)


def _bind(mount: Mount) -> Bind:
    return Bind(Path(mount.source), PurePosixPath(mount.target), mount.read_only)


def _wait_and_lay(place: Place, container: Container) -> None:
    """Take the one set of paths; the lock goes to the program that this process becomes, and ends with it."""
    root = place.root
    lock = _open_lock(root)
    os.set_inheritable(lock, True)
    fcntl.flock(lock, fcntl.LOCK_EX)
    _claim(root)
    for path in _EMPTIED:
        _empty(Path(root + path))
    for path in _OWN_FILES:
        with open(root + path, "wb"):  # noqa: PTH123 - emptied, not replaced: it may belong to the image's user
            pass
    for mount in container.mounts:
        _lay(mount, root)


def _open_lock(root: str) -> int:
    return os.open(root + _LOCK, os.O_RDWR | os.O_CREAT, 0o666)


def _claim(root: str) -> None:
    """Refuse to empty what somebody else filled; from then on, until they are empty again, the directories are ours."""
    claim = Path(root + _CLAIM)
    for directory in (Path(root + name) for name in ("/project", "/output")):
        if not claim.exists() and directory.is_dir() and any(directory.iterdir()):
            raise EnvironmentProblem(
                f"{directory} is not empty, and builds in place need it",
                hint="Have what it holds lie in another directory.",
            )
    claim.touch()


def _empty(directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    for entry in directory.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()


def _lay(mount: Mount, root: str) -> None:
    target = Path(root + mount.target)
    if mount.target == _ENVIRONMENT:  # a build may write to it, and its own path must be its real one
        target.rmdir()  # the image's user may be its owner
        shutil.copytree(mount.source, target, symlinks=True)
    elif mount.source != mount.target:
        target.unlink(missing_ok=True)
        target.symlink_to(mount.source)


def _converse(relocation: Relocation, command: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run a shell between two translators: of what it is told, and of what it says."""
    with subprocess.Popen(
        [relocation.forward(part) for part in command], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as shell:
        assert shell.stdin is not None
        assert shell.stdout is not None
        told = threading.Thread(
            target=_translate, args=(sys.stdin.buffer, shell.stdin, relocation.forward), daemon=True
        )
        told.start()
        _translate(shell.stdout, sys.stdout.buffer, relocation.back)
        return shell.wait()


def _translate(source: IO[bytes], target: IO[bytes], change: object) -> None:
    assert callable(change)
    try:
        for line in iter(source.readline, b""):
            target.write(os.fsencode(change(os.fsdecode(line))))
            target.flush()
        if target is not sys.stdout.buffer:
            target.close()
    except (BrokenPipeError, ValueError):
        return
