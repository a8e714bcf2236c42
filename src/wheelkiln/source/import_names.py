"""What a backend derives from the project's name, said explicitly: a project under another name keeps its imports."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from packaging.utils import canonicalize_name

from wheelkiln.errors import ConfigError
from wheelkiln.source.tarball import SdistTree
from wheelkiln.source.toml_edits import Append, Edit, Replace, table_at

__all__ = ["keep_import_names"]

_CMAKE_NAME = "SKBUILD_PROJECT_NAME"
_PATCH = "Rename it in a patch file, so that it says what is imported: then nothing is derived."


@dataclass(frozen=True, slots=True)
class _Project:
    """name is as the project writes it: backends normalise it each in their own way."""

    name: str
    pyproject: Mapping[str, Any]
    tree: SdistTree

    def tool(self, *keys: str) -> Mapping[str, Any]:
        return table_at(self.pyproject, "tool", *keys)


def keep_import_names(backend: str, name: str, pyproject: Mapping[str, Any], tree: SdistTree) -> list[Edit]:
    """Return the settings that make explicit what backend derives from name, which is about to be replaced.

    Raise ConfigError when the backend is not known, so that what it derives is not, either.
    """
    module = backend.partition(":")[0]
    keep = _KEEPERS.get(module)
    if keep is None:
        raise ConfigError(
            f"{tree.title} cannot be published under another name: whether its backend '{backend}' derives what is "
            "imported from the project's name is not known",
            hint=_PATCH,
        )
    return keep(_Project(name, pyproject, tree))


def _derives_nothing(_: _Project) -> list[Edit]:
    """Setuptools and pdm look for directories; meson.build has names of its own."""
    return []


def _keep_flit(project: _Project) -> list[Edit]:
    if "name" in project.tool("flit", "module") or table_at(project.pyproject, "project").get("import-names"):
        return []
    stubs = "-stubs" if project.name.endswith("-stubs") else ""
    module = project.name.removesuffix(stubs).replace("-", "_") + stubs
    return [Replace(("tool", "flit", "module", "name"), module)]


def _keep_hatchling(project: _Project) -> list[Edit]:
    """The places that hatchling's wheel target looks at, in its order (its default file selection)."""
    build = project.tool("hatch", "build")
    wheel = project.tool("hatch", "build", "targets", "wheel")
    if any(table.get(key) for table in (wheel, build) for key in ("include", "packages", "only-include")):
        return []
    where = ("tool", "hatch", "build", "targets", "wheel")
    for name in dict.fromkeys((_escape(project.name), _escape(canonicalize_name(project.name)))):
        for package in (name, f"src/{name}"):
            if project.tree.is_file(f"{package}/__init__.py"):
                return [Replace((*where, "packages"), [package])]
        if project.tree.is_file(f"{name}.py"):
            return [Replace((*where, "only-include"), [f"{name}.py"])]
        namespaces = {
            path.split("/")[0]
            for path in project.tree.files
            if path.count("/") == 2 and path.endswith(f"/{name}/__init__.py")  # noqa: PLR2004
        }
        if len(namespaces) == 1:
            return [Replace((*where, "packages"), sorted(namespaces))]
    return []


def _escape(name: str) -> str:
    return re.sub(r"[^\w.]+", "_", name)


def _keep_scikit_build(project: _Project) -> list[Edit]:
    """The places that scikit-build-core looks at, in its order, and what its CMake variable says."""
    if "packages" in project.tool("scikit-build", "wheel"):
        return _keep_cmake_name(project)
    parts = project.name.replace("-", "_").split(".")
    names = dict.fromkeys(("_".join(parts), "/".join(parts)))
    found = next((place for place in _places(names) if _is_package(project.tree, place[1])), None)
    if found is None:
        return _keep_cmake_name(project)
    name, path = found
    packages = {name: path} if "/" in name else [path]
    return [Replace(("tool", "scikit-build", "wheel", "packages"), packages), *_keep_cmake_name(project)]


def _keep_cmake_name(project: _Project) -> list[Edit]:
    """CMake files often install to the directory ``${SKBUILD_PROJECT_NAME}``; a definition displaces the variable."""
    known = _CMAKE_NAME in project.tool("scikit-build", "cmake", "define")
    if known or not _mentions(project.tree, _CMAKE_NAME):
        return []
    value = project.name.replace("-", "_").replace(".", "_")
    return [Replace(("tool", "scikit-build", "cmake", "define", _CMAKE_NAME), value)]


def _places(names: Mapping[str, None]) -> list[tuple[str, str]]:
    return [(name, f"{base}{name}") for base in ("src/", "python/", "") for name in names]


def _is_package(tree: SdistTree, path: str) -> bool:
    return tree.is_file(f"{path}/__init__.py") or tree.is_file(f"{path}/__init__.pyi")


def _mentions(tree: SdistTree, word: str) -> bool:
    """Tell whether one of the sdist's CMake files has word."""
    files = [path for path in tree.files if path.endswith((".cmake", ".cmake.in", "CMakeLists.txt"))]
    return any(word in tree.read_text(path) for path in files)


def _keep_poetry(project: _Project) -> list[Edit]:
    if project.tool("poetry").get("packages"):
        return []
    module = canonicalize_name(project.name).replace("-", "_")
    for base in ("", "src"):
        prefix = f"{base}/" if base else ""
        for include in (module, f"{module}.py"):
            if project.tree.is_file(f"{prefix}{include}") or project.tree.has_directory(f"{prefix}{include}"):
                package = {"include": include} | ({"from": base} if base else {})
                return [Append(("tool", "poetry", "packages"), (package,))]
    return []


def _keep_uv(project: _Project) -> list[Edit]:
    if "module-name" in project.tool("uv", "build-backend"):
        return []
    module = canonicalize_name(project.name).replace("-", "_")
    return [Replace(("tool", "uv", "build-backend", "module-name"), module)]


def _keep_maturin(project: _Project) -> list[Edit]:
    """Without a name of the library in Cargo.toml, maturin takes the project's; one with a dash it refuses."""
    settings = project.tool("maturin")
    manifest = project.tree.read_text(PurePosixPath(str(settings.get("manifest-path", "Cargo.toml"))).as_posix())
    try:
        library = table_at(tomllib.loads(manifest), "lib")
    except tomllib.TOMLDecodeError:
        library = {}  # cargo itself will say what is wrong
    if "module-name" in settings or "name" in library or not project.name.isidentifier():
        return []
    return [Replace(("tool", "maturin", "module-name"), project.name)]


_KEEPERS: Mapping[str, Callable[[_Project], list[Edit]]] = {
    "setuptools.build_meta": _derives_nothing,
    "scikit_build_core.setuptools.build_meta": _keep_cmake_name,
    "pdm.backend": _derives_nothing,
    "mesonpy": _derives_nothing,
    "maturin": _keep_maturin,
    "flit_core.buildapi": _keep_flit,
    "flit.buildapi": _keep_flit,
    "hatchling.build": _keep_hatchling,
    "scikit_build_core.build": _keep_scikit_build,
    "poetry.core.masonry.api": _keep_poetry,
    "poetry_dynamic_versioning.backend": _keep_poetry,
    "uv_build": _keep_uv,
}
