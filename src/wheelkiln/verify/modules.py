"""What a wheel lets be imported: its packages and its extension modules, by the names of its members."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

__all__ = ["Modules", "find_modules"]

_EXTENSION = re.compile(r"^(?P<name>[^.]+)(\.(cpython-[^.]+|abi3|abi3t|pypy[^.]*))?\.so$")
_DATA = re.compile(r"^[^/]+\.data/(platlib|purelib)/")


@dataclass(frozen=True, slots=True)
class Modules:
    """Modules by their dotted names: what users import, and extension modules inside of it.

    native tells whether the wheel has machine code at all.
    """

    top: tuple[str, ...]
    extensions: tuple[str, ...]
    native: bool


def find_modules(members: Iterable[str]) -> Modules:
    """Read the names of a wheel's members; a name that Python could not import is left out."""
    top: dict[str, None] = {}
    extensions: dict[str, None] = {}
    native = False
    for member in sorted(members):
        if member.split("/")[0].endswith(".dist-info"):
            continue
        path = PurePosixPath(_DATA.sub("", member))
        native = native or bool(re.search(r"\.so(\.[0-9]+)*$", path.name)) or ".data/scripts/" in member
        name = _extension_name(path)
        if name:
            extensions[name] = None
        if len(path.parts) == 1 and path.suffix == ".py" and path.stem.isidentifier():
            top[path.stem] = None
        if len(path.parts) == 2 and path.name == "__init__.py" and path.parts[0].isidentifier():  # noqa: PLR2004
            top[path.parts[0]] = None
    alone = {name for name in extensions if "." not in name}
    return Modules(tuple(sorted({*top, *alone})), tuple(name for name in extensions if name not in alone), native)


def _extension_name(path: PurePosixPath) -> str:
    match = _EXTENSION.match(path.name)
    parts = (*path.parts[:-1], match["name"]) if match else ()
    if parts and parts[-1] == "__init__":
        parts = parts[:-1]
    return ".".join(parts) if parts and all(part.isidentifier() for part in parts) else ""
