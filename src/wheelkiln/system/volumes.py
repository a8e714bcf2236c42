"""An engine's volumes: by label, with what they are labelled as."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from wheelkiln.errors import EnvironmentProblem
from wheelkiln.system.engine import ContainerEngine

__all__ = ["VolumeStore"]


@dataclass(frozen=True, slots=True)
class VolumeStore:
    """The volumes of one engine; all that wheelkiln makes have labels."""

    engine: ContainerEngine

    def labels(self, name: str) -> Mapping[str, str]:
        """Return a volume's labels, none where there is no such volume."""
        return self._inspect([name]).get(name, {})

    def labelled(self, label: str) -> Mapping[str, Mapping[str, str]]:
        """Return the labels of all volumes that carry a label, with or without a value, by name."""
        done = self.engine.run("volume", "ls", "--quiet", "--filter", f"label={label}")
        names = done.stdout.split() if done.ok else []
        return self._inspect(names) if names else {}

    def create(self, name: str, labels: Sequence[str]) -> None:
        """Make a volume; nothing happens where there is one of that name."""
        done = self.engine.run("volume", "create", *(f"--label={label}" for label in labels), name)
        if not done.ok:
            raise EnvironmentProblem(f"{self.engine.name} could not make a volume: {done.last_line}")

    def remove(self, *names: str) -> None:
        """Remove volumes; those that are in use stay, those that are gone are passed over."""
        if names:
            self.engine.run("volume", "rm", "--force", *names)

    def _inspect(self, names: Sequence[str]) -> dict[str, Mapping[str, str]]:
        done = self.engine.run("volume", "inspect", "--format", "{{json .}}", *names)
        found: dict[str, Mapping[str, str]] = {}
        for line in done.stdout.splitlines():  # of those that are gone there is none, and the status tells of them
            with suppress(ValueError):
                table: Any = json.loads(line)
                found[str(table["Name"])] = {str(key): str(value) for key, value in (table["Labels"] or {}).items()}
        return found
