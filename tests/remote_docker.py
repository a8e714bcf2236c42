"""A stand-in for docker on another machine: containers that never run, volumes, and docker cp between them and here."""

from __future__ import annotations

import csv
import json
import shutil
import tarfile
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from tests.fakes import Answer, Call, Script

__all__ = ["FakeRemoteDocker"]


@dataclass
class FakeRemoteDocker:
    """Volumes are directories below root, with their labels; containers are what they mount."""

    root: Path
    volumes: dict[str, dict[str, str]] = field(default_factory=dict)
    containers: dict[str, dict[PurePosixPath, str]] = field(default_factory=dict)
    created: list[Call] = field(default_factory=list)
    labels: dict[str, str] = field(default_factory=dict)
    gone: bool = False
    owners: dict[Path, int] = field(default_factory=dict)

    def script(self) -> dict[str, Script]:
        commands: dict[str, Script] = {
            "docker create": self.create,
            "docker cp": self.copy,
            "docker rm": self.remove,
            "docker ps": self.list_containers,
            "docker buildx": Answer(),
            "docker volume create": self.create_volume,
            "docker volume inspect": self.inspect,
            "docker volume ls": self.list_volumes,
            "docker volume rm": self.remove_volumes,
        }
        return commands

    def create(self, call: Call) -> Answer:
        if self.gone:
            return Answer(stderr="error during connect: EOF", returncode=1)
        self.created.append(call)
        mounts = {}
        for argument in call.argv:
            if argument.startswith("--mount="):
                fields = next(csv.reader([argument.removeprefix("--mount=")]))
                values = dict(part.split("=", 1) for part in fields if "=" in part and "label" not in part)
                labels = [part.removeprefix("volume-label=") for part in fields if part.startswith("volume-label=")]
                self._make(values["source"], labels)
                mounts[PurePosixPath(values["target"])] = values["source"]
        name = f"c{len(self.created)}"
        self.containers[name] = mounts
        self.labels[name] = next(arg.partition("=")[2] for arg in call.argv if arg.startswith("--label="))
        return Answer(f"{name}\n")

    def copy(self, call: Call) -> Answer:
        source, target = call.argv[-2:]
        if self.gone:
            return Answer(stderr="error during connect: EOF", returncode=1)
        if ":" in source:
            place = self._place(*source.removesuffix("/.").split(":"))
            if not place.exists():
                return Answer(stderr="Could not find the file", returncode=1)
            if place.is_dir():
                shutil.copytree(place, target, dirs_exist_ok=True, symlinks=True)
            else:
                shutil.copyfile(place, target)
            return Answer()
        assert call.stdin is not None
        container = target.removesuffix(":/")
        with tarfile.open(call.stdin) as archive:
            for member in archive:
                place = self._place(container, f"/{member.name}")
                self.owners[place.relative_to(self.root)] = member.uid
                if member.isdir():
                    place.mkdir(parents=True, exist_ok=True)
                else:
                    place.parent.mkdir(parents=True, exist_ok=True)
                    place.write_bytes(_content(archive, member))
        return Answer()

    def remove(self, call: Call) -> Answer:
        for name in call.argv[2:]:
            self.containers.pop(name, None)
        return Answer()

    def list_containers(self, call: Call) -> Answer:
        if self.gone:
            return Answer(returncode=1)
        shown = [f"{name}" for name in self.containers]
        if "{{json .Labels}}" in call.argv:
            shown = [json.dumps(self.labels[name]) for name in self.containers]
        elif "--filter" in call.argv:
            wanted = call.option("--filter").removeprefix("label=")
            shown = [name for name in self.containers if self.labels[name] == wanted]
        return Answer("\n".join(shown))

    def create_volume(self, call: Call) -> Answer:
        labels = [part.removeprefix("--label=") for part in call.argv if part.startswith("--label=")]
        self._make(call.argv[-1], labels)
        return Answer()

    def inspect(self, call: Call) -> Answer:
        names = call.argv[call.argv.index("{{json .}}") + 1 :]
        found = [json.dumps({"Name": name, "Labels": self.volumes[name]}) for name in names if name in self.volumes]
        return Answer("\n".join(found), returncode=int(len(found) < len(names)))

    def list_volumes(self, call: Call) -> Answer:
        key, _, value = call.option("--filter").removeprefix("label=").partition("=")
        names = [name for name, labels in self.volumes.items() if key in labels and value in ("", labels[key])]
        return Answer("\n".join(names))

    def remove_volumes(self, call: Call) -> Answer:
        for name in call.argv[3:]:
            if self.volumes.pop(name, None) is not None:
                shutil.rmtree(self.root / name, ignore_errors=True)
        return Answer()

    def _make(self, name: str, labels: list[str]) -> None:
        if name not in self.volumes:
            self.volumes[name] = dict(label.split("=", 1) for label in labels)
            (self.root / name).mkdir(parents=True)

    def _place(self, container: str, path: str) -> Path:
        """Where a container's path lies; what is in no volume is the container's own."""
        whole = PurePosixPath(path)
        for target, volume in sorted(self.containers[container].items(), key=lambda item: -len(item[0].parts)):
            if whole.is_relative_to(target):
                return self.root / volume / whole.relative_to(target)
        return self.root / f"of-{container}" / whole.relative_to("/")


def _content(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = archive.extractfile(member)
    assert file is not None
    return file.read()
