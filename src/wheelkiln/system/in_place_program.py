"""The commands of an engine that starts no containers: what cibuildwheel and wheelkiln ask of docker, done in place.

cibuildwheel builds for Linux in containers only. It speaks to this program as to docker, and so all that it does, in
what order and with which of its options, stays its own.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path, PurePosixPath

from wheelkiln.errors import WheelkilnError
from wheelkiln.system.in_place import Container, Place, containers, parse_create, read_place
from wheelkiln.system.in_place_run import execute_in, path_outside, run, start, sweep
from wheelkiln.system.namespaces import Bind, enter_new_root

__all__ = ["main"]

_FAILED = 125
"""What docker ends with when the fault is its own, and not that of what it runs (docker-run(1))."""
_PLATFORMS = {"x86_64": "linux/amd64", "aarch64": "linux/arm64"}


def main(argv: Sequence[str]) -> int:
    """Do what a command line of an engine asks."""
    commands: dict[str, Callable[[Sequence[str]], int]] = {
        "--version": lambda _: _say("wheelkiln, in place"),
        "version": lambda _: _say(json.dumps({kind: {"ApiVersion": "1.41"} for kind in ("Client", "Server")})),
        "image": _inspect,
        "create": _create,
        "start": _start,
        "run": _run,
        "exec": _execute,
        "cp": _copy,
        "rm": _remove,
        "ps": _list,
        "probe": lambda _: _probe(),
    }
    if not argv or argv[0] not in commands:
        return _fail(f"nothing stands for '{' '.join(argv[:1])}' where no container is started")
    try:
        return commands[argv[0]](argv[1:])
    except WheelkilnError as error:
        return _fail(f"{error.message}. {error.hint or ''}")
    except OSError as error:
        return _fail(str(error))


def _inspect(arguments: Sequence[str]) -> int:
    place = read_place(arguments[1])
    return _say(_PLATFORMS[place.arch]) if place else _fail(f"there is no {arguments[1]}")


def _create(arguments: Sequence[str]) -> int:
    container = parse_create(arguments, os.environ)
    _place_of(container)
    container.save()
    return _say(container.name)


def _start(arguments: Sequence[str]) -> int:
    container = _find(arguments[-1]).running_as(os.getpid())
    container.save()
    start(_place_of(container), container, container.command)


def _run(arguments: Sequence[str]) -> int:
    container = parse_create(arguments, os.environ).running_as(os.getpid())
    place = _place_of(container)
    container.save()
    child = os.fork()  # whoever enters a root of its own cannot remove what lies outside of it
    if child == 0:
        try:
            os._exit(run(place, container))
        except BaseException as error:  # noqa: BLE001 - this process ends here
            os._exit(_fail(str(error)))
    _, status = os.waitpid(child, 0)
    sweep(place, container)
    container.forget()
    return os.waitstatus_to_exitcode(status)


def _execute(arguments: Sequence[str]) -> int:
    name, *command = (part for part in arguments if part != "-i")
    container = _find(name)
    execute_in(_place_of(container), container, command)


def _copy(arguments: Sequence[str]) -> int:
    source, target = arguments
    name, _, path = source.partition(":")
    container = _find(name)
    shutil.copytree(path_outside(_place_of(container), container, str(PurePosixPath(path))), target, dirs_exist_ok=True)
    return 0


def _remove(arguments: Sequence[str]) -> int:
    names = [part for part in arguments if not part.startswith("-")]
    for container in containers():
        if container.name in names:
            _stop(container)
            sweep(read_place(container.reference), container)
            container.forget()
    return 0


def _stop(container: Container) -> None:
    """Kill what runs in it: its whole group, where that is not the one which asks for it."""
    if not container.is_running:
        return
    with suppress(ProcessLookupError, PermissionError):
        if container.group == os.getpgrp():
            os.kill(container.pid, signal.SIGKILL)
        else:
            os.killpg(container.group, signal.SIGKILL)


def _list(arguments: Sequence[str]) -> int:
    """Print names, or labels where a format is asked for, of those that carry a label or a label's value."""
    filters = [part.removeprefix("label=") for part in arguments if part.startswith("label=")]
    for container in containers():
        carried = {*container.labels, *(f"{name}={value}" for name, value in container.labels.items())}
        if set(filters) <= carried:
            _say(json.dumps(dict(container.labels)) if "--format" in arguments else container.name)
    return 0


def _probe() -> int:
    """Enter a root of one's own, to see whether that works here."""
    with tempfile.TemporaryDirectory() as scratch:
        for name in ("root", "own"):
            (Path(scratch) / name).mkdir()
        child = os.fork()
        if child == 0:
            try:
                enter_new_root(Path(scratch) / "root", [Bind(Path(scratch) / "own", PurePosixPath("/project"))])
                os.execv("/bin/sh", ["sh", "-c", "test -w /project"])  # noqa: S606
            except BaseException as error:  # noqa: BLE001 - this process ends here
                os._exit(_fail(str(error)))
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _find(name: str) -> Container:
    found = next((container for container in containers() if container.name == name), None)
    if found is None:
        raise WheelkilnError(f"there is no container {name}")
    return found


def _place_of(container: Container) -> Place:
    place = read_place(container.reference)
    if place is None:
        raise WheelkilnError(f"there is no place {container.reference}")
    return place


def _say(text: str) -> int:
    print(text, flush=True)
    return 0


def _fail(text: str) -> int:
    print(f"wheelkiln, in place: {text}", file=sys.stderr, flush=True)
    return _FAILED


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
