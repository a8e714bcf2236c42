"""Judging the readings of a machine: what is fine, what is missing, what to do, and whether a build can work."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from wheelkiln.system.engine import EngineName
from wheelkiln.system.probes import EngineReading, Readings
from wheelkiln.system.reach import Reach

__all__ = ["Check", "Diagnosis", "Needs", "Status", "diagnose"]

_GIB = 1 << 30
_LOW_DISK = 5 * _GIB
_MEMORY_PER_CORE = _GIB


class Status(StrEnum):
    """ok: nothing to do. warning: something that may be wanted does not work. problem: no build can work so."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the diagnosis; remedy is empty where there is nothing to do."""

    name: str
    status: Status
    detail: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Needs:
    """What the configuration asks of the machine: Python tags, architectures, image.base, C libraries.

    own_python is the tag of the CPython that a bootstrap base's distribution has itself, empty when unknown.
    """

    python: tuple[str, ...]
    arch: tuple[str, ...] = ()
    base: str = "pypa"
    libc: tuple[str, ...] = ("manylinux",)
    own_python: str = ""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """All checks in a fixed order, and why no build can work (empty: one can)."""

    checks: tuple[Check, ...]
    obstacles: tuple[str, ...]

    @property
    def usable(self) -> bool:
        return not self.obstacles


def diagnose(readings: Readings, needs: Needs) -> Diagnosis:
    """Judge every reading. What nothing here needs is ok even where it is absent; its remedy is still named."""
    checks = (
        *_check_engines(readings, needed=not _builds_in_place(readings, needs)),
        *_check_in_place(readings, needs),
        _check_registry(readings, needs),
        *_check_bootstrap(readings, needs),
        *_check_indexes(readings.indexes),
        _check_certificates(readings),
        *_check_disks(readings),
        _check_power(readings),
        _check_emulator(readings, needs),
        _check_tools(readings),
    )
    return Diagnosis(checks=checks, obstacles=tuple(_obstacles(readings, needs)))


def _obstacles(readings: Readings, needs: Needs) -> Iterator[str]:
    if _builds_in_place(readings, needs):
        yield from _incomplete(readings)
        return
    if not any(engine.usable for engine in readings.engines):
        yield "no container engine answers and can build images"
    if needs.base == "pypa" and not readings.registry.ok and not _can_bootstrap(readings, needs):
        yield f"the registry {readings.registry.place} is out of reach and the bootstrap base cannot be made"
    if needs.base == "bootstrap" and not _can_bootstrap(readings, needs):
        yield "the bootstrap base cannot be made"
    yield from _incomplete(readings)


def _incomplete(readings: Readings) -> Iterator[str]:
    if None in readings.tools.values():
        yield "the installation of wheelkiln is incomplete"


def _builds_in_place(readings: Readings, needs: Needs) -> bool:
    """Tell whether builds can do without an engine where none can be used: no image is needed then either."""
    able = readings.in_image or bool(set(readings.own_pythons) & set(needs.python))
    return able and not any(engine.usable for engine in readings.engines)


def _check_in_place(readings: Readings, needs: Needs) -> Iterator[Check]:
    if any(engine.usable for engine in readings.engines):
        return
    if readings.in_image:
        yield Check("in place", Status.OK, "this is wheelkiln's image: builds need no engine here")
        return
    tags = [tag for tag in needs.python if tag in readings.own_pythons]
    if tags:
        detail = f"builds with this machine's own tools need no engine: {', '.join(tags)}"
        yield Check("in place", Status.OK, detail, "wheelkiln build --engine none")
    else:
        detail = "no CPython with its headers that builds without an engine could use"
        yield Check("in place", Status.WARNING, detail, "Install python3-dev, or a CPython by 'uv python install'.")


def _can_bootstrap(readings: Readings, needs: Needs) -> bool:
    """A bootstrap base has glibc, and at least one Python that is asked for."""
    pythons = set(needs.python) & set(_native_interpreters(readings, needs))
    return readings.has_mmdebstrap and "manylinux" in needs.libc and bool(pythons)


def _native_interpreters(readings: Readings, needs: Needs) -> dict[str, str]:
    """What a base of this machine's architecture has, by tag; other interpreters are for builds that run emulated."""
    own = {needs.own_python: "of the distribution"} if needs.own_python else {}
    return own | {found.tag: found.version for found in readings.interpreters if found.arch == readings.host.machine}


def _wants_bootstrap(readings: Readings, needs: Needs) -> bool:
    return needs.base == "bootstrap" or (needs.base == "pypa" and not readings.registry.ok)


def _check_engines(readings: Readings, *, needed: bool) -> Iterator[Check]:
    usable = [engine.name.value for engine in readings.engines if engine.usable]
    for engine in readings.engines:
        name = engine.name.value
        if engine.answers:
            yield Check(name, Status.OK, f"{engine.version}, {'rootless' if engine.rootless else 'as root'}")
        elif not engine.installed and (usable or readings.in_image):
            yield Check(name, Status.OK, f"not installed; {usable[0] if usable else 'this image'} is there")
        else:
            status = Status.WARNING if usable or not needed else Status.PROBLEM
            yield Check(name, status, engine.trouble, _engine_remedy(engine))
        if engine.name is EngineName.DOCKER and engine.answers:
            yield _check_buildx(engine, usable)


def _check_buildx(docker: EngineReading, usable: list[str]) -> Check:
    if docker.can_build:
        return Check("buildx", Status.OK, docker.buildx or "installed")
    other = f", or build with --engine {usable[0]}" if usable else ""
    return Check(
        "buildx",
        Status.WARNING if usable else Status.PROBLEM,
        "docker has no buildx, which image builds need",
        f"Install the docker-buildx plugin{other}.",
    )


def _engine_remedy(engine: EngineReading) -> str:
    name = engine.name.value
    if not engine.installed:
        return "Install docker or podman; one of them is enough."
    if "permission denied" in engine.trouble.lower():
        return f"Let this user reach {name}'s socket: its group, or rootless mode."
    return f"Start it; '{name} info' shows the whole reason."


def _check_registry(readings: Readings, needs: Needs) -> Check:
    registry = readings.registry
    if registry.ok:
        return Check("registry", Status.OK, f"{registry.place} answers (HTTP {registry.status})")
    detail = f"{registry.place}: {registry.trouble}"
    if needs.base != "pypa":
        return Check("registry", Status.OK, f"{detail}; image.base does not need it")
    if _can_bootstrap(readings, needs):
        return Check("registry", Status.WARNING, detail, "Build with --base bootstrap, which needs no registry.")
    return Check(
        "registry",
        Status.PROBLEM,
        detail,
        "Check the network and the proxy, or make the bootstrap base possible: see the next lines.",
    )


def _check_bootstrap(readings: Readings, needs: Needs) -> Iterator[Check]:
    wanted = _wants_bootstrap(readings, needs)
    unneeded = "" if wanted else "; only the bootstrap base needs it"
    lacking = Status.PROBLEM if wanted else Status.OK
    if readings.has_mmdebstrap:
        yield Check("mmdebstrap", Status.OK, "installed")
    else:
        yield Check("mmdebstrap", lacking, f"not installed{unneeded}", "apt-get install mmdebstrap")
    found = _native_interpreters(readings, needs)
    missing = [tag for tag in needs.python if tag not in found]
    parts = [f"{tag} {found[tag]}" for tag in needs.python if tag in found]
    parts += [f"no {' '.join(missing)}{unneeded.replace('needs it', 'needs them')}"] if missing else []
    some = Status.WARNING if wanted else Status.OK
    status = Status.OK if not missing else lacking if len(missing) == len(needs.python) else some
    versions = " ".join(f"3.{tag.removeprefix('cp3')}" for tag in missing)
    yield Check("interpreters", status, ", ".join(parts), f"uv python install {versions}" if missing else "")


def _check_indexes(indexes: tuple[Reach, ...]) -> Iterator[Check]:
    if not indexes:
        yield Check("index", Status.OK, "pip is set to use none (no-index)")
    for index in indexes:
        if index.ok:
            answer = f"answers (HTTP {index.status})" if index.status else "is there"
            yield Check("index", Status.OK, f"{index.place} {answer}")
        else:
            remedy = "Check the network, the proxy and 'pip config list'."
            yield Check("index", Status.WARNING, f"{index.place}: {index.trouble}", remedy)


def _check_certificates(readings: Readings) -> Check:
    bundle = readings.host.ca_bundle
    if readings.missing_bundles:
        names = ", ".join(readings.missing_bundles)
        return Check("certificates", Status.WARNING, f"{names} name no file", f"Mend or unset {names}.")
    if bundle is None:
        return Check(
            "certificates", Status.WARNING, "no bundle found", "Install ca-certificates, or set SSL_CERT_FILE."
        )
    return Check("certificates", Status.OK, str(bundle))


def _check_disks(readings: Readings) -> Iterator[Check]:
    for path, free in readings.free:
        low = free < _LOW_DISK
        yield Check(
            "disk",
            Status.WARNING if low else Status.OK,
            f"{free / _GIB:.1f} GiB free at {path}",
            f"Images and caches want {_LOW_DISK // _GIB} GiB: free some, or move them (cache.dir, TMPDIR)."
            if low
            else "",
        )


def _check_power(readings: Readings) -> Check:
    cpus, memory = readings.host.cpus, readings.memory
    cores = f"{cpus} core{'s' if cpus != 1 else ''}"
    if memory is None:
        return Check("cpu", Status.OK, cores)
    detail = f"{cores}, {memory / _GIB:.1f} GiB of memory"
    if memory < cpus * _MEMORY_PER_CORE:
        return Check(
            "cpu",
            Status.WARNING,
            detail,
            "C++ compilers may run out of memory.",
        )
    return Check("cpu", Status.OK, detail)


def _check_emulator(readings: Readings, needs: Needs) -> Check:
    other = "x86_64" if readings.host.machine == "aarch64" else "aarch64"
    if other in readings.host.emulated:
        return Check("emulation", Status.OK, f"{other} runs under qemu")
    remedy = "apt-get install qemu-user-static binfmt-support"
    if other in needs.arch:
        return Check("emulation", Status.WARNING, f"none for {other}, which the configuration asks for", remedy)
    return Check("emulation", Status.OK, f"none for {other}; only builds for {other} need it", remedy)


def _check_tools(readings: Readings) -> Check:
    missing = [name for name, version in readings.tools.items() if version is None]
    if missing:
        return Check("tools", Status.PROBLEM, f"no {', '.join(missing)}", f"pip install {' '.join(missing)}")
    return Check("tools", Status.OK, ", ".join(f"{name} {version}" for name, version in readings.tools.items()))
