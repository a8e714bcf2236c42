"""Failures of a container engine that pass: known messages, after which a job is tried once more."""

from __future__ import annotations

import re
from collections.abc import Sequence

from wheelkiln.build.failed_command import find_failed_command
from wheelkiln.errors import BuildError
from wheelkiln.system.engine import CONTAINER_ENGINES, ContainerEngine, EngineName

__all__ = ["HiccupError", "check_hiccup", "find_hiccup"]

_TAIL = 80
"""Lines from the end of a log: cibuildwheel's traceback stands behind the engine's message."""
_SPEAKER = (
    r"(?:^|: )(?:OCI runtime \w+ failed: |error during connect: |Error: |"
    r"Error response from daemon: (?!(?:Get|Head|Post) \"?https?:))"
)
"""Who says so: runc, docker's client, podman, dockerd; but not what dockerd says of a registry's network."""
_MESSAGES = (
    r"read init-p: connection reset by peer",  # runc lost its own child while that started
    r"context deadline exceeded",  # containerd did not answer dockerd in time
    r"connection reset by peer",
    r"ttrpc: closed",  # containerd's connection to a container's shim
    r"\bEOF(?:: unknown)?$",  # a connection that was closed, at whichever end
)
_HICCUP = re.compile(f"{_SPEAKER}.*(?:{'|'.join(_MESSAGES)})|^error waiting for container: (?:unexpected )?EOF$")


class HiccupError(BuildError):
    """A job was broken off by its engine, which works again; line is what that said."""

    def __init__(self, line: str) -> None:
        super().__init__(f"the engine failed for a moment: {line}")
        self.line = line


def check_hiccup(engine: ContainerEngine, lines: Sequence[str]) -> None:
    """Raise HiccupError where a job's output tells that its engine has failed for a moment, and that answers again."""
    line = "" if engine.name is EngineName.NONE else find_hiccup(lines)
    if line and engine.answers():
        raise HiccupError(line)


def find_hiccup(lines: Sequence[str]) -> str:
    """Return the engine's message that broke a job off; empty where there is none.

    A command in the container that failed is never one, whatever was printed: cibuildwheel names the command.
    """
    command = find_failed_command(lines)
    if command and command[0] not in CONTAINER_ENGINES:
        return ""
    for line in reversed(lines[-_TAIL:]):
        if _HICCUP.search(line.strip()):
            return line.strip()
    return ""
