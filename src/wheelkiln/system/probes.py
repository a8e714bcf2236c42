"""Looking at the machine for ``wheelkiln doctor``: what it has and what it reaches, as plain readings."""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Protocol

from wheelkiln.errors import EnvironmentProblem
from wheelkiln.system.deadlines import BoundedRunner, Pending
from wheelkiln.system.engine import CONTAINER_ENGINES, EngineName, probe_engine
from wheelkiln.system.files import free_bytes
from wheelkiln.system.host import CA_VARIABLES, HostFacts
from wheelkiln.system.in_place_facts import find_own_interpreters, is_our_image
from wheelkiln.system.interpreters import Interpreter, find_interpreters
from wheelkiln.system.pip_settings import read_pip_settings
from wheelkiln.system.process import Runner
from wheelkiln.system.reach import Reach, place_of, reach_index, reach_url, send_request, silent

__all__ = [
    "EngineReading",
    "MachineProbes",
    "Probes",
    "Readings",
    "default_index",
    "read_machine",
]

_TOOLS = ("cibuildwheel", "auditwheel", "build", "pip")
_NETWORK_SECONDS = 2.5
_ENGINE_SECONDS = 10.0
_MARGIN_SECONDS = 0.1
"""One silent index must not lose the readings of the others: they are collected before the whole is given up."""

_BUILDX = re.compile(r"\bv?(?P<version>[0-9]+\.[0-9]+\.[0-9]\S*)")


@dataclass(frozen=True, slots=True)
class EngineReading:
    """One engine: trouble says why it does not answer; buildx is that plugin's version (docker alone has it)."""

    name: EngineName
    installed: bool
    version: str = ""
    rootless: bool = False
    can_build: bool = False
    buildx: str = ""
    trouble: str = ""

    @property
    def answers(self) -> bool:
        return self.installed and not self.trouble

    @property
    def usable(self) -> bool:
        """It answers and can build images."""
        return self.answers and self.can_build


@dataclass(frozen=True, slots=True)
class Readings:
    """All that a diagnosis judges.

    free is in bytes by directory, memory in bytes (None: unknown), tools versions by distribution (None: absent),
    missing_bundles the variables that name a certificate bundle which is not there. in_image tells whether this is one
    of our images, own_pythons are the tags that builds in place find on the machine.
    """

    host: HostFacts
    engines: tuple[EngineReading, ...]
    registry: Reach
    indexes: tuple[Reach, ...]
    free: tuple[tuple[Path, int], ...]
    memory: int | None
    interpreters: tuple[Interpreter, ...]
    has_mmdebstrap: bool
    tools: Mapping[str, str | None] = field(default_factory=dict)
    missing_bundles: tuple[str, ...] = ()
    in_image: bool = False
    own_pythons: tuple[str, ...] = ()


class Probes(Protocol):
    """The machine as the doctor sees it; tests pass a hand-written one."""

    @property
    def runner(self) -> Runner:
        """What starts the engines' and pip's commands."""
        ...

    def request(self, url: str, *, ca_bundle: str | None, proxy: str, verify: bool) -> int:
        """Return the status of the answer to a HEAD request; raise OSError or HTTPException when none comes."""
        ...

    def has_program(self, name: str) -> bool: ...

    def free_bytes(self, path: Path) -> int: ...

    def memory_bytes(self) -> int | None: ...

    def version_of(self, distribution: str) -> str | None: ...

    def in_image(self) -> bool: ...

    def own_pythons(self, host: HostFacts) -> tuple[str, ...]: ...


class MachineProbes:
    """This machine."""

    def __init__(self, runner: Runner) -> None:
        self.runner = runner

    def request(self, url: str, *, ca_bundle: str | None, proxy: str, verify: bool) -> int:
        return send_request(url, ca_bundle=ca_bundle, proxy=proxy, verify=verify)

    def has_program(self, name: str) -> bool:
        return shutil.which(name) is not None

    def free_bytes(self, path: Path) -> int:
        return free_bytes(path)

    def memory_bytes(self) -> int | None:
        try:
            return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        except (OSError, ValueError):
            return None

    def version_of(self, distribution: str) -> str | None:
        try:
            return metadata.version(distribution)
        except metadata.PackageNotFoundError:
            return None

    def in_image(self) -> bool:
        return is_our_image()

    def own_pythons(self, host: HostFacts) -> tuple[str, ...]:
        return tuple(found.tag for found in find_own_interpreters(host))


def read_machine(
    probes: Probes,
    host: HostFacts,
    *,
    image: str,
    cache_dir: Path,
    network_seconds: float = _NETWORK_SECONDS,
    engine_seconds: float = _ENGINE_SECONDS,
) -> Readings:
    """Take every reading, the slow ones side by side; what gives no answer in time is given up.

    image is the reference whose registry is asked.
    """
    network_end, engine_end = time.monotonic() + network_seconds, time.monotonic() + engine_seconds
    bundle = str(host.ca_bundle) if host.ca_bundle else None
    registry = image.partition("/")[0]
    engines = [
        Pending(partial(_read_engine, probes, name, engine_end), _lost_engine(name)) for name in CONTAINER_ENGINES
    ]
    reach = Pending(partial(reach_url, probes.request, f"https://{registry}/v2/", bundle), silent(registry))
    indexes: Pending[tuple[Reach, ...]] = Pending(
        partial(_read_indexes, probes, bundle, network_end), (silent("the package index"),)
    )
    return Readings(
        host=host,
        free=tuple((path, probes.free_bytes(path)) for path in (cache_dir, Path("/tmp"))),  # noqa: S108 - measured only
        memory=probes.memory_bytes(),
        interpreters=find_interpreters(host.home, host.environ),
        has_mmdebstrap=probes.has_program("mmdebstrap"),
        tools={name: probes.version_of(name) for name in _TOOLS},
        missing_bundles=tuple(
            name for name in CA_VARIABLES if host.environ.get(name) and not Path(host.environ[name]).is_file()
        ),
        in_image=probes.in_image(),
        own_pythons=probes.own_pythons(host),
        registry=reach.result_by(network_end),
        indexes=indexes.result_by(network_end),
        engines=tuple(pending.result_by(engine_end) for pending in engines),
    )


def default_index() -> str:
    """The index that is used when pip's settings name none: unearth's, which fetches sources, is pip's."""
    from unearth import PackageFinder

    return str(PackageFinder().sources[0]["url"])


def _read_engine(probes: Probes, name: EngineName, end: float) -> EngineReading:
    if not probes.has_program(name):
        return EngineReading(name, installed=False, trouble="not installed")
    runner = BoundedRunner(probes.runner, end)
    try:
        engine = probe_engine(runner, name)
        shown = (
            runner.capture(["docker", "buildx", "version"]) if name is EngineName.DOCKER and engine.can_build else None
        )
    except EnvironmentProblem as problem:
        return EngineReading(name, installed=True, trouble=problem.message)
    buildx = _BUILDX.search(shown.stdout) if shown else None
    return EngineReading(
        name,
        installed=True,
        version=engine.version,
        rootless=engine.rootless,
        can_build=engine.can_build,
        buildx=buildx["version"] if buildx else "",
    )


def _read_indexes(probes: Probes, ca_bundle: str | None, end: float) -> tuple[Reach, ...]:
    """Ask each index of pip's settings; local ones have to be there."""
    try:
        settings = read_pip_settings(BoundedRunner(probes.runner, end))
    except EnvironmentProblem as problem:
        return (Reach("pip's settings", trouble=problem.message),)
    if settings.no_index:
        return ()
    urls = (settings.index_url or default_index(), *settings.extra_index_urls)
    pending = [
        Pending(partial(reach_index, probes.request, url, settings, ca_bundle), silent(place_of(url))) for url in urls
    ]
    return tuple(reading.result_by(end - _MARGIN_SECONDS) for reading in pending)


def _lost_engine(name: EngineName) -> EngineReading:
    return EngineReading(name, installed=True, trouble="no answer")
