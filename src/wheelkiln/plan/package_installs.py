"""Distribution packages that a project's own commands install, where they can be read without a shell."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["PackageInstalls", "read_package_installs"]

_FAMILIES = {"yum": "rpm", "dnf": "rpm", "microdnf": "rpm", "apt": "deb", "apt-get": "deb", "apk": "apk"}
_HARMLESS = {
    *("-y", "-q", "-qq", "-qy", "-yq", "-yqq", "--yes", "--assumeyes", "--quiet", "--no-install-recommends"),
    *("-U", "--no-cache", "--update-cache"),
}
_OPTIONS = ("before-all", "before-build")
_SEPARATORS = re.compile(r"&&|;|\n")
_PACKAGE = re.compile(r"^[A-Za-z0-9][A-Za-z0-9.+_-]*$")
_MANAGER = re.compile(r"(^|[\s;&|(])(yum|dnf|microdnf|apt|apt-get|apk)\s+(-\S+\s+)*(install|add)\b")


@dataclass(frozen=True, slots=True)
class PackageInstalls:
    """Package names by format, and the installing commands that need a reader: variables, pipes, other options."""

    deb: tuple[str, ...] = ()
    rpm: tuple[str, ...] = ()
    apk: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()


def read_package_installs(table: Mapping[str, Any]) -> PackageInstalls:
    """Read ``yum install -y a b`` and its like from a [tool.cibuildwheel] table, as it applies on Linux.

    What is not plain words is never guessed at: such a command is returned as it is written.
    """
    found: dict[str, list[str]] = {"deb": [], "rpm": [], "apk": []}
    unread: list[str] = []
    for command in _commands(table):
        words = _plain_words(command)
        family = _FAMILIES.get(words[0], "") if words else ""
        names = _installed(words)
        if family and names:
            found[family] += names
        elif _MANAGER.search(command):
            unread.append(command)
    return PackageInstalls(
        **{family: tuple(dict.fromkeys(names)) for family, names in found.items()}, unread=tuple(unread)
    )


def _commands(table: Mapping[str, Any]) -> Iterator[str]:
    """Yield the single commands; [tool.cibuildwheel.linux] replaces the general option (cibuildwheel: options)."""
    linux = table.get("linux", {})
    for option in _OPTIONS:
        value = linux.get(option, table.get(option, "")) if isinstance(linux, dict) else table.get(option, "")
        text = "\n".join(map(str, value)) if isinstance(value, list) else str(value)
        parts = _SEPARATORS.split(text.replace("\\\n", " "))
        yield from (" ".join(part.split()) for part in parts if part.strip())


def _plain_words(command: str) -> list[str]:
    """Split a command that no shell would expand or redirect; return nothing for any other."""
    if re.search(r"[$`|<>(){}*?&]", command):
        return []
    try:
        words = shlex.split(command)
    except ValueError:
        return []
    return words[1:] if words[:1] == ["sudo"] else words


def _installed(words: list[str]) -> list[str]:
    """Return what ``<manager> [options] install [options] NAME...`` names, nothing when an option may change it.

    apk calls it ``add``.
    """
    rest = [word for word in words[1:] if word not in _HARMLESS]
    verb = "add" if words[:1] == ["apk"] else "install"
    names = rest[1:] if rest[:1] == [verb] else []
    return names if all(_PACKAGE.match(name) for name in names) else []
