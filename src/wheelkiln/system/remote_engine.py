"""Engines of other machines: how docker's client is pointed to one, and what one says of its machine."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from wheelkiln.errors import EnvironmentProblem
from wheelkiln.system.engine import ContainerEngine, EngineName, probe_engine
from wheelkiln.system.host import HostFacts
from wheelkiln.system.process import Completed, Runner

__all__ = ["EngineAddress", "RemoteEngine", "RemoteRunner", "connect_engine", "engine_facts", "note_place"]

_VARIABLES = ("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH")
_TLS_VARIABLES = ("DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH")
_SECONDS = 30.0
"""An ssh connection that is made for the first time takes its time."""
_MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}


@dataclass(frozen=True, slots=True)
class EngineAddress:
    """Where docker's client finds an engine: a context's name or an address, and a directory of certificates."""

    docker: str
    certificates: str = ""

    def environment(self, environ: Mapping[str, str]) -> dict[str, str]:
        """Return the environment that makes docker's client, and all that calls it, talk to this engine.

        DOCKER_HOST comes before DOCKER_CONTEXT, and the variables of TLS count for every tcp address (docker's
        manual: environment variables), so that those of the user's own engine have to go.
        """
        is_address = "://" in self.docker
        keeps_tls = self.docker.startswith("tcp://") and not self.certificates
        dropped = [name for name in _VARIABLES if not (keeps_tls and name in _TLS_VARIABLES)]
        kept = {name: value for name, value in environ.items() if name not in dropped}
        own = {"DOCKER_HOST" if is_address else "DOCKER_CONTEXT": self.docker}
        if self.certificates:
            own |= {"DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": self.certificates}
        return kept | own


class RemoteRunner:
    """A runner whose children find docker at another address."""

    def __init__(self, runner: Runner, address: EngineAddress, environ: Mapping[str, str]) -> None:
        self._runner, self._address, self._environ = runner, address, environ

    def capture(
        self,
        argv: Sequence[str],
        *,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        timeout: float | None = None,
        stdin: Path | None = None,
    ) -> Completed:
        return self._runner.capture(argv, cwd=cwd, env=self._with_address(env), timeout=timeout, stdin=stdin)

    def stream(
        self,
        argv: Sequence[str],
        *,
        on_line: Callable[[str], None],
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
    ) -> int:
        return self._runner.stream(argv, on_line=on_line, cwd=cwd, env=self._with_address(env))

    def interact(self, argv: Sequence[str], *, env: Mapping[str, str] | None = None) -> int:
        return self._runner.interact(argv, env=self._with_address(env))

    def stop(self) -> None:
        self._runner.stop()

    def _with_address(self, env: Mapping[str, str] | None) -> dict[str, str]:
        return self._address.environment(self._environ if env is None else env)


@dataclass(frozen=True, slots=True)
class RemoteEngine:
    """An engine that answered, with its machine: the architecture by the kernel's name, cores, its emulators."""

    engine: ContainerEngine
    machine: str
    cpus: int


def connect_engine(runner: Runner, address: EngineAddress, environ: Mapping[str, str]) -> RemoteEngine:
    """Ask the engine at an address for what it is; raise EnvironmentProblem with docker's reason."""
    remote = RemoteRunner(runner, address, environ)
    engine = replace(probe_engine(remote, EngineName.DOCKER), elsewhere=True)
    machine, cpus = read_machine(engine)
    return RemoteEngine(engine, machine, cpus)


def read_machine(engine: ContainerEngine) -> tuple[str, int]:
    """Return the architecture and the cores of an engine's machine."""
    done = engine.run("info", "--format", "{{json .}}", timeout=_SECONDS)
    if not done.ok:
        raise EnvironmentProblem(done.last_line)
    try:
        info: Any = json.loads(done.stdout)
        arch = str(info["Architecture"])
        return _MACHINES.get(arch, arch), max(1, int(info["NCPU"]))
    except (ValueError, KeyError, TypeError) as error:
        raise EnvironmentProblem("docker does not say what machine it runs on") from error


def note_place(engine: ContainerEngine, host: HostFacts) -> ContainerEngine:
    """Tell of the user's own engine whether it is elsewhere: docker's, by DOCKER_HOST or the chosen context."""
    if engine.name is not EngineName.DOCKER:
        return engine
    address = host.environ.get("DOCKER_HOST", "")
    if not address and (host.home / ".docker" / "contexts").is_dir():
        done = engine.run("context", "inspect", "--format", "{{.Endpoints.docker.Host}}", timeout=_SECONDS)
        address = done.stdout.strip() if done.ok else ""
    local = not address or address.startswith(("unix://", "npipe://"))
    return engine if local else replace(engine, elsewhere=True)


def engine_facts(engine: ContainerEngine, host: HostFacts) -> HostFacts:
    """Return the facts with what holds of an engine's machine: builds run there, under its emulators."""
    if not engine.elsewhere:
        return host
    machine, cpus = read_machine(engine)
    done = engine.run("buildx", "inspect", timeout=_SECONDS)  # BuildKit has tried which programs run
    platforms = re.findall(r"linux/(amd64|arm64)\b", done.stdout) if done.ok else []
    runs = {_MACHINES[name] for name in platforms}
    return replace(host, machine=machine, cpus=cpus, emulated=frozenset(runs - {machine}))
