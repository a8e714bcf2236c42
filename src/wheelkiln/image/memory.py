"""What the cache directory remembers of images: what their toolchains can do, and which project uses which."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wheelkiln.plan.features import Toolchain
from wheelkiln.system.files import make_directory, naming_storage_errors, write_text_atomically

__all__ = ["ImageMemory", "RememberedImage", "parse_toolchain"]

_SETTING = "[tool.wheelkiln.cache] dir"


def parse_toolchain(line: str) -> Toolchain | None:
    """Read the line that the image's checks wrote: compiler, version, features."""
    words = line.split()
    return Toolchain(words[0], words[1], frozenset(words[2:])) if len(words) > 1 else None


@dataclass(frozen=True, slots=True)
class RememberedImage:
    """What an engine had under a reference when it was last used: its content digest, its compiler, its tools."""

    digest: str
    toolchain: str = ""
    tools: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class ImageMemory:
    """Small files below the cache directory; a missing or damaged one is something that is not known."""

    cache_dir: Path

    def toolchain(self, reference: str) -> Toolchain | None:
        """Return what an image's compiler accepts, when the image has been seen here."""
        return parse_toolchain(str(_read(self._facts(reference)).get("toolchain", "")))

    def remember_toolchain(self, reference: str, line: str) -> None:
        _write(self._facts(reference), {"reference": reference, "toolchain": line})

    def image(self, engine: str, reference: str) -> RememberedImage | None:
        """Return what is known of an image, whether or not the engine has it now."""
        known = _read(self._known(engine, reference))
        digest, tools = str(known.get("digest", "")), known.get("tools", {})
        if not digest or not isinstance(tools, dict):
            return None
        return RememberedImage(
            digest, str(known.get("toolchain", "")), tuple((str(k), str(v)) for k, v in tools.items())
        )

    def known_references(self, engine: str) -> tuple[str, ...]:
        """Return the images that this engine had, whether or not it has them now, the last one first."""
        paths = sorted((self.cache_dir / "images" / "known").glob("*.json"), key=lambda path: -path.stat().st_mtime)
        entries = map(_read, paths)
        return tuple(str(entry.get("reference", "")) for entry in entries if entry.get("engine") == engine)

    def remember_image(self, engine: str, reference: str, image: RememberedImage) -> None:
        known = {"digest": image.digest, "toolchain": image.toolchain, "tools": dict(image.tools)}
        _write(self._known(engine, reference), {"engine": engine, "reference": reference, **known})

    def has_seen(self, reference: str) -> bool:
        """Tell whether a run with this cache directory has built, pulled or used an image."""
        return self._facts(reference).is_file()

    def base_digest(self, reference: str) -> str:
        """Return what a moving reference stood for when it was last looked up."""
        return str(_read(self._base(reference)).get("digest", ""))

    def remember_base(self, reference: str, digest: str) -> None:
        _write(self._base(reference), {"reference": reference, "digest": digest})

    def remember_use(self, project: Path, references: Mapping[str, str]) -> None:
        """Note that a project uses these images now, and so no longer those that it used before."""
        path = self._uses() / f"{_digest(str(project))}.json"
        known = _read(path).get("references", {})
        _write(path, {"project": str(project), "references": {**known, **references}})

    def last_used(self, project: Path, name: str) -> str:
        """Return the reference that a project used last under an image's name."""
        known = _read(self._uses() / f"{_digest(str(project))}.json").get("references", {})
        return str(known.get(name, ""))

    def in_use(self) -> frozenset[str]:
        """Return the references that projects use; those of projects that are gone are not among them."""
        used: set[str] = set()
        for entry in self._entries():
            if Path(str(entry.get("project", ""))).is_dir():
                used.update(map(str, entry.get("references", {}).values()))
        return frozenset(used)

    def _entries(self) -> Iterator[dict[str, Any]]:
        for path in sorted(self._uses().glob("*.json")):
            yield _read(path)

    def _uses(self) -> Path:
        return self.cache_dir / "images" / "uses"

    def _facts(self, reference: str) -> Path:
        return self.cache_dir / "images" / "toolchains" / f"{_digest(reference)}.json"

    def _known(self, engine: str, reference: str) -> Path:
        return self.cache_dir / "images" / "known" / f"{_digest(f'{engine} {reference}')}.json"

    def _base(self, reference: str) -> Path:
        return self.cache_dir / "images" / "bases" / f"{_digest(reference)}.json"


def _read(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def _write(path: Path, value: Mapping[str, object]) -> None:
    if _read(path) == value:
        return
    make_directory(path.parent, setting=_SETTING)
    with naming_storage_errors(path, setting=_SETTING):
        write_text_atomically(path, json.dumps(value, indent=2) + "\n")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:24]
