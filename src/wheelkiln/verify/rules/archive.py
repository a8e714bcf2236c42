"""Rules of the archive: without them nothing else of a wheel could be believed."""

from __future__ import annotations

from wheelkiln.verify.findings import Severity
from wheelkiln.verify.rules.model import Group, Rule

__all__ = ["ARCHIVE_RULES"]


def _rule(code: str, title: str, why: str, remedy: str) -> Rule:
    return Rule(code, Group.ARCHIVE, Severity.ERROR, title, why, remedy, fixed=True)


ARCHIVE_RULES = (
    _rule(
        "digest",
        "The file is not the one that its manifest lists",
        "`wheelkiln-manifest.json` has the SHA-256 of every wheel that was built. A file of that name with another "
        "content was put there by something else.",
        "Build it again, or move it away from the manifest when it is of another run.",
    ),
    _rule(
        "zip",
        "The file is not a readable zip archive",
        "A wheel is a zip archive (PEP 427). One that is damaged, cut off or encrypted installs nowhere.",
        "Build it again, or fetch it again where it was copied.",
    ),
    _rule(
        "zip-duplicate",
        "A member is there twice",
        "Programs differ in which of two members of one name they take, so that one may check what another does not "
        "install.",
        "Find the step that adds files to the finished wheel; it has to replace them.",
    ),
    _rule(
        "zip-path",
        "A member leaves the wheel",
        "A member with an absolute name, with `..` or with a backslash may be written outside of the directory that "
        "the wheel is unpacked to.",
        "Name package data relative to the package.",
    ),
    _rule(
        "dist-info",
        "There is not exactly one .dist-info directory with its files",
        "METADATA, WHEEL and RECORD tell installers what a wheel is. With two of one, nobody knows which counts.",
        "Look at what the build backend packed with `unzip -l`.",
    ),
)
