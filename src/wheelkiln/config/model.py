"""The configuration's model: one source for validation, the JSON schema and the reference."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, field_serializer, field_validator

from wheelkiln.config.fields import (
    RELATIVE_PATH,
    Architecture,
    BuildKitOption,
    Endpoint,
    IndexUrl,
    MuslPolicy,
    OptionalEndpoint,
    PackageName,
    Packages,
    Policy,
    PythonTag,
    Section,
    Size,
    SonamePattern,
    Url,
    VariantName,
)
from wheelkiln.config.remote import parse_remote
from wheelkiln.config.variants import VariantConfig
from wheelkiln.config.verify import VerifyConfig

__all__ = [
    "BuilderConfig",
    "CacheConfig",
    "Config",
    "ContainerConfig",
    "Frontend",
    "HostConfig",
    "ImageConfig",
    "RepairConfig",
]


class Frontend(StrEnum):
    BUILD = "build"
    PIP = "pip"


class BuilderConfig(Section):
    """The buildx builder that images are built with (docker only)."""

    name: str = ""
    """Name of a builder. One that exists is used as it is, one that does not is created with the settings below.
    By default docker's current builder; with settings below or other machines in `hosts`, one of wheelkiln's own."""
    driver: Literal["docker-container", "remote", "kubernetes"] = "docker-container"
    """Driver of a builder that is created."""
    endpoint: OptionalEndpoint = ""
    """Address of a `remote` driver's BuildKit (`tcp://buildkit.example:1234`), or the docker context of others."""
    options: dict[str, str] = {}
    """Driver options (`docker buildx create --driver-opt`), such as `image` or `namespace`."""

    @field_validator("name")
    @classmethod
    def _check_name(cls, value: str) -> str:
        if value and not re.fullmatch(r"[A-Za-z][A-Za-z0-9._-]*", value):
            raise ValueError("expected the name of a builder")
        return value


class ImageConfig(Section):
    """The image that builds run in."""

    base: str = "pypa"
    """`pypa`: the official image of the policy, at the digest that the installed cibuildwheel pins.
    `bootstrap`: made on this machine from distribution packages and the interpreters found here, without any
    image registry. Otherwise an image reference of your own, in which `{arch}` stands for the architecture."""
    packages: Packages = Packages()
    """Distribution packages to install on the base."""
    toolchain: Literal["gcc", "clang"] = "gcc"
    """Compiler: the newest that the base offers. On the RHEL family gcc comes from gcc-toolset."""
    linker: Literal["default", "mold", "lld"] = "default"
    """Linker that `LDFLAGS` of the image chooses."""
    requires: tuple[str, ...] = ()
    """CPU features that the compiler must accept (`avx512bf16`, `amx-bf16`, `sve2`). Each image is asked when it is
    made, and nothing is built in one that lacks a feature of its architecture; `wheelkiln plan` says so where the
    image is known. `wheelkiln image inspect` lists what an image's compiler accepts."""
    ccache: Literal["auto", "static", "distribution"] = "auto"
    """Where ccache comes from: `static` is the pinned release, checked against its SHA-256; `distribution` the
    base's package; `auto` the pinned release where it can be reached, else the package."""
    sccache: bool = False
    """Also install sccache and let Rust compile through it (maturin, setuptools-rust)."""
    download_mirror: Url = ""
    """Address that stands for `https://github.com` in the addresses of pinned downloads."""
    release: str = "auto"
    """Release of the bootstrap base (`bookworm`, `trixie`, `noble`); `auto` is this machine's own, so that the
    interpreters copied from here find the libraries that they were linked with."""
    mirror: Url = ""
    """Package mirror of the bootstrap base; by default the distribution's."""
    base_packages: tuple[PackageName, ...] = ()
    """Packages of the bootstrap base itself, besides those that it needs."""
    repository: str = ""
    """Where `image push` goes, and where an image is looked for before it is built: `ghcr.io/acme/wheelkiln`."""
    cache_from: tuple[BuildKitOption, ...] = ()
    """Build caches to read, as BuildKit writes them: `type=registry,ref=...`, `type=gha`, `type=local,src=...`."""
    cache_to: tuple[BuildKitOption, ...] = ()
    """Build caches to write: `type=registry,ref=...,mode=max`, `type=gha,mode=max`, `type=inline`."""
    attestations: Literal["auto", "none"] | tuple[Literal["provenance", "sbom"], ...] = "auto"
    """Attestations of pushed images: `auto` makes those that the builder can."""
    labels: dict[str, str] = {}
    """Further labels of the image, or other values of those that it has."""
    builder: BuilderConfig = BuilderConfig()

    @field_validator("base")
    @classmethod
    def _check_base(cls, value: str) -> str:
        if not re.fullmatch(r"[A-Za-z0-9]([\w./:@-]|\{arch\})*", value):
            raise ValueError("expected 'pypa', 'bootstrap' or an image reference")
        return value

    @field_validator("release")
    @classmethod
    def _check_release(cls, value: str) -> str:
        if not re.fullmatch(r"[a-z][a-z0-9-]*", value):
            raise ValueError("expected a release's code name such as 'bookworm', or 'auto'")
        return value

    @field_validator("repository")
    @classmethod
    def _check_repository(cls, value: str) -> str:
        if value and not re.fullmatch(r"[a-z0-9][a-z0-9.-]*(:[0-9]+)?(/[a-z0-9][a-z0-9._-]*)*", value):
            raise ValueError("expected a repository without a tag, such as 'ghcr.io/acme/wheelkiln'")
        return value

    @field_validator("attestations", mode="before")
    @classmethod
    def _check_attestations(cls, value: object) -> object:
        """Say once what is wrong, not once for each form that it could have."""
        entries = value if isinstance(value, list | tuple) else ()
        if value in ("auto", "none") or (value == entries and all(name in ("provenance", "sbom") for name in entries)):
            return value
        raise ValueError("expected 'auto', 'none', or a list of 'provenance' and 'sbom'")

    @field_validator("labels")
    @classmethod
    def _check_labels(cls, value: dict[str, str]) -> dict[str, str]:
        for name, text in value.items():
            if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._/-]*", name) or name.startswith("io.wheelkiln."):
                raise ValueError(f"'{name}' is not a label's name, or is one of wheelkiln's own")
            if not text.isprintable():
                raise ValueError(f"the value of '{name}' is not a line of text")
        return value


class CacheConfig(Section):
    """The caches that outlive a build."""

    dir: str = "auto"
    """Directory of all caches; `auto` is the user's cache directory."""
    max_size: Size = "10G"
    """Size limit of the compile cache, in ccache's notation (`500M`, `10G`, `5Gi`)."""
    wheels_max_size: Size = "5G"
    """Size limit of the wheel store, in the same notation. What was used longest ago goes when a run ends."""
    links: Literal["lto", "off"] = "lto"
    """Links that are kept, besides compilations: `lto` keeps those with link-time optimisation, in which the linker
    makes the machine code. A link whose inputs and options are all the same then takes no time."""
    cython: bool = True
    """Whether calls of the `cython` command are kept: an equal call writes the same C file again without Cython."""
    share_between_pythons: Literal["off", "warnings", "flags"] = "warnings"
    """What one Python's compilations do for another's, where the flags come from the interpreter (setuptools).
    `warnings`: flags of interpreters' builds that only choose warnings do not keep compilations apart; those that are
    printed may be another Python's. `flags`: code is also generated alike, with `-fno-strict-overflow` before the
    project's own flags, where CPython before 3.12 asks for `-fwrapv`; this changes machine code. `off`: neither."""
    mode: Literal["read-write", "read-only"] = "read-write"
    """`read-only` takes from the caches and adds nothing to them: for builds of sources that are not trusted, such as
    pull requests. Set it by variable or option there, because what is built may change this file."""
    remote: str = Field(default="", repr=False)
    """A compile cache that a team shares: `redis://cache.example:6379` or `http://cache.example/ccache`, with ccache's
    attributes behind it (`|layout=bazel`). A password is refused here: give the address by WHEELKILN_CACHE_REMOTE, or
    name a `remote-credentials-file`. An empty value turns it off."""
    remote_credentials_file: str = ""
    """A file with what the remote cache asks for: `USER:PASSWORD`, a redis `PASSWORD`, or `Bearer TOKEN`."""
    min_hit_rate: float = Field(default=0.0, ge=0, le=1)
    """Share of the compile calls, between 0 and 1, that a cache which was restored must serve; with less the build
    fails after all wheels have landed (exit code 9). 0 asks for nothing."""
    gate_on: Literal["unchanged", "changed-source", "always"] = "unchanged"
    """When `min-hit-rate` is asked for. `unchanged`: when the last build here had the same inputs. `changed-source`:
    also when only the source differs. `always`: whenever something is compiled, for machines that start empty and have
    a remote cache."""

    @property
    def read_only(self) -> bool:
        """Whether nothing may be added to any cache."""
        return self.mode == "read-only"

    @field_validator("remote")
    @classmethod
    def _check_remote(cls, value: str) -> str:
        """Only ask whether it can be read: where it came from decides whether it may hold a password.

        Variables that are filled from a store of secrets often end with a line break.
        """
        text = value.strip()
        if text:
            parse_remote(text)
        return text

    @field_serializer("remote")
    def _mask_remote(self, value: str) -> str:
        return parse_remote(value).public if value else ""


class ContainerConfig(Section):
    """The container that builds run in."""

    user: Literal["builder", "root"] = "builder"
    """`builder` is unprivileged. `root` gives the container's root with the engine's default capabilities, for
    projects whose own before-all installs packages; prefer `image.packages`."""
    network: Literal["default", "none", "host"] = "default"
    """The container's network. `none` works for projects whose build needs nothing from the package index."""
    keep_failed: Literal["off"] | Size = "5G"
    """The container of a job that failed is kept for `wheelkiln shell` when the job had written no more than this. Each
    job keeps its last failure, until it is built or `wheelkiln cache prune` removes it. `off` keeps none."""


class RepairConfig(Section):
    """auditwheel repair."""

    exclude: tuple[SonamePattern, ...] = ()
    """Sonames, with wildcards, that are left out because another package provides them (`libcuda.so.*`)."""
    library_dirs: tuple[str, ...] = ()
    """Directories searched for the libraries to graft: absolute in the image, or relative to the wheel's root."""
    args: tuple[str, ...] = ()
    """Further arguments of `auditwheel repair`."""

    @field_validator("library_dirs")
    @classmethod
    def _check_dirs(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for entry in value:
            if not entry.startswith("/") and not RELATIVE_PATH.match(entry):
                raise ValueError(f"'{entry}' leaves the wheel")
        return value


class HostConfig(Section):
    """Another machine with a docker engine, where images and wheels are built."""

    docker: Endpoint
    """Its docker context, or address: `ssh://ci@graviton`, `tcp://10.0.0.7:2376`, `unix:///run/other.sock`."""
    arch: tuple[Architecture, ...] = Field(min_length=1)
    """Architectures that are built there. One that is not the machine's own is emulated there."""
    slots: Literal["auto"] | Annotated[int, Field(ge=1)] = "auto"
    """How many jobs run there side by side. `auto` decides as `jobs` does for this machine, by that machine's cores."""
    certificates: str = ""
    """Directory with `ca.pem`, `cert.pem` and `key.pem` for a `tcp://` address. A docker context has its own."""


class Config(Section):
    """Settings of wheelkiln: the table [tool.wheelkiln] of pyproject.toml, or the whole of wheelkiln.toml."""

    python: tuple[PythonTag, ...] = Field(default=("cp310", "cp311", "cp312", "cp313"), min_length=1)
    """CPython versions to build for, as tags."""
    arch: tuple[Architecture, ...] = ()
    """Architectures to build for; by default this machine's."""
    libc: tuple[Literal["manylinux", "musllinux"], ...] = Field(default=("manylinux",), min_length=1)
    """C libraries to build for: `manylinux` is glibc, `musllinux` is Alpine's musl."""
    policy: Policy = "manylinux_2_28"
    """manylinux policy that the wheels must fulfil. On the bootstrap base, which is newer than any policy, the
    wheels get the best tag that their symbols allow instead."""
    musl_policy: MuslPolicy = "musllinux_1_2"
    """musllinux policy that the wheels must fulfil."""
    jobs: Literal["auto"] | Annotated[int, Field(ge=1)] = "auto"
    """The most jobs that run side by side. `auto`: as many as this machine has cores; their compilers together keep to
    the cores. `1`: one after another, in the plan's order. With more than there are cores, that many jobs run."""
    max_memory: Literal["auto"] | Size = "auto"
    """Memory that jobs which run side by side may need together, as far as it is known what each needed before
    (`6G`, `6Gi`). `auto` is what this machine has available when the run begins."""
    frontend: Frontend = Frontend.BUILD
    """Build frontend that makes the wheel, in the environment that wheelkiln provides."""
    index: tuple[IndexUrl, ...] = ()
    """Further package indexes, asked before the machine's own: a package that one of them has is taken from there
    alone. So a CPU-only PyTorch from its own index keeps CUDA packages out. No passwords: pip's configuration, which
    counts as well, can hold those."""
    find_links: tuple[str, ...] = ()
    """Directories (relative to the project) or pages with wheels that build requirements may come from."""
    image: ImageConfig = ImageConfig()
    cache: CacheConfig = CacheConfig()
    container: ContainerConfig = ContainerConfig()
    repair: RepairConfig = RepairConfig()
    record: bool = True
    """Whether each wheel carries a record of what it was built from (`*.dist-info/wheelkiln.json`), from which
    `wheelkiln reproduce` builds it again. The values of variables that may be secret are not in it."""
    sbom: bool = True
    """Whether each wheel carries a CycloneDX SBOM of what it ships and what it was built with
    (`*.dist-info/sboms/wheelkiln.cdx.json`, PEP 770)."""
    verify: VerifyConfig = VerifyConfig()
    variants: dict[VariantName, VariantConfig] = {}
    """Variants by name: what is built, and how it is published. With none, the project is built once, as it is. With
    some, just these are; a variant named `default` is the project as it is, where that is wanted as well."""
    experimental: tuple[Literal["wheel-variants"], ...] = ()
    """What is not settled and may change: `wheel-variants` lets variants have a `label`."""
    hosts: dict[str, HostConfig] = {}
    """More machines, by name: what is built for their architectures is built there, without emulation."""
