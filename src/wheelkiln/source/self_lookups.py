"""Code that asks for its own project's metadata by name: under another name it fails as it is imported."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterator
from itertools import islice
from pathlib import PurePosixPath

from packaging.utils import canonicalize_name

from wheelkiln.source.tarball import SdistTree

__all__ = ["find_self_lookups"]

_LOOKUPS = frozenset({"version", "metadata", "distribution", "requires", "files", "get_distribution", "require"})
"""The functions of importlib.metadata and pkg_resources that take a project's name."""
_OWN_NAME = frozenset({"__name__", "__package__"})
_MOST_FILES = 5000
_MOST_BYTES = 1 << 20


def find_self_lookups(tree: SdistTree, name: str) -> list[str]:
    """Return the places, as ``file:line``, whose calls name the project: as a text, or by the module's own name."""
    files = (path for path in tree.files if path.endswith(".py") and path != "setup.py")
    return [place for path in islice(files, _MOST_FILES) for place in _places(tree, path, canonicalize_name(name))]


def _places(tree: SdistTree, path: str, name: str) -> Iterator[str]:
    if tree.size(path) > _MOST_BYTES:
        return
    content = tree.read(path)
    if b"metadata" not in content and b"pkg_resources" not in content:
        return
    try:
        with warnings.catch_warnings(action="ignore"):  # of the code's own escapes
            parsed = ast.parse(content)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return
    for node in ast.walk(parsed):
        if isinstance(node, ast.Call) and node.args and _called(node.func) in _LOOKUPS:
            asked = node.args[0]
            if isinstance(asked, ast.Constant) and isinstance(asked.value, str):
                own = canonicalize_name(asked.value) == name
            else:
                module = PurePosixPath(path).parent.name
                own = isinstance(asked, ast.Name) and asked.id in _OWN_NAME and canonicalize_name(module) == name
            if own:
                yield f"{path}:{node.lineno}"


def _called(function: ast.expr) -> str:
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""
