"""An engine's local images: what docker and podman say of them, and the few things that are done to them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from wheelkiln.errors import EnvironmentProblem
from wheelkiln.system.engine import ContainerEngine

__all__ = ["ImageStore", "Layer", "LocalImage"]

_ARCHITECTURES = {"amd64": "x86_64", "arm64": "aarch64"}


@dataclass(frozen=True, slots=True)
class LocalImage:
    """A local image: its content digest, architecture by the kernel's name, labels, size in bytes and creation.

    id is the engine's own: of one image it differs between engines that keep images differently. content does not.
    """

    reference: str
    id: str
    arch: str
    labels: Mapping[str, str] = field(default_factory=dict)
    size: int = 0
    created: str = ""
    content: str = ""


@dataclass(frozen=True, slots=True)
class Layer:
    """One step of an image's history, newest first in a history: what made it, and its size in bytes."""

    made_by: str
    size: int


@dataclass(frozen=True, slots=True)
class ImageStore:
    """The images of one engine."""

    engine: ContainerEngine

    def find(self, reference: str) -> LocalImage | None:
        """Return a local image, None where there is none: one inspect."""
        done = self.engine.run("image", "inspect", reference)
        found = _parse_list(done.stdout) if done.ok else []
        return _read_image(reference, found[0]) if found else None

    def history(self, reference: str) -> tuple[Layer, ...]:
        """Return an image's steps, the last one first."""
        done = self.engine.run("history", "--no-trunc", "--human=false", "--format", "{{json .}}", reference)
        return tuple(_read_layers(done.stdout)) if done.ok else ()

    def references(self, label: str) -> tuple[str, ...]:
        """Return the names of all images that carry a label."""
        done = self.engine.run("image", "ls", "--filter", f"label={label}", "--format", "{{.Repository}}:{{.Tag}}")
        names = {line.strip() for line in done.stdout.splitlines()} if done.ok else set()
        return tuple(sorted(name for name in names if "<none>" not in name))

    def import_tarball(self, tarball: Path, reference: str, *, platform: str, changes: Sequence[str]) -> None:
        """Make an image of one layer from a root file system."""
        _, _, arch = platform.partition("/")
        where = [f"--arch={arch}"] if self.engine.is_podman else [f"--platform={platform}"]
        options = [part for change in changes for part in ("--change", change)]
        done = self.engine.run("import", *where, *options, str(tarball), reference)
        if not done.ok:
            raise EnvironmentProblem(f"{self.engine.name} could not import the base image: {done.last_line}")

    def save(self, reference: str, directory: Path) -> str:
        """Write an image as an OCI layout and return its manifest's digest; docker does so since 25."""
        directory.mkdir(parents=True)
        archive = directory.with_suffix(".tar")
        options = ["--format=oci-archive"] if self.engine.is_podman else []
        done = self.engine.run("save", *options, "--output", str(archive), reference)
        unpacked = self.engine.runner.capture(["tar", "-xf", str(archive), "-C", str(directory)]) if done.ok else done
        archive.unlink(missing_ok=True)
        index = directory / "index.json"
        if not unpacked.ok or not index.is_file():
            reason = unpacked.last_line if not unpacked.ok else "what it saves is no OCI layout"
            raise EnvironmentProblem(
                f"{self.engine.name} could not save {reference} for the builder: {reason}",
                hint="docker does so from 25 on. The builder 'default' does without.",
            )
        return str(json.loads(index.read_text(encoding="utf-8"))["manifests"][0]["digest"])

    def save_archive(self, reference: str, archive: Path) -> None:
        """Write an image to a file that load_archive reads, on any engine of the same kind."""
        done = self.engine.run("save", "--output", str(archive), reference)
        if not done.ok:
            raise EnvironmentProblem(f"{self.engine.name} could not save {reference}: {done.last_line}")

    def load_archive(self, archive: Path) -> None:
        """Take in an image, with its name."""
        done = self.engine.run("load", "--quiet", "--input", str(archive))
        if not done.ok:
            raise EnvironmentProblem(f"{self.engine.name} could not take in an image: {done.last_line}")

    def tag(self, reference: str, name: str) -> None:
        """Give an image another name."""
        done = self.engine.run("tag", reference, name)
        if not done.ok:
            raise EnvironmentProblem(f"{self.engine.name} could not name {reference}: {done.last_line}")

    def remove(self, reference: str) -> str:
        """Remove a name, and the image with its last one; return the reason where the engine refuses."""
        done = self.engine.run("rmi", reference)
        return "" if done.ok else done.last_line


def _read_image(reference: str, table: Mapping[str, Any]) -> LocalImage:
    config = table.get("Config") or {}
    arch = str(table.get("Architecture", ""))
    return LocalImage(
        reference=reference,
        id=str(table.get("Id", "")),
        arch=_ARCHITECTURES.get(arch, arch),
        labels={str(key): str(value) for key, value in (config.get("Labels") or table.get("Labels") or {}).items()},
        size=int(table.get("Size") or 0),
        created=str(table.get("Created", "")),
        content=_content_of(table),
    )


def _content_of(table: Mapping[str, Any]) -> str:
    """Return a digest of an image's layers, which are named by what they hold, and of the time when it was made."""
    layers = (table.get("RootFS") or {}).get("Layers") or []
    told = [*map(str, layers), str(table.get("Created", ""))]
    return hashlib.sha256("\n".join(told).encode()).hexdigest() if layers else ""


def _read_layers(text: str) -> Iterator[Layer]:
    """Read docker's line for each step with ``Size`` as text, or podman's one list with ``size`` as a number."""
    for line in text.splitlines():
        try:
            value = json.loads(line)
        except ValueError:
            continue
        for table in value if isinstance(value, list) else [value]:
            size = str(table.get("Size", table.get("size", 0)))
            yield Layer(str(table.get("CreatedBy", "")), int(size) if size.isdigit() else 0)


def _parse_list(text: str) -> list[dict[str, Any]]:
    try:
        value = json.loads(text)
    except ValueError:
        return []
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []
