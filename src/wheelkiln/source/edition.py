"""An edition of a source: its sdist with patches applied, published under another name, with further requirements."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name

from wheelkiln.errors import ConfigError
from wheelkiln.source.origin import ChangedText, EditionChanges
from wheelkiln.source.patches import apply_patch
from wheelkiln.source.prepare import PreparedSource, describe_sdist
from wheelkiln.source.publish import add_requirements, rewrite_metadata
from wheelkiln.source.published import Changes, Readme
from wheelkiln.source.tarball import open_tree
from wheelkiln.source.versions import add_suffix

__all__ = ["Patch", "Publication", "make_edition"]

_NAME = re.compile(r"[A-Z0-9]|[A-Z0-9][A-Z0-9._-]*[A-Z0-9]", re.IGNORECASE | re.ASCII)
_CONTENT_TYPES = {".md": "text/markdown", ".rst": "text/x-rst"}


@dataclass(frozen=True, slots=True)
class Publication:
    """How an edition is published; an empty field leaves what the source has.

    readme is the path of a file on this machine: its text goes into the sdist under its own file name.
    version_suffix is a post or dev segment, a local label (``+cpu.avx512``), or both. classifiers are added.
    """

    name: str = ""
    description: str = ""
    readme: str = ""
    version_suffix: str = ""
    classifiers: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.name or self.description or self.readme or self.version_suffix or self.classifiers)


@dataclass(frozen=True, slots=True)
class Patch:
    """A patch file on this machine; versions is a specifier set (PEP 440) of the source's versions that it is for."""

    path: Path
    versions: str = ""


def make_edition(
    prepared: PreparedSource,
    publication: Publication,
    patches: Sequence[Patch] = (),
    *,
    extra_requires: Sequence[str] = (),
    work_dir: Path,
    say: Callable[[str], None] = lambda _: None,
) -> PreparedSource:
    """Write the edition's sdist into work_dir and describe it; return prepared itself where nothing changes.

    say receives what the user should know and no error is made of: a hunk that fits at another line, code that asks
    for the project by its old name. Raise ConfigError when a patch does not apply, or a field cannot be rewritten.
    """
    fitting = [patch for patch in patches if _is_for(patch, prepared.facts.version)]
    if not (publication or fitting or extra_requires):
        return prepared
    changes = _make_changes(publication, prepared.facts.version)
    mtime = prepared.epoch
    with open_tree(prepared.sdist, work_dir) as tree:
        for patch in fitting:
            apply_patch(tree, patch.path, mtime=mtime, say=say)
        if publication:
            rewrite_metadata(tree, changes, mtime=mtime, say=say)
        if extra_requires:
            add_requirements(tree, _check_requirements(extra_requires), mtime=mtime)
        if not tree.changed:
            return prepared
        name = canonicalize_name(changes.name or prepared.facts.name).replace("-", "_")
        root = f"{name}-{changes.version or prepared.facts.version}"
        sdist = tree.save(work_dir / f"{root}.tar.gz", root=root)
    return replace(
        describe_sdist(sdist, prepared.epoch),
        tree_size=prepared.tree_size,
        origin=prepared.origin,
        changes=_note_changes(publication, changes.readme, fitting, extra_requires),
    )


def _note_changes(
    publication: Publication, readme: Readme | None, patches: Sequence[Patch], requires: Sequence[str]
) -> EditionChanges:
    """Keep what the edition was made with as texts: the files may change, or be out of reach."""
    return EditionChanges(
        name=publication.name,
        description=publication.description,
        readme=ChangedText(readme.name, readme.text) if readme else None,
        version_suffix=publication.version_suffix,
        classifiers=publication.classifiers,
        requires=tuple(requires),
        patches=tuple(ChangedText.of(patch.path.name, patch.path.read_bytes()) for patch in patches),
    )


def _is_for(patch: Patch, version: str) -> bool:
    try:
        return SpecifierSet(patch.versions).contains(version, prereleases=True)
    except InvalidSpecifier as error:
        raise ConfigError(
            f"the patch {patch.path.name} is for the versions '{patch.versions}', which is no version specifier",
            hint="For example '>=1.2,<1.4' (PEP 440).",
        ) from error


def _make_changes(publication: Publication, version: str) -> Changes:
    """Check what is to be published, and compute the version."""
    _check_line("project-name", publication.name)
    if publication.name and not _NAME.fullmatch(publication.name):
        raise ConfigError(f"the project name '{publication.name}' is not valid (PEP 508)")
    _check_line("description", publication.description)
    for classifier in publication.classifiers:
        _check_line("classifiers", classifier)
    return Changes(
        name=publication.name,
        version=add_suffix(version, publication.version_suffix) if publication.version_suffix else "",
        description=publication.description,
        readme=_read_readme(Path(publication.readme)) if publication.readme else None,
        classifiers=publication.classifiers,
    )


def _check_line(field: str, text: str) -> None:
    if any(char in text for char in "\r\n\0"):
        raise ConfigError(f"'{field}' has to be one line: {text!r}")


def _read_readme(path: Path) -> Readme:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"the readme {path} cannot be read: {error.strerror}") from error
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError(f"the readme {path} is not UTF-8") from error
    return Readme(path.name, _CONTENT_TYPES.get(path.suffix.lower(), "text/plain"), text)


def _check_requirements(requires: Sequence[str]) -> Sequence[str]:
    for text in requires:
        try:
            Requirement(text)
        except InvalidRequirement as error:
            raise ConfigError(f"'{text}' is not a requirement (PEP 508)") from error
    return requires
