"""All that a run needs to know, as one value, and the key of a job."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from wheelkiln.build.cibuildwheel_config import Invocation, ReadOnlyMount, render_cibuildwheel_config
from wheelkiln.build.cores import Cores
from wheelkiln.build.hosts import BuildHost
from wheelkiln.build.surroundings import SURROUNDINGS
from wheelkiln.cache.lock import Lock, LockedEnvironment
from wheelkiln.cache.remote import Ask, ask_server
from wheelkiln.cache.settings import (
    ENVIRONMENT_DIR,
    REMOTE_MOUNT,
    REMOTE_VARIABLE,
    CacheMount,
    cache_environment,
    cache_mounts,
)
from wheelkiln.config.model import Config
from wheelkiln.config.remote import RemoteAddress
from wheelkiln.config.variants import VariantConfig
from wheelkiln.plan.model import Job, Plan
from wheelkiln.plan.project_settings import ProjectSettings
from wheelkiln.source.prepare import PreparedSource
from wheelkiln.system.engine import ContainerEngine, ContainerUser
from wheelkiln.system.host import PROXY_VARIABLES, HostFacts
from wheelkiln.system.in_place_facts import PlaceFacts
from wheelkiln.system.pip_settings import PipSettings

__all__ = [
    "PROJECT_SCRATCH",
    "BuildRequest",
    "Examination",
    "JobEnvironment",
    "JobInputs",
    "Rebuild",
    "container_network_environment",
    "container_user",
    "environment_of",
    "job_inputs",
    "job_key",
    "let_through",
    "make_invocation",
    "names_let_through",
    "network_environment",
    "remote_directory",
    "remote_environment",
]

_KEY_FORMAT = 3
_PROJECT = PurePosixPath("/project")
PROJECT_SCRATCH = "project"
"""Name of the directory in the job's mount that stands for the container's /project where it must."""
_CA_TARGET = PurePosixPath("/opt/wheelkiln/mnt/ca-bundle.pem")
_CA_NAMES = ("PIP_CERT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "GIT_SSL_CAINFO")
_LINK_NAMES = (
    "CCACHE_IGNOREOPTIONS",
    "CCACHE_PREFIX",
    "WHEELKILN_LINKS",
    "WHEELKILN_LINKS_LOG",
    "WHEELKILN_LINKS_MAXSIZE",
    "WHEELKILN_CYTHON",
    "WHEELKILN_CYTHON_LOG",
    "WHEELKILN_CYTHON_MAXSIZE",
)
_CACHE_NAMES = ("CCACHE_CONFIGPATH", "CCACHE_DIR", "CCACHE_MAXSIZE", "CCACHE_READONLY", "SCCACHE_CACHE_SIZE")
_WITHOUT_EFFECT = frozenset({*_CACHE_NAMES, *_LINK_NAMES, "SCCACHE_LOCAL_RW_MODE", "UV_CACHE_DIR", *_CA_NAMES})
_PASS_VARIABLES = ("CIBW_ENVIRONMENT_PASS", "CIBW_ENVIRONMENT_PASS_LINUX")


@dataclass(frozen=True, slots=True)
class JobEnvironment:
    """A job's build environment: what it holds, and where it lies or will lie."""

    locked: LockedEnvironment
    directory: Path


@dataclass(frozen=True, slots=True)
class Examination:
    """Directories of a build that is made to be looked at, instead of the user's.

    store is its compile cache, inputs is where ccache writes everything that it hashes, records has its calls.
    """

    store: Path
    inputs: Path
    records: Path


@dataclass(frozen=True, slots=True)
class Rebuild:
    """What a wheel that is built again is given: the recorded settings, and the members that the first one had."""

    configuration: Mapping[str, Any]
    environment: Mapping[str, str]
    members: Mapping[str, str]
    label: str = ""


@dataclass(frozen=True, slots=True)
class BuildRequest:
    """The inputs of one edition of a run: of one source as one variant.

    config is the variant's own. project is the directory that the run belongs to. variables are the user's CIBW_*
    ones that reach cibuildwheel; fresh ignores the ledger; without store the wheel store is neither read nor
    written; offline gives no container a network. environments are what is known of the jobs' build environments,
    by job id. read_pip asks pip, which takes longer than a run that builds nothing: only what needs its settings
    calls it. cold_cache is a directory for the compile cache of this run alone; what is built with it is not
    recorded. ask_remote asks a server whether it serves; remote is the remote compile cache of a job, None where
    there is none to use. cores are those of a job, place is where builds run when no container is started. fail_fast
    ends the run with the first failure; command is the command line that asked for it, without secrets. hosts are the
    configured machines that answered. image_digest is that of the image that a job is built in, where it is not the
    one that the run has provided. rebuild is what a record says, where a wheel is built again from one.
    """

    plan: Plan
    settings: ProjectSettings
    source: PreparedSource
    config: Config
    host: HostFacts
    engine: ContainerEngine
    read_pip: Callable[[], PipSettings]
    output_dir: Path
    cache_root: Path
    cibuildwheel_version: str
    project: Path
    variables: Mapping[str, str] = field(default_factory=dict)
    tests: bool = True
    fresh: bool = False
    examination: Examination | None = None
    offline: bool = False
    store: bool = True
    cold_cache: Path | None = None
    lock: Lock | None = None
    environments: Mapping[str, JobEnvironment] = field(default_factory=dict)
    ask_remote: Ask = ask_server
    remote: RemoteAddress | None = None
    variant: VariantConfig = field(default_factory=VariantConfig)
    cores: Cores = field(default_factory=Cores)
    place: PlaceFacts | None = None
    fail_fast: bool = False
    command: str = ""
    hosts: tuple[BuildHost, ...] = ()
    image_digest: str = ""
    rebuild: Rebuild | None = None

    @property
    def pip(self) -> PipSettings:
        return self.read_pip()

    def emulates(self, arch: str) -> bool:
        """Tell whether the request's engine runs an architecture under an emulator."""
        host = next((host for host in self.hosts if host.name == self.engine.host), None)
        return arch not in host.worker.native if host else arch != self.host.machine


@dataclass(frozen=True, slots=True)
class JobInputs:
    """Digests of what goes into a job's wheel: of the source, and of all else."""

    setting: str
    source: str


def make_invocation(request: BuildRequest, jobs: tuple[Job, ...], job_dir: Path, run_id: str) -> Invocation:
    """Put together one cibuildwheel run of jobs that share an image; job_dir is the host's side of the job's mount."""
    image = request.plan.image_of(jobs[0])
    user = container_user(request)
    mounts = cache_mounts(
        request.config,
        request.cache_root,
        job_dir,
        compile_root=request.cold_cache,
        remote=request.remote is not None,
        has_environment=jobs[0].id in request.environments,
    )
    if not user.is_builder:  # cibuildwheel's copy sets the directory's mode, which only its owner may do
        mounts = (*mounts, CacheMount(job_dir / PROJECT_SCRATCH, _PROJECT))
    return Invocation(
        jobs=jobs,
        image=image,
        reference=request.plan.references[jobs[0].image],
        engine=request.engine.name,
        user_args=user.create_args,
        label=request.engine.run_label(run_id),
        mounts=mounts,
        read_only=(
            *_read_only_mounts(request),
            *_environment_mount(request, jobs),
            *_remote_mount(request, job_dir),
            *request.cores.mounts,
        ),
        environment={**request.cores.environment(), **environment_of(request, jobs[0])},
        passed=(*container_network_environment(request), *remote_environment(request)),
        network="none" if request.offline else request.config.container.network,
        has_environment=jobs[0].id in request.environments,
        variant=request.variant,
    )


def _environment_mount(request: BuildRequest, jobs: tuple[Job, ...]) -> tuple[ReadOnlyMount, ...]:
    found = request.environments.get(jobs[0].id)
    return (ReadOnlyMount(PurePosixPath(found.directory), ENVIRONMENT_DIR),) if found else ()


def container_user(request: BuildRequest) -> ContainerUser:
    """Return the user that the builds of this request run as."""
    if request.config.container.user == "root":
        return ContainerUser(("--user=0:0",), None)
    return request.engine.user_for(request.host)


def environment_of(request: BuildRequest, job: Job) -> dict[str, str]:
    """Return what a job's container is given by values."""
    environment = {**SURROUNDINGS, **cache_environment(request.config, job, remote=request.remote is not None)}
    if request.host.ca_bundle:
        environment |= dict.fromkeys(_CA_NAMES, str(_CA_TARGET))
    if request.config.container.network == "none" or request.offline:
        environment["UV_OFFLINE"] = "1"
    return environment if request.rebuild is None else {**environment, **request.rebuild.environment}


def _read_only_mounts(request: BuildRequest) -> tuple[ReadOnlyMount, ...]:
    """The certificates, and pip's local package directories at the places where its settings name them.

    Elsewhere those are not to be had: they may be large, and what an environment needs of them is carried there.
    """
    bundle = request.host.ca_bundle
    mounts = [ReadOnlyMount(PurePosixPath(bundle), _CA_TARGET)] if bundle else []
    if not request.engine.elsewhere:
        mounts += [ReadOnlyMount(PurePosixPath(path), PurePosixPath(path)) for path in request.pip.local_directories()]
    return tuple(mounts)


def _remote_mount(request: BuildRequest, job_dir: Path) -> tuple[ReadOnlyMount, ...]:
    """A directory beside the job's mount, out of reach of what is built."""
    if request.remote is None:
        return ()
    return (ReadOnlyMount(PurePosixPath(remote_directory(job_dir)), REMOTE_MOUNT),)


def remote_directory(mount_dir: Path) -> Path:
    """Return the directory of the host with the file that points ccache to the remote cache."""
    return mount_dir.parent / "remote"


def remote_environment(request: BuildRequest) -> dict[str, str]:
    """Return the remote cache's address for the container, secrets included."""
    if request.remote is None:
        return {}
    return {REMOTE_VARIABLE: request.remote.storage(read_only=request.config.cache.read_only)}


def container_network_environment(request: BuildRequest) -> dict[str, str]:
    """Return what network_environment does for the machine of a request; elsewhere its own places are not to be had."""
    if request.engine.elsewhere:
        return _network_environment(request.pip.without_local(), request.host.environ)
    return network_environment(request.pip, request.host.environ)


def network_environment(pip: PipSettings, environ: Mapping[str, str]) -> dict[str, str]:
    """Return pip's indexes and the proxies for a container on this machine."""
    return _network_environment(pip.without_missing(), environ)


def _network_environment(usable: PipSettings, environ: Mapping[str, str]) -> dict[str, str]:
    """Return pip's indexes and the proxies for the container, for pip and for uv. Values may hold secrets.

    uv takes a package from the first index that has it, which is what the project's own indexes are for. With several
    of pip's alone, pip's way of asking all is chosen (uv: index strategies), because that is how this machine's user
    has configured them.
    """
    extra = " ".join((*usable.first_index_urls, *usable.extra_index_urls))
    values = {
        "PIP_INDEX_URL": usable.index_url,
        "UV_DEFAULT_INDEX": usable.index_url,
        "PIP_EXTRA_INDEX_URL": extra,
        "UV_INDEX": extra,
        "UV_INDEX_STRATEGY": "unsafe-best-match" if extra and not usable.first_index_urls else "",
        "PIP_FIND_LINKS": " ".join(usable.find_links),
        "UV_FIND_LINKS": ",".join(usable.find_links),
        "PIP_TRUSTED_HOST": " ".join(usable.trusted_hosts),
        "UV_INSECURE_HOST": " ".join(usable.trusted_hosts),
        "PIP_NO_INDEX": "1" if usable.no_index else "",
        "UV_NO_INDEX": "1" if usable.no_index else "",
        "PIP_PROXY": usable.proxy,
    }
    proxies = {name: environ.get(name, "") for name in PROXY_VARIABLES}
    return {name: value for name, value in (values | proxies).items() if value}


def job_key(request: BuildRequest, job: Job, image_digest: str = "") -> str:
    """Return the digest of all that goes into a job's wheel: an equal key means an equal wheel.

    image_digest is the engine's, of the image that is there: its reference names a recipe, and a recipe that is built
    again may get newer packages.
    """
    return _digest(_setting(request, job, image_digest) | _source(request))


def job_inputs(request: BuildRequest, job: Job, image_digest: str = "") -> JobInputs:
    """Return what the key is made of, in two parts."""
    return JobInputs(_digest(_setting(request, job, image_digest)), _digest(_source(request)))


def _source(request: BuildRequest) -> dict[str, object]:
    return {"source": request.source.digest, "epoch": request.source.epoch}


def _setting(request: BuildRequest, job: Job, image_digest: str) -> dict[str, object]:
    """All that goes into a job's wheel but the source.

    What differs between runs without reaching the wheel (mounts' places, labels, users, indexes, certificates, the
    cache's size, whether it is written to) is left out.
    """
    environment = request.environments.get(job.id)
    neutral = Invocation(
        jobs=(job,),
        image=request.plan.image_of(job),
        reference=request.plan.references[job.image],
        engine=request.engine.name,
        user_args=(),
        label="",
        mounts=(),
        read_only=(),
        environment={
            name: value for name, value in environment_of(request, job).items() if name not in _WITHOUT_EFFECT
        },
        passed=(),
        network=request.config.container.network,
        has_environment=environment is not None,
        variant=request.variant,
    )
    config = render_cibuildwheel_config(
        neutral, request.config, request.source.facts, request.settings, tests=request.tests
    )
    return {
        "format": _KEY_FORMAT,
        "record": request.config.record,
        "sbom": request.config.sbom,
        "job": job.name,
        "image": image_digest,
        "config": config,
        "environment": environment.locked.digest if environment else None,
        "variables": dict(request.variables),
        "passed": let_through(request),
        "cibuildwheel": request.cibuildwheel_version,
        **({"label": [job.label, request.variant.properties, request.variant.isa]} if job.label else {}),
    }


def _digest(parts: Mapping[str, object]) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


def let_through(request: BuildRequest) -> dict[str, str | None]:
    """The host's variables that the project or the user lets into the container (cibuildwheel: environment-pass)."""
    names = names_let_through(request.settings.table, request.variables)
    return {name: request.host.environ.get(name) for name in sorted(names)}


def names_let_through(table: Mapping[str, Any], variables: Mapping[str, str]) -> set[str]:
    """Return the names of these variables, from cibuildwheel's table and its own variables."""
    values = [part.get("environment-pass", "") for part in (table, table.get("linux", {}), *table.get("overrides", []))]
    values += [variables.get(name, "") for name in _PASS_VARIABLES]
    return {str(name) for value in values for name in (value if isinstance(value, list) else str(value).split())}
