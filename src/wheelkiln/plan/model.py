"""The plan's values: frozen, and the same in memory and in JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from wheelkiln.system.interpreters import Interpreter

__all__ = [
    "PLAN_FORMAT",
    "ImageSpec",
    "Job",
    "Notice",
    "Plan",
    "Selection",
    "SkipReason",
    "Skipped",
]

PLAN_FORMAT = 1


class SkipReason(StrEnum):
    """Why an identifier is not built."""

    NOT_SELECTED = "not-selected"
    REQUIRES_PYTHON = "requires-python"
    PROJECT_SETTINGS = "project-settings"
    STABLE_ABI = "stable-abi"
    NO_INTERPRETER = "no-interpreter"
    NO_EMULATOR = "no-emulator"
    BASE_ARCHITECTURE = "base-architecture"
    UNKNOWN_IDENTIFIER = "unknown-identifier"


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
class ImageSpec:
    """What an image is made of.

    base is ``bootstrap`` or an image reference (pypa's pinned one, or the user's). family is the base's package
    format (``deb``, ``rpm``, ``apk``), empty when unknown; deb and rpm are the packages to install for each.
    interpreters are those copied into a bootstrap base.
    """

    name: str
    arch: str
    base: str
    family: str
    deb: tuple[str, ...] = ()
    rpm: tuple[str, ...] = ()
    distribution: str = ""
    release: str = ""
    interpreters: tuple[Interpreter, ...] = ()

    @property
    def is_bootstrap(self) -> bool:
        return self.base == "bootstrap"

    @property
    def platform(self) -> str:
        """The OCI platform."""
        return {"x86_64": "linux/amd64", "aarch64": "linux/arm64"}[self.arch]


@dataclass(frozen=True, slots=True)
class Job:
    """One identifier of one variant.

    image names its ImageSpec. namespace keeps the compile cache's entries of projects and variants apart.
    estimate is in seconds, from earlier runs, None when there were none.
    """

    id: str
    identifier: str
    arch: str
    image: str
    namespace: str
    variant: str = "default"
    emulated: bool = False
    estimate: float | None = None

    @property
    def python(self) -> str:
        return self.identifier.partition("-")[0]

    @property
    def python_version(self) -> str:
        digits = self.python.removeprefix("cp").rstrip("t")
        return f"{digits[0]}.{digits[1:]}"


@dataclass(frozen=True, slots=True)
class Skipped:
    """An identifier that is not built; one covered by a stable-ABI wheel names the job that covers it."""

    id: str
    identifier: str
    reason: SkipReason
    detail: str
    covered_by: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that a run will do, and everything that it will not do with the reason."""

    project: str
    version: str
    jobs: tuple[Job, ...]
    images: tuple[ImageSpec, ...]
    skipped: tuple[Skipped, ...]
    notices: tuple[Notice, ...] = ()
    format: int = PLAN_FORMAT
    references: Mapping[str, str] = field(default_factory=dict)
    """Image references by image name, known once the recipes are rendered."""

    def image_of(self, job: Job) -> ImageSpec:
        return next(image for image in self.images if image.name == job.image)
