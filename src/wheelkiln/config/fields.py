"""What the configuration's tables are made of: the base of their models, and the texts that they hold."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, StringConstraints

__all__ = [
    "RELATIVE_PATH",
    "Architecture",
    "BuildKitOption",
    "Endpoint",
    "IndexUrl",
    "IsaEntry",
    "MuslPolicy",
    "OptionalEndpoint",
    "PackageName",
    "Packages",
    "Policy",
    "PythonTag",
    "Section",
    "Size",
    "SonamePattern",
    "Url",
    "VariantName",
]

PythonTag = Annotated[str, StringConstraints(pattern=r"^cp3[0-9]{1,2}t?$")]
PackageName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9.+_:=~-]*$")]
Architecture = Literal["x86_64", "aarch64"]
BuildKitOption = Annotated[str, StringConstraints(pattern=r"^[^\s]+$")]
Url = Annotated[str, StringConstraints(pattern=r"^(https?://[^\s'\"\\@/]+(/[^\s'\"\\]*)?)?$")]
Endpoint = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][^\s]*$")]
IndexUrl = Annotated[str, StringConstraints(pattern=r"^(https?|file)://[^\s'\"\\@]+$")]
IsaEntry = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9.+_-]*$")]
OptionalEndpoint = Annotated[str, StringConstraints(pattern=r"^([A-Za-z0-9][^\s]*)?$")]
MuslPolicy = Annotated[str, StringConstraints(pattern=r"^musllinux_1_[0-9]+$")]
Policy = Annotated[str, StringConstraints(pattern=r"^(manylinux2014|manylinux_2_[0-9]+)$")]
SonamePattern = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._+*?\[\]-]+$")]
VariantName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9_-]*[a-z0-9])?$")]
Size = Annotated[str, StringConstraints(pattern=r"^[0-9]+(\.[0-9]+)?[kKMGT]i?$")]
RELATIVE_PATH = re.compile(r"^(?!/)(?!.*(^|/)\.\.(/|$)).+$")


def _kebab(name: str) -> str:
    return name.replace("_", "-")


class Section(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        alias_generator=_kebab,
        populate_by_name=True,
        use_attribute_docstrings=True,
    )


class Packages(Section):
    """Distribution packages, by the package format of the base."""

    deb: tuple[PackageName, ...] = ()
    """Packages for a Debian or Ubuntu base, the bootstrap base among them."""
    rpm: tuple[PackageName, ...] = ()
    """Packages for a base of the RHEL family: the manylinux_2_28 and manylinux_2_34 images."""
    apk: tuple[PackageName, ...] = ()
    """Packages for an Alpine base: the musllinux images."""
