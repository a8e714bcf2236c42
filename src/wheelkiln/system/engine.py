"""The container engine: what docker and podman have in common, and finding the one that answers."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from wheelkiln.errors import EnvironmentProblem
from wheelkiln.system.host import HostFacts
from wheelkiln.system.in_place import PROGRAM
from wheelkiln.system.in_place_facts import is_our_image
from wheelkiln.system.process import Completed, Runner

__all__ = [
    "BUILDER_UID",
    "CONTAINER_ENGINES",
    "ContainerEngine",
    "ContainerUser",
    "EngineName",
    "find_engine",
    "join_fields",
    "probe_engine",
]

BUILDER_UID = 1000
"""The unprivileged user of our images, used where the invoking user is root."""
_PROBE_SECONDS = 20.0
_LABEL = "io.wheelkiln.run"


def join_fields(*fields: str) -> str:
    """Join the fields of ``--mount`` and ``--secret`` in the engines' CSV notation, which can hold any path."""
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\r\n").writerow(fields)  # the characters of the terminator are quoted
    return text.getvalue().removesuffix("\r\n")


class EngineName(StrEnum):
    DOCKER = "docker"
    PODMAN = "podman"
    NONE = "none"
    """No container is started: a program of ours stands for the engine, and builds run in place."""

    @property
    def spoken_to_as(self) -> str:
        """The engine that cibuildwheel knows it as."""
        return self.DOCKER.value if self is self.NONE else self.value


CONTAINER_ENGINES = (EngineName.DOCKER, EngineName.PODMAN)


@dataclass(frozen=True, slots=True)
class ContainerUser:
    """The user that a build runs as.

    create_args are arguments of ``create``, owner is who must own what it writes (None: the invoking user), and
    is_builder tells whether it is the image's own user, to whom the image's project directory belongs.
    """

    create_args: tuple[str, ...]
    owner: tuple[int, int] | None
    is_builder: bool = True


@dataclass(frozen=True, slots=True)
class ContainerEngine:
    """An engine that answered: its name, version, whether it runs without root, and how it builds images.

    elsewhere says that it is on another machine, or has to be taken for one: it cannot mount directories of this one.
    host is the name of the configured host that it is, empty for the user's own engine.
    """

    name: EngineName
    version: str
    rootless: bool
    can_build: bool
    runner: Runner
    elsewhere: bool = False
    host: str = ""

    def run(self, *argv: str, timeout: float | None = None, stdin: Path | None = None) -> Completed:
        """Run one engine command to its end."""
        return self.runner.capture([*self.program, *argv], timeout=timeout, stdin=stdin)

    @property
    def program(self) -> tuple[str, ...]:
        """The beginning of the engine's command lines."""
        return (self.name.value,) if self.name is not EngineName.NONE else (sys.executable, "-m", PROGRAM)

    @property
    def is_podman(self) -> bool:
        return self.name is EngineName.PODMAN

    def answers(self) -> bool:
        """Tell whether the engine still works."""
        try:
            return self.run("ps", "-q", timeout=_PROBE_SECONDS).ok
        except EnvironmentProblem:
            return False

    def user_for(self, host: HostFacts) -> ContainerUser:
        """Choose the unprivileged user of a build so that the mounted caches are writable for it.

        root becomes the image's builder. Others keep their numbers; a rootless podman maps them with
        ``--userns=keep-id`` (podman-run(1)), and in a rootless docker the container's root is the invoking user. In
        place, everybody stays who they are. Elsewhere nothing of this machine is mounted, and the image's builder
        serves all.
        """
        if self.name is EngineName.NONE:
            return ContainerUser((), None)
        if self.elsewhere:
            return ContainerUser((f"--user={BUILDER_UID}:{BUILDER_UID}",), (BUILDER_UID, BUILDER_UID))
        if self.rootless and self.name is EngineName.DOCKER:
            return ContainerUser(("--user=0:0",), None, is_builder=False)
        if host.uid == 0:
            return ContainerUser((f"--user={BUILDER_UID}:{BUILDER_UID}",), (BUILDER_UID, BUILDER_UID))
        mapping = ("--userns=keep-id",) if self.rootless else ()
        return ContainerUser((*mapping, f"--user={host.uid}:{host.gid}"), None, is_builder=host.uid == BUILDER_UID)

    def run_label(self, run_id: str) -> str:
        """The ``create`` argument that marks a container as belonging to one of our runs."""
        return f"--label={_LABEL}={run_id}"

    def remove_containers(self, run_id: str) -> int:
        """Kill and remove every container of a run; return how many there were."""
        return self._remove(self._container_ids(f"label={_LABEL}={run_id}"))

    def runs_with_containers(self) -> tuple[str, ...]:
        """Return the run ids of all containers that carry our label."""
        done = self.run("ps", "-a", "--filter", f"label={_LABEL}", "--format", "{{json .Labels}}")
        if not done.ok:
            return ()
        found = {_label_value(line) for line in done.stdout.splitlines()}
        return tuple(sorted(run_id for run_id in found if run_id))

    def _container_ids(self, condition: str) -> list[str]:
        done = self.run("ps", "-aq", "--no-trunc", "--filter", condition)
        return done.stdout.split() if done.ok else []

    def _remove(self, ids: Sequence[str]) -> int:
        if ids:
            self.run("rm", "--force", "--volumes", *ids)
        return len(ids)


def _label_value(line: str) -> str:
    """Read our label from docker's ``a=b,c=d`` string or podman's JSON object."""
    try:
        labels = json.loads(line)
    except ValueError:
        return ""
    if isinstance(labels, dict):
        return str(labels.get(_LABEL, ""))
    pairs = (pair.partition("=") for pair in str(labels).split(","))
    return next((value for key, _, value in pairs if key == _LABEL), "")


def find_engine(runner: Runner, wanted: EngineName | None, *, root: Path = Path("/")) -> ContainerEngine:
    """Return the wanted engine, or the first that answers and builds images, or the first that answers.

    Where none does, and root is that of one of our images, builds run in place. Elsewhere raise EnvironmentProblem
    with each one's reason.
    """
    reasons = []
    answering = []
    if wanted is EngineName.NONE:
        return _in_place(runner)
    for name in [wanted] if wanted else CONTAINER_ENGINES:
        try:
            engine = probe_engine(runner, name)
        except EnvironmentProblem as problem:
            reasons.append(f"  {name}: {problem.message}")
            continue
        if engine.can_build:
            return engine
        answering.append(engine)
    if answering:
        return answering[0]
    if wanted is None and is_our_image(root):
        return _in_place(runner)
    raise EnvironmentProblem(
        "\n".join(["no container engine answers", *reasons]),
        hint="Install and start docker or podman ('./ci/engine' in wheelkiln's repository does it on Debian and "
        "Ubuntu), build with this machine's own tools by --engine none, or see 'wheelkiln doctor'.",
    )


def _in_place(runner: Runner) -> ContainerEngine:
    return ContainerEngine(EngineName.NONE, "", rootless=True, can_build=False, runner=runner)


def probe_engine(runner: Runner, name: EngineName) -> ContainerEngine:
    """Ask one engine for its version and abilities; raise EnvironmentProblem when it does not answer."""
    done = runner.capture([name.value, "version", "--format", "{{json .}}"], timeout=_PROBE_SECONDS)
    if not done.ok:
        raise EnvironmentProblem(done.last_line)
    info = _parse_object(done.stdout)
    if name is EngineName.PODMAN:
        return ContainerEngine(
            name=name,
            version=str(info.get("Client", {}).get("Version", "")),
            rootless=_ask(runner, "podman", "info", "--format", "{{.Host.Security.Rootless}}") == "true",
            can_build=True,
            runner=runner,
        )
    return ContainerEngine(
        name=name,
        version=str((info.get("Server") or {}).get("Version", "")),
        rootless="name=rootless" in _ask(runner, "docker", "info", "--format", "{{json .SecurityOptions}}"),
        can_build=runner.capture(["docker", "buildx", "version"], timeout=_PROBE_SECONDS).ok,
        runner=runner,
    )


def _ask(runner: Runner, *argv: str) -> str:
    return runner.capture(argv, timeout=_PROBE_SECONDS).stdout.strip()


def _parse_object(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
