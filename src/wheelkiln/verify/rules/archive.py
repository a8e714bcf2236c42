"""Rules of the archive: without them nothing else of a wheel could be believed."""

from __future__ import annotations

from wheelkiln.verify.findings import Severity
from wheelkiln.verify.rules.model import Group, Rule

__all__ = ["ARCHIVE_RULES"]


def _rule(code: str, title: str, why: str, remedy: str) -> Rule:
    return Rule(code, Group.ARCHIVE, Severity.ERROR, title, why, remedy, fixed=True)


def _free(code: str, severity: Severity, title: str, why: str, remedy: str) -> Rule:
    return Rule(code, Group.ARCHIVE, severity, title, why, remedy)


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
        "zip-headers",
        "Records of the archive contradict each other",
        "A zip archive says everything about a member twice, and programs differ in which they believe: where sizes, "
        "names or places differ, or members overlap, one program may check what another does not install.",
        "Write the wheel anew: `wheel unpack` and `wheel pack`, or the build itself.",
    ),
    _rule(
        "zip-size",
        "The archive is larger than the limits",
        "A small file can unpack to more than any disk has. `verify.max-size`, `verify.max-members` and "
        "`verify.max-ratio` are looked at before anything is unpacked.",
        "Raise the limit in the configuration where the wheel is meant to be that large.",
    ),
    _rule(
        "zip-compression",
        "A member is compressed in a way that installers need not know",
        "Wheels are stored or deflated. Other methods are not in every Python.",
        "Write the wheel with deflate.",
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
        "the wheel is unpacked to. Empty parts, `.` and control characters are refused as well.",
        "Name package data relative to the package.",
    ),
    _rule(
        "dist-info",
        "There is not exactly one .dist-info directory with its files",
        "METADATA, WHEEL and RECORD tell installers what a wheel is. With two of one, nobody knows which counts.",
        "Look at what the build backend packed with `unzip -l`.",
    ),
    _free(
        "zip-special",
        Severity.ERROR,
        "A member is a symbolic link or another special file",
        "Wheels hold files. Installers write a link as a small text file; other programs make a link, which may lead "
        "out of the place where they unpack.",
        "Pack a copy of the file.",
    ),
    _free(
        "zip-mode",
        Severity.ERROR,
        "A member has a set-user-id, set-group-id or sticky mode",
        "Installers drop these bits, and programs that keep them give a file of the package its owner's rights.",
        "Clear the mode before the wheel is packed.",
    ),
    _free(
        "zip-data",
        Severity.ERROR,
        "The archive has bytes that belong to no member",
        "Nothing that looks at members sees them, RECORD does not cover them, and a program may read them as another "
        "archive.",
        "Write the wheel anew: `wheel unpack` and `wheel pack`, or the build itself.",
    ),
    _free(
        "zip-collision",
        Severity.WARNING,
        "Names differ only by case or by Unicode normalisation",
        "On file systems that take them for one, the second member replaces the first.",
        "Rename one of them.",
    ),
    _free(
        "zip-comment",
        Severity.WARNING,
        "The archive or a member has a comment",
        "RECORD does not cover comments, and no tool that reads wheels asks for them.",
        "Write the wheel anew without it.",
    ),
    _free(
        "record",
        Severity.ERROR,
        "RECORD is not right",
        "Installers check files against RECORD, and uninstall by it. Every member must be listed with its digest and "
        "size, RECORD itself without, and nothing else.",
        "Find the step that changes the wheel after it was packed; `wheel unpack` and `wheel pack` write RECORD anew.",
    ),
)
