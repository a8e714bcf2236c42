"""Paths of an image that cannot be made on this machine, replaced in what is said to a shell and in what it says.

cibuildwheel names the same few paths to every container. Where nobody may create them, they lie below a directory, and
both sides of the conversation are rewritten.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["FIXED_PATHS", "Relocation"]

FIXED_PATHS = (
    "/project",
    "/output",
    "/constraints.txt",
    "/cibuildwheel-ca-bundle.pem",
    "/opt/python",
    "/opt/wheelkiln",
    "/tmp/cibuildwheel",  # noqa: S108 - paths inside of containers
    "/tmp/wheelkiln-ccache",  # noqa: S108
    "/tmp/wheelkiln-uv",  # noqa: S108
    "/tmp/wheelkiln",  # noqa: S108
    "/home/builder",
)
"""The paths that cibuildwheel, the image and the caches' settings name."""
_FIXED = re.compile(r"(?<![\w./\-])(?:" + "|".join(map(re.escape, FIXED_PATHS)) + r")(?![\w.\-])")


@dataclass(frozen=True, slots=True)
class Relocation:
    """Moves the fixed paths below root, which is without a slash at its end; an empty root moves nothing."""

    root: str

    def forward(self, text: str) -> str:
        """Replace the fixed paths where they stand by themselves, as a path's beginning."""
        return _FIXED.sub(lambda match: self.root + match[0], text) if self.root else text

    def back(self, text: str) -> str:
        """Name the fixed paths again where text names what lies below root."""
        return text.replace(self.root + "/", "/") if self.root else text
