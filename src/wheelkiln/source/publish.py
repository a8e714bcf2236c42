"""Rewriting how an sdist is published: its metadata wherever the backend reads it, and nothing that is imported."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from packaging.utils import canonicalize_name

from wheelkiln.errors import ConfigError
from wheelkiln.source.core_metadata import CoreMetadata, parse_core_metadata
from wheelkiln.source.import_names import keep_import_names
from wheelkiln.source.published import PATCH_HINT, Changes, Readme, edit_setup, rename_requirement
from wheelkiln.source.self_lookups import find_self_lookups
from wheelkiln.source.tarball import SdistTree
from wheelkiln.source.toml_edits import Append, Edit, Remove, Replace, apply_edits, array_at, table_at

__all__ = ["add_requirements", "rewrite_metadata"]

_LEGACY_SYSTEM = {"requires": ["setuptools>=40.8.0"], "build-backend": "setuptools.build_meta:__legacy__"}
"""What frontends take where a project has no [build-system] (PEP 517)."""
_SETUPTOOLS = ("setuptools.build_meta", "scikit_build_core.setuptools.build_meta")


def rewrite_metadata(
    tree: SdistTree, changes: Changes, *, mtime: int, say: Callable[[str], None] = lambda _: None
) -> None:
    """Rewrite the metadata in pyproject.toml, setup.cfg, setup.py and PKG-INFO; mtime is the time of new files.

    Raise ConfigError when a field is decided where it cannot be rewritten.
    """
    metadata = parse_core_metadata(tree.read_text("PKG-INFO"))
    old = metadata.get("Name")
    if changes.readme is not None:
        _write_readme(tree, changes.readme, mtime)
    text = tree.read_text("pyproject.toml")
    pyproject = _parse_pyproject(text, tree.title)
    backend = str(table_at(pyproject, "build-system").get("build-backend", _LEGACY_SYSTEM["build-backend"]))
    family = backend.partition(":")[0]
    if table_at(pyproject, "project"):
        edits = _edit_project(tree, pyproject, changes, backend, metadata)
    elif table_at(pyproject, "tool", "poetry"):
        edits = _edit_poetry(tree, pyproject, changes, backend)
    elif family in _SETUPTOOLS:
        edits = keep_import_names(backend, old, pyproject, tree) if changes.name else []
        edit_setup(tree, changes, metadata, mtime, say)
    else:
        raise ConfigError(
            f"the metadata of {tree.title} cannot be rewritten: pyproject.toml has no [project], and '{backend}' "
            "reads them elsewhere",
            hint=PATCH_HINT,
        )
    if edits:
        tree.write_text("pyproject.toml", apply_edits(text, edits), mtime=mtime)
    _rewrite_core_metadata(tree, changes, old, mtime)
    if changes.name and canonicalize_name(changes.name) != canonicalize_name(old):
        _tell_self_lookups(tree, old, changes.name, say)


def add_requirements(tree: SdistTree, requires: Sequence[str], *, mtime: int) -> None:
    """Append build requirements to [build-system] requires."""
    text = tree.read_text("pyproject.toml")
    system = table_at(_parse_pyproject(text, tree.title), "build-system")
    edits: list[Edit] = [Replace(("build-system", key), value) for key, value in _LEGACY_SYSTEM.items() if not system]
    if system and "requires" not in system:
        raise ConfigError(f"[build-system] of {tree.title} has no 'requires' (PEP 518)")
    edits.append(Append(("build-system", "requires"), tuple(requires)))
    tree.write_text("pyproject.toml", apply_edits(text, edits), mtime=mtime)


def _parse_pyproject(text: str, title: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"pyproject.toml of {title} is not valid TOML: {error}") from error


def _write_readme(tree: SdistTree, readme: Readme, mtime: int) -> None:
    obstacle = tree.obstacle(readme.name)
    if obstacle:
        raise ConfigError(f"the readme cannot be written into {tree.title}: {obstacle}")
    tree.write_text(readme.name, readme.text, mtime=mtime)


def _edit_project(
    tree: SdistTree, pyproject: Mapping[str, Any], changes: Changes, backend: str, metadata: CoreMetadata
) -> list[Edit]:
    """Edit [project] (PEP 621); a field that the backend computes becomes one that is said."""
    project = pyproject["project"]
    name = str(project.get("name", ""))
    edits = list(_rename(tree, pyproject, ("project", "name"), name, changes, backend))
    said: dict[str, Any] = {"version": changes.version, "description": changes.description}
    if changes.readme is not None:
        plain = changes.readme.content_type == "text/plain"
        table = {"file": changes.readme.name, "content-type": changes.readme.content_type}
        said["readme"] = table if plain else changes.readme.name
    dynamic = array_at(pyproject, "project", "dynamic")
    if changes.classifiers and "classifiers" in dynamic:
        said["classifiers"] = [
            *metadata.get_all("Classifier"),
            *changes.missing_classifiers(metadata.get_all("Classifier")),
        ]
    elif changes.classifiers:
        edits += _add_classifiers(pyproject, ("project", "classifiers"), changes)
    said = {field: value for field, value in said.items() if value and project.get(field) != value}
    edits += [Replace(("project", field), value) for field, value in said.items()]
    places = [place for place, field in enumerate(dynamic) if field in said]
    edits += [Remove(("project", "dynamic", place)) for place in reversed(places)]
    computed = [field for field in said if field in dynamic]
    return [*edits, *(Remove(where) for where in _providers(pyproject, computed))]


def _providers(pyproject: Mapping[str, Any], fields: Iterable[str]) -> Iterator[tuple[str, ...]]:
    """The settings that tell backends how to compute fields; some refuse them for a field that is said."""
    for field in fields:
        for where in (
            ("tool", "setuptools", "dynamic", field),
            ("tool", "scikit-build", "metadata", field),
            ("tool", "hatch", "metadata", "hooks", f"fancy-pypi-{field}"),
        ):
            if where[-1] in table_at(pyproject, *where[:-1]):
                yield where


def _edit_poetry(tree: SdistTree, pyproject: Mapping[str, Any], changes: Changes, backend: str) -> list[Edit]:
    where = ("tool", "poetry")
    poetry = pyproject["tool"]["poetry"]
    edits = list(_rename(tree, pyproject, (*where, "name"), str(poetry.get("name", "")), changes, backend))
    said = {
        "version": changes.version,
        "description": changes.description,
        "readme": changes.readme.name if changes.readme else "",
    }
    edits += [Replace((*where, field), value) for field, value in said.items() if value]
    return [*edits, *_add_classifiers(pyproject, (*where, "classifiers"), changes)]


def _rename(
    tree: SdistTree, pyproject: Mapping[str, Any], where: tuple[str, ...], name: str, changes: Changes, backend: str
) -> Iterator[Edit]:
    """Rename the project, keep what is imported, and let extras that name the project follow."""
    if not changes.name or name == changes.name:
        return
    if not name:
        raise ConfigError(f"pyproject.toml of {tree.title} has no name to rewrite", hint=PATCH_HINT)
    yield Replace(where, changes.name)
    yield from keep_import_names(backend, name, pyproject, tree)
    for table in (("project", "optional-dependencies"), ("dependency-groups",)):
        for group in table_at(pyproject, *table):
            for place, entry in enumerate(array_at(pyproject, *table, group)):
                renamed = rename_requirement(entry, name, changes.name) if isinstance(entry, str) else entry
                if renamed != entry:
                    yield Replace((*table, group, place), renamed)


def _add_classifiers(pyproject: Mapping[str, Any], where: tuple[str, ...], changes: Changes) -> list[Edit]:
    known = array_at(pyproject, *where)
    missing = changes.missing_classifiers(text for text in known if isinstance(text, str))
    return [Append(where, missing)] if missing else []


def _rewrite_core_metadata(tree: SdistTree, changes: Changes, old: str, mtime: int) -> None:
    """Rewrite PKG-INFO at the root and in setuptools' egg-info, which follows the project's name.

    setuptools reads the list of the files that version control knew from there when it builds from an sdist.
    """
    for path in [path for path in tree.files if path == "PKG-INFO" or path.endswith(".egg-info/PKG-INFO")]:
        metadata = parse_core_metadata(tree.read_text(path))
        if canonicalize_name(metadata.get("Name")) == canonicalize_name(old):
            _change_core_metadata(metadata, changes, old)
            tree.write_text(path, metadata.render(), mtime=mtime)
            if path != "PKG-INFO" and changes.name:
                _move_egg_info(tree, path.removesuffix("/PKG-INFO"), changes.name, mtime)


def _change_core_metadata(metadata: CoreMetadata, changes: Changes, old: str) -> None:
    for key, value in (("Name", changes.name), ("Version", changes.version), ("Summary", changes.description)):
        if value:
            metadata.set(key, value)
    if changes.readme is not None:
        metadata.describe(changes.readme.text, changes.readme.content_type)
    metadata.add("Classifier", changes.missing_classifiers(metadata.get_all("Classifier")))
    if changes.name:
        metadata.change("Requires-Dist", lambda text: rename_requirement(text, old, changes.name))


def _tell_self_lookups(tree: SdistTree, old: str, new: str, say: Callable[[str], None]) -> None:
    places = find_self_lookups(tree, old)
    if places:
        others = f" (and {len(places) - 1} more)" if len(places) > 1 else ""
        say(
            f"{places[0]}{others} of {tree.title} asks for the metadata of '{old}', which is not installed as '{new}': "
            "importing may fail; a patch can have it ask for the new name"
        )


def _move_egg_info(tree: SdistTree, directory: str, name: str, mtime: int) -> None:
    parent, _, _ = directory.rpartition("/")
    stem = re.sub(r"[^A-Za-z0-9.]+", "-", name).replace("-", "_")
    target = f"{parent}/{stem}.egg-info" if parent else f"{stem}.egg-info"
    sources = f"{directory}/SOURCES.txt"
    if tree.is_file(sources):
        text = tree.read_text(sources)
        tree.write_text(sources, text.replace(f"{directory}/", f"{target}/"), mtime=mtime)
    if target != directory and not tree.has_directory(target):
        tree.move_directory(directory, target)
