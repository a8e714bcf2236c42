"""What the installed cibuildwheel knows, read from its data files without importing its program."""

from __future__ import annotations

import configparser
import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import metadata, resources
from typing import Any

__all__ = ["CibuildwheelFacts", "interpreter_path", "matches_selector", "read_cibuildwheel"]


@dataclass(frozen=True, slots=True)
class CibuildwheelFacts:
    """The version, every Linux build identifier, and the pinned images: ``images[architecture][policy]``."""

    version: str
    identifiers: tuple[str, ...]
    images: Mapping[str, Mapping[str, str]] = field(repr=False)
    options: frozenset[str] = frozenset()
    enable_groups: frozenset[str] = frozenset()


def read_cibuildwheel() -> CibuildwheelFacts:
    """Read the data files of the installed cibuildwheel (resources/: build-platforms, pinned images, schema)."""
    data = resources.files("cibuildwheel") / "resources"
    platforms = tomllib.loads((data / "build-platforms.toml").read_text(encoding="utf-8"))
    pins = configparser.ConfigParser(inline_comment_prefixes="#")
    pins.read_string((data / "pinned_docker_images.cfg").read_text(encoding="utf-8"))
    schema: dict[str, Any] = json.loads((data / "cibuildwheel.schema.json").read_text(encoding="utf-8"))
    return CibuildwheelFacts(
        version=metadata.version("cibuildwheel"),
        identifiers=tuple(entry["identifier"] for entry in platforms["linux"]["python_configurations"]),
        images={section: dict(pins[section]) for section in pins.sections()},
        options=frozenset(schema["properties"]),
        enable_groups=frozenset(schema["$defs"]["enable"]["enum"]),
    )


def interpreter_path(identifier: str) -> str:
    """Return where images have the interpreter of an identifier, from the same data file; raise KeyError for none."""
    data = resources.files("cibuildwheel") / "resources"
    platforms = tomllib.loads((data / "build-platforms.toml").read_text(encoding="utf-8"))
    paths = {entry["identifier"]: str(entry["path_str"]) for entry in platforms["linux"]["python_configurations"]}
    return paths[identifier]


def matches_selector(patterns: str, identifier: str) -> bool:
    """Apply cibuildwheel's own reading of ``build`` and ``skip``: blank-separated globs with braces."""
    from cibuildwheel.selector import selector_matches

    return bool(selector_matches(patterns, identifier))
