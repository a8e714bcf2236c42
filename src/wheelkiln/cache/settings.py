"""The caches of a job: where they are mounted, and the environment that makes them hit."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from wheelkiln.config.model import Config
from wheelkiln.errors import EnvironmentProblem
from wheelkiln.plan.model import Job
from wheelkiln.system.files import make_directory
from wheelkiln.system.host import HostFacts

__all__ = [
    "BUILD_DIR",
    "CALLS_LOG",
    "CYTHON_LOG",
    "ENVIRONMENT_DIR",
    "JOB_MOUNT",
    "LINKS_LOG",
    "REMOTE_CONFIG",
    "REMOTE_FILE",
    "REMOTE_MOUNT",
    "REMOTE_VARIABLE",
    "STATISTICS_LOG",
    "UV_MOUNT",
    "CacheMount",
    "cache_environment",
    "cache_mounts",
    "cache_root",
    "call_log_environment",
    "compile_cache",
    "ignored_options",
    "input_log_environment",
    "make_cache_directories",
    "parse_size",
]

_MOUNT = PurePosixPath("/opt/wheelkiln/mnt")
CCACHE_MOUNT = _MOUNT / "ccache"
UV_MOUNT = _MOUNT / "uv"
SCCACHE_MOUNT = _MOUNT / "sccache"
LINKS_MOUNT = _MOUNT / "links"
CYTHON_MOUNT = _MOUNT / "cython"
JOB_MOUNT = _MOUNT / "job"
"""A directory of the job alone: what is given to it and what it tells."""
INPUTS_MOUNT = _MOUNT / "inputs"
"""What ccache hashed, in an examined build."""
REMOTE_MOUNT = _MOUNT / "remote"
REMOTE_FILE = "ccache.conf"
"""ccache's configuration file in the remote's mount. Only that file points it to the remote cache, so that the host
can take the remote away from a running build by removing the file."""
REMOTE_VARIABLE = "WHEELKILN_REMOTE_STORAGE"
REMOTE_CONFIG = f"remote_storage = ${REMOTE_VARIABLE}\n"
"""ccache puts the variable's value there (manual: configuration value syntax): no secret is in a file."""
STATISTICS_LOG = "ccache.log"
"""Name of the statistics log in the job's mount."""
CALLS_LOG = "ccache-calls.log"
"""Name of ccache's own log there: what it compared and why it missed. It is read when the job ends, and removed."""
LINKS_LOG = "links.log"
"""Name of the log of LTO links in the job's mount."""
CYTHON_LOG = "cython.log"
"""Name of the log of the cython command's calls there."""

_SCRATCH = "/tmp/wheelkiln"  # noqa: S108 - inside a container of one job
ENVIRONMENT_DIR = PurePosixPath("/tmp/wheelkiln/env")  # noqa: S108 - inside a container of one job
"""The build environment's fixed path: a random one is in every ``-I`` and so in every cache key."""
BUILD_DIR = PurePosixPath("/tmp/wheelkiln/build")  # noqa: S108 - inside a container of one job
"""The build directory of backends that would choose a random one. It has no Python tag in its name, so that
objects which do not depend on the Python are found again by the next one; each job's container starts without it."""
_LINK_PROGRAM = PurePosixPath("/opt/wheelkiln/links/link.sh")
_FLAGS_PROGRAM = PurePosixPath("/opt/wheelkiln/links/flags.sh")
_WARNING_FLAGS = ("-Wno-unused-result", "-Wsign-compare", "-Wstrict-prototypes", "-Wunreachable-code")
"""What builds of CPython, some and others not, put into CFLAGS (cpython: configure.ac). None makes code, and gcc's
debug information does not record them."""
_CODE_FLAGS = ("-fno-strict-overflow", "-fwrapv")
"""The same for code: -fwrapv before 3.12, and since then -fno-strict-overflow, which includes it."""


@dataclass(frozen=True, slots=True)
class CacheMount:
    """A directory of the host that the container may write to, or only read."""

    source: Path
    target: PurePosixPath
    read_only: bool = False


def cache_root(config: Config, host: HostFacts) -> Path:
    """Return the directory of all caches: the configured one, else the user's.

    In a directory of somebody else each user gets one of their own: what one user writes no other can, and who could
    write another's compile cache could put code into their wheels.
    """
    root = _configured_root(config, host)
    try:
        is_own = root.stat().st_uid == host.uid
    except OSError:
        is_own = True  # it will be, or it cannot be used
    return root if is_own else root / f"user-{host.uid}"


def _configured_root(config: Config, host: HostFacts) -> Path:
    if config.cache.dir == "auto":
        return host.cache_dir
    first, *rest = Path(config.cache.dir).parts or (".",)
    return host.home.joinpath(*rest) if first == "~" else host.cwd.joinpath(first, *rest)


def parse_size(text: str) -> int:
    """Return the bytes of a limit in ccache's notation (manual: max_size): ``5G`` is decimal, ``5Gi`` is not."""
    number, suffix = text.rstrip("kKMGTi"), text.lstrip("0123456789.")
    base = 1024 if suffix.endswith("i") else 1000
    return int(float(number) * base ** " KMGT".index(suffix[0].upper()))


def compile_cache(config: Config, root: Path) -> Path:
    """Return the host's directory of the compile cache; what the container's root writes belongs to the host's root."""
    return root / ("ccache-root" if config.container.user == "root" else "ccache")


def cache_mounts(
    config: Config,
    root: Path,
    job_dir: Path,
    *,
    compile_root: Path | None = None,
    remote: bool = False,
    has_environment: bool = False,
) -> tuple[CacheMount, ...]:
    """Return the mounts of a job; one compile cache serves all projects, kept apart by their namespaces.

    compile_root is the directory of the caches of what compilers, linkers and Cython make, where that is not the one
    of all caches.
    What the container's root writes belongs to the host's root, so it gets directories of its own. A read-only job
    cannot write to a cache. uv wants to write to its own and gets none; and ccache 4.7 dies when it cannot keep what
    the remote cache gave it, so with a remote the local compile cache is left out. A job that has its environment gets
    a package cache for tests alone: uv trusts its cache, so what is built must not write to the one that environments
    are made from.
    """
    suffix = "-root" if config.container.user == "root" else ""
    sealed, compiled = config.cache.read_only, compile_root or root
    mounts = (
        CacheMount(compile_cache(config, compiled), CCACHE_MOUNT, sealed) if not (sealed and remote) else None,
        CacheMount(root / f"{'uv-tests' if has_environment else 'uv'}{suffix}", UV_MOUNT) if not sealed else None,
        CacheMount(compiled / f"sccache{suffix}", SCCACHE_MOUNT, sealed) if config.image.sccache else None,
        CacheMount(compiled / f"links{suffix}", LINKS_MOUNT, sealed) if config.cache.links == "lto" else None,
        CacheMount(compiled / f"cython{suffix}", CYTHON_MOUNT, sealed) if config.cache.cython else None,
        CacheMount(job_dir, JOB_MOUNT),
    )
    return tuple(mount for mount in mounts if mount is not None)


def make_cache_directories(mounts: tuple[CacheMount, ...], owner: tuple[int, int] | None) -> None:
    """Create the mounts' directories, owned by who will write there; raise EnvironmentProblem where impossible."""
    for mount in mounts:
        make_directory(mount.source, setting="[tool.wheelkiln.cache] dir")
        if mount.read_only:
            continue
        if owner is not None:
            _give(mount.source, owner)
        elif not os.access(mount.source, os.W_OK):
            raise EnvironmentProblem(
                f"the cache directory {mount.source} belongs to another user",
                hint="Mend its owner, or choose another place with [tool.wheelkiln.cache] dir.",
            )


def _give(directory: Path, owner: tuple[int, int]) -> None:
    """Give a directory to its writer; with all that is in it, where a restored cache came back as root's."""
    if all(path.lstat().st_uid == owner[0] for path in (directory, *directory.iterdir())):
        return
    os.chown(directory, *owner)
    for place, directories, files in os.walk(directory):
        for name in (*directories, *files):
            os.chown(Path(place) / name, *owner, follow_symlinks=False)


def cache_environment(config: Config, job: Job, *, remote: bool = False) -> dict[str, str]:
    """Return the container's environment for exact and safe hits (ccache manual: configuration options).

    The compiler is identified by what it says of itself, because manylinux_2_34 and later call it through a
    wrapper. Statistics go to a file of the job, exact even while jobs share the cache.
    """
    rust = {"RUSTC_WRAPPER": "sccache", "SCCACHE_DIR": str(SCCACHE_MOUNT), "SCCACHE_CACHE_SIZE": config.cache.max_size}
    return {
        **(rust if config.image.sccache else {}),
        **_prefix_environment(config),
        **_cython_environment(config),
        **_sharing_environment(config),
        "CCACHE_DIR": str(CCACHE_MOUNT),
        "CCACHE_MAXSIZE": config.cache.max_size,
        "CCACHE_COMPILERCHECK": "%compiler% -v",
        "CCACHE_NAMESPACE": job.namespace,
        "CCACHE_STATSLOG": str(JOB_MOUNT / STATISTICS_LOG),
        "CCACHE_TEMPDIR": f"{_SCRATCH}-ccache",
        "UV_CACHE_DIR": str(UV_MOUNT),
        "UV_LINK_MODE": "copy",
        "UV_PYTHON_DOWNLOADS": "never",
        "HOME": "/home/builder",
        **_sealed_environment(config, remote=remote),
        **({"CCACHE_CONFIGPATH": str(REMOTE_MOUNT / REMOTE_FILE)} if remote else {}),
    }


def call_log_environment() -> dict[str, str]:
    """Let ccache write down what it does; only builds that read the log afterwards do: it grows by each call."""
    return {"CCACHE_LOGFILE": str(JOB_MOUNT / CALLS_LOG)}


def input_log_environment() -> dict[str, str]:
    """Let ccache write everything that it hashes (ccache manual: cache debugging), which needs a lot of space."""
    return {"CCACHE_DEBUG": "1", "CCACHE_DEBUGLEVEL": "2", "CCACHE_DEBUGDIR": str(INPUTS_MOUNT)}


def _prefix_environment(config: Config) -> dict[str, str]:
    """Let ccache run what it does not answer, links among them, through our programs (ccache: prefix_command)."""
    links, flags = config.cache.links == "lto", config.cache.share_between_pythons == "flags"
    programs = [*([_FLAGS_PROGRAM] if flags else []), *([_LINK_PROGRAM] if links else [])]
    environment = {"CCACHE_PREFIX": " ".join(map(str, programs))} if programs else {}
    if links:
        environment |= {
            "WHEELKILN_LINKS": str(LINKS_MOUNT),
            "WHEELKILN_LINKS_LOG": str(JOB_MOUNT / LINKS_LOG),
            "WHEELKILN_LINKS_MAXSIZE": config.cache.max_size,
        }
    return environment


def _cython_environment(config: Config) -> dict[str, str]:
    """Let the hook of build environments with Cython keep what its command makes."""
    if not config.cache.cython:
        return {}
    return {
        "WHEELKILN_CYTHON": str(CYTHON_MOUNT),
        "WHEELKILN_CYTHON_LOG": str(JOB_MOUNT / CYTHON_LOG),
        "WHEELKILN_CYTHON_MAXSIZE": config.cache.max_size,
    }


def ignored_options(config: Config) -> tuple[str, ...]:
    """Return the options of compilers that do not keep compilations apart."""
    match config.cache.share_between_pythons:
        case "warnings":
            return _WARNING_FLAGS
        case "flags":
            return (*_WARNING_FLAGS, *_CODE_FLAGS)
        case _:
            return ()


def _sharing_environment(config: Config) -> dict[str, str]:
    """Leave out of ccache's keys what interpreters' builds differ in (ccache: ignore_options).

    The flags of code may only be left out together with the program that compiles without regard to them, so the
    program is part of the keys.
    """
    options = ignored_options(config)
    program = {"CCACHE_EXTRAFILES": str(_FLAGS_PROGRAM)} if config.cache.share_between_pythons == "flags" else {}
    return ({"CCACHE_IGNOREOPTIONS": " ".join(options)} if options else {}) | program


def _sealed_environment(config: Config, *, remote: bool) -> dict[str, str]:
    """What a read-only job changes: see cache_mounts for the caches that are then the container's own."""
    if not config.cache.read_only:
        return {}
    rust = {"SCCACHE_LOCAL_RW_MODE": "READ_ONLY"} if config.image.sccache else {}
    own = {"CCACHE_DIR": f"{_SCRATCH}-remote"} if remote else {}
    return {**rust, **own, "CCACHE_READONLY": "1", "UV_CACHE_DIR": f"{_SCRATCH}-uv"}
