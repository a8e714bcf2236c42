"""The .dist-info directory: the files that tell what a wheel is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from email.message import Message
from email.parser import Parser

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from wheelkiln.verify.archive import WheelArchive
from wheelkiln.verify.zip_model import ZipFaultError

__all__ = ["DistInfo", "read_dist_info", "same_version"]

_MOST_BYTES = 16 << 20
_PARTS = ("METADATA", "WHEEL", "RECORD")


@dataclass(frozen=True, slots=True)
class DistInfo:
    """The directory's name, and the texts of the files that every wheel has."""

    directory: str
    texts: Mapping[str, str]

    @property
    def metadata(self) -> Message:
        return Parser().parsestr(self.texts["METADATA"], headersonly=True)

    @property
    def wheel(self) -> Message:
        return Parser().parsestr(self.texts["WHEEL"], headersonly=True)

    @property
    def record_name(self) -> str:
        return f"{self.directory}/RECORD"


def read_dist_info(archive: WheelArchive, name: str, version: Version) -> DistInfo:
    """Read the files; raise ZipFaultError where there is not exactly one directory, of this project, with each."""
    directories = {top for top, _, rest in (member.partition("/") for member in archive.members) if rest}
    ours = sorted(directory for directory in directories if directory.endswith(".dist-info"))
    if len(ours) != 1:
        raise ZipFaultError("dist-info", f"it has {len(ours)} .dist-info directories")
    project, _, its_version = ours[0].removesuffix(".dist-info").rpartition("-")
    if canonicalize_name(project) != name or not same_version(its_version, version):
        raise ZipFaultError("dist-info", f"the directory '{ours[0]}' is not of {name} {version}")
    texts = {}
    for part in _PARTS:
        member = archive.members.get(f"{ours[0]}/{part}")
        if member is None or member.size > _MOST_BYTES:
            raise ZipFaultError("dist-info", f"it does not have a readable .dist-info/{part}")
        texts[part] = archive.read(member, _MOST_BYTES).decode("utf-8", errors="replace")
    return DistInfo(ours[0], texts)


def same_version(text: str, version: Version) -> bool:
    """Tell whether a text is that version, as versions are compared."""
    try:
        return Version(text) == version
    except InvalidVersion:
        return False
