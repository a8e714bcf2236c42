"""What builds in place can use: one of our images, when this process runs inside of it, or the machine's own tools."""

from __future__ import annotations

import hashlib
import json
import platform
import re
import shutil
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from wheelkiln.errors import EnvironmentProblem
from wheelkiln.system.host import HostFacts
from wheelkiln.system.in_place import PROGRAM
from wheelkiln.system.interpreters import Interpreter, find_interpreters
from wheelkiln.system.process import Runner

__all__ = ["USUAL_PATH", "PlaceFacts", "find_own_interpreters", "is_our_image", "read_place_facts"]

_OURS = ("opt/wheelkiln/versions.txt", "opt/wheelkiln/bin/wheelkiln-environment", "opt/wheelkiln/bin/wheelkiln-repair")
_SCRIPTS = ("opt/wheelkiln/bin/wheelkiln-environment", "opt/wheelkiln/bin/wheelkiln-repair", "opt/wheelkiln/links")
_PACKAGE_LISTS = {
    "var/lib/dpkg/status": "deb",
    "var/lib/rpm/rpmdb.sqlite": "rpm",
    "var/lib/rpm/Packages": "rpm",
    "lib/apk/db/installed": "apk",
}
_TAG = re.compile(r"^cp3[0-9]+-(?P<tag>cp3[0-9]+t?)$")
_KEPT_VARIABLES = re.compile(
    r"^(AUDITWHEEL_\w+|C[CX]X?|DEVTOOLSET_ROOTPATH|LANG|LANGUAGE|LC_ALL|LDFLAGS|LD_LIBRARY_PATH|PKG_CONFIG_PATH)$"
)
"""What our images and their bases set. A job of a CI system has many more, and none of them may reach a wheel."""
_IMAGE_PATH = "/opt/wheelkiln/ccache:/opt/wheelkiln/toolchain:/tmp/wheelkiln/env/bin:/opt/wheelkiln/bin"
USUAL_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_SECONDS = 20.0
_OLDEST_CCACHE = (4, 7)
_OLDEST_MINOR = 10
"""Of CPython: build 1.6, which the frontends' packages are pinned to, does not run on older ones."""


@dataclass(frozen=True, slots=True)
class PlaceFacts:
    """A place before it is made ready.

    private tells whether each job gets a root of its own; why_not is the reason where it does not. family is the
    package format, empty when unknown. policy is the one that an image's base holds its wheels to, empty where symbols
    decide. versions are lines of names
    and versions. ccache is the machine's own program, None where there is none that is new enough.
    """

    is_image: bool
    arch: str
    libc: str
    digest: str
    interpreters: tuple[Interpreter, ...]
    private: bool = True
    why_not: str = ""
    family: str = ""
    policy: str = ""
    toolchain: str = ""
    versions: tuple[str, ...] = ()
    libc_version: str = ""
    ccache: Path | None = None
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def reference(self) -> str:
        """A name as images have one."""
        return f"wheelkiln/in-place_{self.arch}:{self.digest[:16]}"

    @property
    def compiler(self) -> str:
        return self.toolchain.partition(" ")[0]


def is_our_image(root: Path = Path("/")) -> bool:
    """Tell whether a root directory is that of one of our images."""
    return all((root / name).is_file() for name in _OURS)


def find_own_interpreters(host: HostFacts, root: Path = Path("/")) -> tuple[Interpreter, ...]:
    """Return the machine's CPythons that have their headers, the distribution's own among them."""
    found = find_interpreters(host.home, host.environ, others=[root / "usr"])
    return tuple(
        entry
        for entry in found
        if entry.arch == host.machine and int(entry.short_version.partition(".")[2]) >= _OLDEST_MINOR
    )


def read_place_facts(host: HostFacts, runner: Runner, root: Path = Path("/")) -> PlaceFacts:
    """Look at this machine, or at the image that this process runs in."""
    why_not = _why_not_private(runner)
    return _read_image(host, root, why_not) if is_our_image(root) else _read_machine(host, runner, root, why_not)


def _why_not_private(runner: Runner) -> str:
    """Return why a process of this user cannot have a root of its own here, empty where it can."""
    done = runner.capture([sys.executable, "-m", PROGRAM, "probe"], timeout=_SECONDS)
    return "" if done.ok else done.last_line.rpartition("] ")[2]


def _read_image(host: HostFacts, root: Path, why_not: str) -> PlaceFacts:
    home = root / "opt/wheelkiln"
    versions = tuple(home.joinpath("versions.txt").read_text(encoding="utf-8").splitlines())
    toolchain = home.joinpath("toolchain.txt").read_text(encoding="utf-8").strip()
    known = dict(line.split(" ", 1) for line in versions if " " in line)
    libc = known.get("libc", "")
    return PlaceFacts(
        is_image=True,
        arch=host.machine,
        libc="musllinux" if libc.startswith("musl") else "manylinux",
        digest=_digest([versions, toolchain, sorted(_contents(root, (*_SCRIPTS, *_PACKAGE_LISTS)))]),
        interpreters=tuple(_image_interpreters(root, known, host.machine)),
        private=not why_not,
        why_not=why_not,
        family=_read_family(root),
        policy=host.environ.get("AUDITWHEEL_POLICY", ""),
        toolchain=toolchain,
        versions=versions,
        libc_version=libc.removeprefix("musl "),
        environment=_image_environment(host.environ),
    )


def _image_interpreters(root: Path, versions: Mapping[str, str], arch: str) -> Iterator[Interpreter]:
    for prefix in sorted((root / "opt/python").glob("cp3*-cp3*")):
        match = _TAG.match(prefix.name)
        if match and prefix.name in versions and (prefix / "bin/python").exists():
            yield Interpreter(match["tag"], versions[prefix.name], prefix, arch)


def _image_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the image's own environment; PATH begins as the image has it, whatever was put before that."""
    _, found, rest = environ.get("PATH", "").rpartition("/opt/wheelkiln/bin:")
    kept = {name: value for name, value in environ.items() if _KEPT_VARIABLES.match(name)}
    return {"LANG": "C.UTF-8", **kept, "PATH": f"{_IMAGE_PATH}:{rest if found else USUAL_PATH}"}


def _read_machine(host: HostFacts, runner: Runner, root: Path, why_not: str) -> PlaceFacts:
    """Look at the machine. Without a root of their own, builds lie at other paths, so that is another place."""
    interpreters = find_own_interpreters(host, root)
    kind, version = platform.libc_ver()
    libc = "manylinux" if kind == "glibc" else "musllinux"
    ccache, ccache_version = _find_ccache(runner)
    compiler = _first_line(runner, "cc", "--version")
    linker = _first_line(runner, "ld", "--version")
    versions = (
        *([f"ccache {ccache_version}"] if ccache else []),
        *([f"compiler {compiler}"] if compiler else []),
        f"libc {version}",
        *([f"ld {linker}"] if linker else []),
        *(f"{found.tag}-{found.tag} {found.version}" for found in interpreters),
    )
    made_from: list[object] = [
        "private" if not why_not else "moved",
        host.distribution,
        host.release,
        versions,
        [str(found.prefix) for found in interpreters],
    ]
    return PlaceFacts(
        is_image=False,
        arch=host.machine,
        libc=libc,
        digest=_digest([made_from, str(ccache), sorted(_contents(root, tuple(_PACKAGE_LISTS)))]),
        interpreters=interpreters,
        private=not why_not,
        why_not=why_not,
        family=_read_family(root),
        toolchain=_name_toolchain(compiler),
        versions=versions,
        libc_version=version,
        ccache=ccache,
        environment={"LANG": "C.UTF-8", "PATH": f"{_IMAGE_PATH}:{USUAL_PATH}"},
    )


def _read_family(root: Path) -> str:
    return next((family for name, family in _PACKAGE_LISTS.items() if (root / name).is_file()), "")


def _find_ccache(runner: Runner) -> tuple[Path | None, str]:
    """Return the machine's ccache where it can do what the settings ask of it."""
    place = shutil.which("ccache", path=USUAL_PATH)
    version = _first_line(runner, "ccache", "--version").rpartition(" ")[2]
    numbers = tuple(int(part) for part in re.findall(r"[0-9]+", version)[:2])
    return (Path(place), version) if place and numbers >= _OLDEST_CCACHE else (None, version)


def _name_toolchain(compiler: str) -> str:
    """Return ``gcc 12.2.0`` or ``clang 16.0.6`` from the first line of a compiler's ``--version``."""
    numbers = re.findall(r"\b[0-9]+(?:\.[0-9]+)+\b", compiler)
    return f"{'clang' if 'clang' in compiler else 'gcc'} {numbers[-1]}" if numbers else ""


def _first_line(runner: Runner, *argv: str) -> str:
    try:
        done = runner.capture(list(argv), timeout=_SECONDS)
    except EnvironmentProblem:
        return ""
    return done.stdout.partition("\n")[0].strip() if done.ok else ""


def _contents(root: Path, names: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Yield the digests of files: which packages there are decides what headers and libraries a build finds."""
    for name in names:
        place = root / name
        for path in sorted(place.iterdir()) if place.is_dir() else [place]:
            if path.is_file():
                yield str(path.relative_to(root)), hashlib.sha256(path.read_bytes()).hexdigest()


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
