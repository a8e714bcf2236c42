"""What an edition publishes, and writing it where setuptools reads it without a [project]: setup.py and setup.cfg."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from wheelkiln.errors import ConfigError
from wheelkiln.source.core_metadata import CoreMetadata
from wheelkiln.source.setup_edits import read_setup_cfg, setup_keywords, write_setup_cfg, write_setup_keywords
from wheelkiln.source.tarball import SdistTree

__all__ = ["PATCH_HINT", "Changes", "Readme", "edit_setup", "rename_requirement"]

PATCH_HINT = "Make the change in a patch file: what it says by then is not rewritten."


@dataclass(frozen=True, slots=True)
class Readme:
    """The file's name at the root of the sdist, its content type and its text."""

    name: str
    content_type: str
    text: str


@dataclass(frozen=True, slots=True)
class Changes:
    """The fields that are to say something else; empty ones stay. classifiers are added to those that are there."""

    name: str = ""
    version: str = ""
    description: str = ""
    readme: Readme | None = None
    classifiers: tuple[str, ...] = ()

    def missing_classifiers(self, known: Iterable[str]) -> tuple[str, ...]:
        have = set(known)
        return tuple(classifier for classifier in self.classifiers if classifier not in have)


def rename_requirement(text: str, old: str, new: str) -> str:
    """Return a requirement of the project old, such as ``old[extra]``, with its new name; others as they are."""
    try:
        requirement = Requirement(text)
    except InvalidRequirement:
        return text
    if canonicalize_name(requirement.name) != canonicalize_name(old) or canonicalize_name(old) == canonicalize_name(
        new
    ):
        return text
    return new + text.strip()[len(requirement.name) :]


def edit_setup(
    tree: SdistTree, changes: Changes, metadata: CoreMetadata, mtime: int, say: Callable[[str], None]
) -> None:
    """Edit setup.py where its call of setup() has the argument, since that wins; setup.cfg otherwise."""
    values: dict[str, str | list[str]] = {
        "name": changes.name,
        "version": changes.version,
        "description": changes.description,
    }
    if changes.readme is not None:
        values["long_description"] = changes.readme.text
        values["long_description_content_type"] = changes.readme.content_type
    if changes.classifiers:
        known = metadata.get_all("Classifier")
        values["classifiers"] = [*known, *changes.missing_classifiers(known)]
    values = {option: value for option, value in values.items() if value}
    script = tree.read_text("setup.py")
    keywords = setup_keywords(script)
    in_script = {option: value for option, value in values.items() if option in keywords}
    if "**" in keywords and len(in_script) < len(values):
        unknown = ", ".join(option for option in values if option not in in_script)
        raise ConfigError(
            f"setup.py of {tree.title} computes the arguments of setup(), so that {unknown} cannot be rewritten",
            hint=PATCH_HINT,
        )
    if in_script:
        tree.write_text("setup.py", write_setup_keywords(script, in_script), mtime=mtime)
    in_cfg = {option: value for option, value in values.items() if option not in in_script}
    if changes.readme is not None and "long_description" in in_cfg:
        in_cfg["long_description"] = f"file: {changes.readme.name}"
    _edit_setup_cfg(tree, in_cfg, changes, metadata.get("Name"), mtime)
    if changes.name and "extras_require" in keywords and any(_own_requirements(metadata)):
        say(f"setup.py of {tree.title} has extras that name {metadata.get('Name')} itself; they keep that name")


def _edit_setup_cfg(
    tree: SdistTree, options: Mapping[str, str | list[str]], changes: Changes, old: str, mtime: int
) -> None:
    text = tree.read_text("setup.cfg")
    values = {option: value if isinstance(value, str) else "\n".join(value) for option, value in options.items()}
    sections: dict[str, dict[str, str]] = {"metadata": values} if values else {}
    extras = read_setup_cfg(text).get("options.extras_require", {}) if changes.name else {}
    for extra, lines in extras.items():
        renamed = "\n".join(rename_requirement(line, old, changes.name) for line in lines.split("\n"))
        if renamed != lines:
            sections.setdefault("options.extras_require", {})[extra] = renamed
    if sections:
        tree.write_text("setup.cfg", write_setup_cfg(text, sections), mtime=mtime)


def _own_requirements(metadata: CoreMetadata) -> Iterator[str]:
    name = metadata.get("Name")
    return (text for text in metadata.get_all("Requires-Dist") if rename_requirement(text, name, "x") != text)
