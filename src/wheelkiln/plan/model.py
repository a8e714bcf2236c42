"""The plan's values: frozen, and the same in memory and in JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from wheelkiln.config.variants import DEFAULT_VARIANT
from wheelkiln.system.interpreters import Interpreter

__all__ = [
    "PLAN_FORMAT",
    "Base",
    "Bootstrap",
    "ImageSpec",
    "Job",
    "Notice",
    "Plan",
    "Selection",
    "Shard",
    "SkipReason",
    "Skipped",
    "job_name",
    "namespace_of",
]

PLAN_FORMAT = 3


class SkipReason(StrEnum):
    """Why an identifier is not built."""

    NOT_SELECTED = "not-selected"
    REQUIRES_PYTHON = "requires-python"
    PROJECT_SETTINGS = "project-settings"
    STABLE_ABI = "stable-abi"
    NO_INTERPRETER = "no-interpreter"
    NO_EMULATOR = "no-emulator"
    BASE_LIBC = "base-libc"
    TOOLCHAIN = "toolchain"
    VARIANT = "variant"
    OTHER_SHARD = "other-shard"
    UNKNOWN_IDENTIFIER = "unknown-identifier"
    NOTHING_TO_RETRY = "nothing-to-retry"


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that the user should know, as a value; the command line prints it."""

    code: str
    message: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Selection:
    """Glob patterns on job ids: an empty ``only`` selects all."""

    only: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Base:
    """What an image is laid on, for one architecture.

    reference is an image's, empty for a bootstrap base, which is named by its content. digest is what the reference
    stood for when it was looked up, in a registry or, when is_local, in the engine's own store. interpreters are
    copied into a bootstrap base; own_python is the tag of the distribution's own CPython where that is used, too.
    """

    arch: str
    reference: str = ""
    digest: str = ""
    is_local: bool = False
    interpreters: tuple[Interpreter, ...] = ()
    own_python: str = ""

    @property
    def platform(self) -> str:
        """The OCI platform."""
        return {"x86_64": "linux/amd64", "aarch64": "linux/arm64"}[self.arch]

    @property
    def tags(self) -> frozenset[str]:
        """The CPythons of a bootstrap base."""
        return frozenset({found.tag for found in self.interpreters} | {self.own_python}) - {""}


@dataclass(frozen=True, slots=True)
class Bootstrap:
    """What a bootstrap base is made from, besides interpreters."""

    distribution: str
    release: str
    mirror: str = ""
    packages: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ImageSpec:
    """What an image is made of, for every architecture that it can be made for.

    family is the bases' package format (``deb``, ``rpm``, ``apk``), empty when unknown; deb, rpm and apk are the
    packages to install for each. policy is the one that its wheels can be held to, empty on a base of another kind.
    """

    name: str
    family: str
    bases: tuple[Base, ...]
    policy: str = ""
    deb: tuple[str, ...] = ()
    rpm: tuple[str, ...] = ()
    apk: tuple[str, ...] = ()
    toolchain: str = "gcc"
    linker: str = "default"
    requires: tuple[str, ...] = ()
    ccache: str = "auto"
    sccache: bool = False
    download_mirror: str = ""
    labels: tuple[tuple[str, str], ...] = ()
    bootstrap: Bootstrap | None = None

    @property
    def architectures(self) -> tuple[str, ...]:
        return tuple(base.arch for base in self.bases)

    def base_for(self, arch: str) -> Base:
        return next(base for base in self.bases if base.arch == arch)

    def name_for(self, arch: str) -> str:
        """The name of the image of one architecture, by which jobs and references know it."""
        return f"{self.name}_{arch}"


@dataclass(frozen=True, slots=True)
class Job:
    """One identifier of one variant of one source.

    id is unique in a run: where several sources are built together it begins with the source's name and version. image
    is the name of its image for its architecture. namespace keeps the compile cache's entries of projects and variants
    apart. estimate is in seconds, from earlier runs, None when there were none. project is the name that the wheel is
    published under, label its variant label, if it has one.
    """

    id: str
    identifier: str
    arch: str
    image: str
    namespace: str
    variant: str = DEFAULT_VARIANT
    emulated: bool = False
    estimate: float | None = None
    project: str = ""
    version: str = ""
    label: str = ""

    @property
    def name(self) -> str:
        """The id without its source: the job's name in memories that are kept for each project."""
        return self.id.rpartition("/")[2]

    @property
    def directory(self) -> str:
        """The id as the name of a directory."""
        return self.id.replace("/", "_")

    @property
    def python(self) -> str:
        return self.identifier.partition("-")[0]

    @property
    def platform(self) -> str:
        """C library and architecture: ``manylinux_x86_64``."""
        return self.identifier.partition("-")[2]

    @property
    def python_version(self) -> str:
        digits = self.python.removeprefix("cp").rstrip("t")
        return f"{digits[0]}.{digits[1:]}"


def job_name(identifier: str, variant: str) -> str:
    """Return the name of a variant's job; the unnamed variant is left out."""
    return identifier if variant == DEFAULT_VARIANT else f"{identifier}@{variant}"


def namespace_of(project: str, name: str) -> str:
    """Return the name under which the compile cache keeps the entries of a project's jobs of one platform.

    name is a job's, or any that ends in the same platform and variant.
    """
    identifier, _, variant = name.partition("@")
    platform = identifier.partition("-")[2].removeprefix("manylinux_")
    return f"{project}-{platform}-{variant or DEFAULT_VARIANT}"


@dataclass(frozen=True, slots=True)
class Skipped:
    """An identifier that is not built; one covered by a stable-ABI wheel names the job that covers it."""

    id: str
    identifier: str
    reason: SkipReason
    detail: str
    covered_by: str = ""


@dataclass(frozen=True, slots=True)
class Shard:
    """A part of a plan's jobs, by their ids, for one of several machines.

    number counts from 1. seconds is what they are expected to take one after another, None when no job's time is known.
    """

    number: int
    jobs: tuple[str, ...]
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that is done for one variant of one source, and everything that is not done with the reason."""

    project: str
    version: str
    jobs: tuple[Job, ...]
    images: tuple[ImageSpec, ...]
    skipped: tuple[Skipped, ...]
    notices: tuple[Notice, ...] = ()
    format: int = PLAN_FORMAT
    references: Mapping[str, str] = field(default_factory=dict)
    """Image references by image name, known once the recipes are rendered."""
    variant: str = DEFAULT_VARIANT

    def image_names(self) -> tuple[str, ...]:
        """The names of all images that jobs need, an architecture of each."""
        used = {job.image for job in self.jobs}
        names = (image.name_for(arch) for image in self.images for arch in image.architectures)
        return tuple(name for name in names if name in used)

    def image_of(self, job: Job) -> ImageSpec:
        return next(image for image in self.images if job.image in map(image.name_for, image.architectures))
