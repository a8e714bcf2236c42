"""What a wheel requires at run time, as lines of a requirements file."""

from __future__ import annotations

import zipfile
from email.parser import HeaderParser

from packaging.requirements import InvalidRequirement, Requirement

__all__ = ["read_requirements"]

_MAX_SIZE = 16 << 20


def read_requirements(archive: zipfile.ZipFile) -> tuple[str, ...]:
    """Return what METADATA requires without extras.

    What names a place to fetch it from is left out: it may be an sdist, and building one would run its code.
    """
    members = [member for member in archive.infolist() if member.filename.endswith(".dist-info/METADATA")]
    if len(members) != 1 or members[0].file_size > _MAX_SIZE:
        return ()
    headers = HeaderParser().parsestr(archive.read(members[0]).decode("utf-8", "replace"))
    found = []
    for text in headers.get_all("Requires-Dist", ()):
        try:
            requirement = Requirement(str(text))
        except InvalidRequirement:
            continue
        if requirement.url is None and "extra" not in str(requirement.marker or ""):
            found.append(str(requirement))
    return tuple(found)
