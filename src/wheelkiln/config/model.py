"""The configuration's model: one source for validation, the JSON schema and the reference."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator

__all__ = [
    "CacheConfig",
    "Config",
    "ContainerConfig",
    "Frontend",
    "ImageConfig",
    "Packages",
    "RepairConfig",
]

PythonTag = Annotated[str, StringConstraints(pattern=r"^cp3[0-9]{1,2}t?$")]
PackageName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9.+_:=~-]*$")]
Policy = Annotated[str, StringConstraints(pattern=r"^(manylinux2014|manylinux_2_[0-9]+)$")]
SonamePattern = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._+*?\[\]-]+$")]
Size = Annotated[str, StringConstraints(pattern=r"^[0-9]+(\.[0-9]+)?[kKMGT]i?$")]
_RELATIVE = re.compile(r"^(?!/)(?!.*(^|/)\.\.(/|$)).+$")


def _kebab(name: str) -> str:
    return name.replace("_", "-")


class _Section(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        alias_generator=_kebab,
        populate_by_name=True,
        use_attribute_docstrings=True,
    )


class Frontend(StrEnum):
    BUILD = "build"
    PIP = "pip"


class Packages(_Section):
    """Distribution packages, by the package format of the base."""

    deb: tuple[PackageName, ...] = ()
    """Packages for a Debian or Ubuntu base, the bootstrap base among them."""
    rpm: tuple[PackageName, ...] = ()
    """Packages for a base of the RHEL family: the manylinux_2_28 and manylinux_2_34 images."""


class ImageConfig(_Section):
    """The image that builds run in."""

    base: str = "pypa"
    """`pypa`: the official manylinux image of the policy, at the digest that the installed cibuildwheel pins.
    `bootstrap`: made on this machine from distribution packages and the interpreters found here, without any
    image registry. Otherwise an image reference of your own."""
    packages: Packages = Packages()
    """Distribution packages to install on the base."""
    release: str = "auto"
    """Release of the bootstrap base (`bookworm`, `trixie`, `noble`); `auto` is this machine's own, so that the
    interpreters copied from here find the libraries that they were linked with."""

    @field_validator("base")
    @classmethod
    def _check_base(cls, value: str) -> str:
        if not re.fullmatch(r"[A-Za-z0-9][\w./:@-]*", value):
            raise ValueError("expected 'pypa', 'bootstrap' or an image reference")
        return value

    @field_validator("release")
    @classmethod
    def _check_release(cls, value: str) -> str:
        if not re.fullmatch(r"[a-z][a-z0-9-]*", value):
            raise ValueError("expected a release's code name such as 'bookworm', or 'auto'")
        return value


class CacheConfig(_Section):
    """The caches that outlive a build."""

    dir: str = "auto"
    """Directory of all caches; `auto` is the user's cache directory."""
    max_size: Size = "10G"
    """Size limit of the compile cache, in ccache's notation (`500M`, `10G`, `5Gi`)."""


class ContainerConfig(_Section):
    """The container that builds run in."""

    user: Literal["builder", "root"] = "builder"
    """`builder` is unprivileged. `root` gives the container's root with the engine's default capabilities, for
    projects whose own before-all installs packages; prefer `image.packages`."""
    network: Literal["default", "none", "host"] = "default"
    """The container's network. `none` works for projects whose build needs nothing from the package index."""


class RepairConfig(_Section):
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
            if not entry.startswith("/") and not _RELATIVE.match(entry):
                raise ValueError(f"'{entry}' leaves the wheel")
        return value


class Config(_Section):
    """Settings of wheelkiln: the table [tool.wheelkiln] of pyproject.toml, or the whole of wheelkiln.toml."""

    python: tuple[PythonTag, ...] = Field(default=("cp310", "cp311", "cp312", "cp313"), min_length=1)
    """CPython versions to build for, as tags."""
    arch: tuple[Literal["x86_64", "aarch64"], ...] = ()
    """Architectures to build for; by default this machine's."""
    policy: Policy = "manylinux_2_28"
    """manylinux policy that the wheels must fulfil. On the bootstrap base, which is newer than any policy, the
    wheels get the best tag that their symbols allow instead."""
    frontend: Frontend = Frontend.BUILD
    """Build frontend. `pip` cannot be given a fixed build environment, so the compile cache rarely hits with it."""
    image: ImageConfig = ImageConfig()
    cache: CacheConfig = CacheConfig()
    container: ContainerConfig = ContainerConfig()
    repair: RepairConfig = RepairConfig()
