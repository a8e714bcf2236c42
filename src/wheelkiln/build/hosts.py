"""The configured machines of a run: those that answer, as workers."""

from __future__ import annotations

from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from wheelkiln.config.model import Config, HostConfig
from wheelkiln.errors import EnvironmentProblem
from wheelkiln.plan.model import Notice
from wheelkiln.plan.placement import Worker
from wheelkiln.system.engine import ContainerEngine
from wheelkiln.system.host import HostFacts
from wheelkiln.system.process import Runner, mask_secrets
from wheelkiln.system.remote_engine import EngineAddress, connect_engine

__all__ = ["BuildHost", "find_hosts", "host_facts"]


@dataclass(frozen=True, slots=True)
class BuildHost:
    """A machine that answered; connect asks it again, with a runner of its own, after it was lost."""

    name: str
    engine: ContainerEngine
    machine: str
    worker: Worker
    connect: Callable[[], ContainerEngine]


def find_hosts(
    config: Config, host: HostFacts, make_runner: Callable[[], Runner], architectures: Collection[str]
) -> tuple[tuple[BuildHost, ...], tuple[Notice, ...]]:
    """Ask all configured machines at once whose architectures are wanted; one that does not answer is a notice."""
    wanted = {name: entry for name, entry in sorted(config.hosts.items()) if set(entry.arch) & set(architectures)}
    if not wanted:
        return (), ()
    with ThreadPoolExecutor(max_workers=len(wanted)) as pool:
        found = list(pool.map(lambda item: _ask(item[0], item[1], host, make_runner), wanted.items()))
    hosts = tuple(entry for entry in found if isinstance(entry, BuildHost))
    return hosts, tuple(entry for entry in found if isinstance(entry, Notice))


def host_facts(host: HostFacts, build_host: BuildHost) -> HostFacts:
    """Return what is true of a machine that is configured; the rest is what this machine's user has set."""
    return replace(host, machine=build_host.machine, cpus=build_host.worker.cores, emulated=build_host.worker.emulated)


def _ask(name: str, entry: HostConfig, host: HostFacts, make_runner: Callable[[], Runner]) -> BuildHost | Notice:
    address = EngineAddress(entry.docker, str(_expand(entry.certificates, host)) if entry.certificates else "")

    def connect() -> ContainerEngine:
        return replace(connect_engine(make_runner(), address, host.environ).engine, host=name)

    try:
        remote = connect_engine(make_runner(), address, host.environ)
    except EnvironmentProblem as problem:
        return Notice(
            "host-silent",
            f"the host {name} ({mask_secrets(entry.docker)}) does not answer: {problem.message}",
            f"'docker --host {mask_secrets(entry.docker)} version' says more; hosts.{name} describes it."
            if "://" in entry.docker
            else f"'docker --context {entry.docker} version' says more; hosts.{name} describes it.",
        )
    worker = Worker(
        name,
        native=frozenset(entry.arch) & {remote.machine},
        emulated=frozenset(entry.arch) - {remote.machine},
        cores=remote.cpus,
        slots=None if entry.slots == "auto" else entry.slots,
    )
    return BuildHost(name, replace(remote.engine, host=name), remote.machine, worker, connect)


def _expand(path: str, host: HostFacts) -> Path:
    first, *rest = Path(path).parts or (".",)
    return host.home.joinpath(*rest) if first == "~" else host.cwd.joinpath(first, *rest)
