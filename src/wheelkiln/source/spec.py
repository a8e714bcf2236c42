"""SOURCE on the command line: what kind of source a text names."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement

from wheelkiln.errors import UsageProblem

__all__ = ["DirectorySource", "GitSource", "IndexSource", "SdistSource", "SourceSpec", "parse_source"]

_ARCHIVE_SUFFIXES = (".tar.gz", ".tgz")
_GIT = re.compile(r"^git\+(?P<url>(?:https?|ssh|file|git)://[^/]*/[^@]+)(?:@(?P<ref>[^@/][^@]*))?$")
"""An @ before the first slash belongs to the user's name: ``ssh://git@host/project.git``."""
_REF = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._/+-]*$")


@dataclass(frozen=True, slots=True)
class DirectorySource:
    path: Path


@dataclass(frozen=True, slots=True)
class SdistSource:
    path: Path


@dataclass(frozen=True, slots=True)
class IndexSource:
    name: str
    version: str


@dataclass(frozen=True, slots=True)
class GitSource:
    url: str
    ref: str


SourceSpec = DirectorySource | SdistSource | IndexSource | GitSource


def parse_source(text: str, cwd: Path) -> SourceSpec:
    """Tell what text names: ``.`` or a directory, an sdist file, ``name==version``, ``git+url@ref``.

    Raise UsageProblem, with what was looked for, when it names nothing.
    """
    if text.startswith("git+"):
        return _parse_git(text)
    path = cwd / text
    if path.is_dir():
        return DirectorySource(path.resolve())
    if path.is_file():
        if path.name.endswith(_ARCHIVE_SUFFIXES):
            return SdistSource(path.resolve())
        raise UsageProblem(
            f"'{text}' is not an sdist",
            hint="An sdist ends in .tar.gz (PEP 625). Give one, or the project's directory.",
        )
    if "==" in text:
        return _parse_pin(text)
    raise UsageProblem(
        f"'{text}' is not a directory or file, and not 'name==version' or 'git+url@ref'",
        hint="Name a version to build a release from the package index, for example 'msgpack==1.1.2'.",
    )


def _parse_pin(text: str) -> IndexSource:
    try:
        requirement = Requirement(text)
        (specifier,) = requirement.specifier
    except (InvalidRequirement, ValueError) as error:
        raise UsageProblem(f"'{text}' is not of the form name==version") from error
    if specifier.operator != "==" or "*" in specifier.version or requirement.extras or requirement.marker:
        raise UsageProblem(f"'{text}' is not of the form name==version", hint="Name one exact version.")
    return IndexSource(name=requirement.name, version=specifier.version)


def _parse_git(text: str) -> GitSource:
    match = _GIT.match(text)
    if match is None:
        raise UsageProblem(
            f"'{text}' is not of the form git+url@ref",
            hint="For example git+https://example.org/project.git@v1.2.0; ssh, git and file URLs work too.",
        )
    ref = match["ref"] or "HEAD"
    if not _REF.match(ref):
        raise UsageProblem(f"'{ref}' is not a git reference")
    return GitSource(url=match["url"], ref=ref)
