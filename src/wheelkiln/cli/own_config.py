"""The configuration of a directory that need not be a project, for commands that work on images alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wheelkiln.cli.console import log_command
from wheelkiln.config.load import load_config
from wheelkiln.config.model import Config
from wheelkiln.system.host import HostFacts, read_host
from wheelkiln.system.process import ProcessRunner

__all__ = ["OwnConfig", "load_own_config"]


@dataclass(frozen=True, slots=True)
class OwnConfig:
    """What was read, and the door to processes."""

    config: Config
    host: HostFacts
    runner: ProcessRunner
    directory: Path

    def pyproject(self) -> Mapping[str, Any]:
        """Read the directory's pyproject.toml, empty where there is none."""
        from wheelkiln.source.prepare import inspect_directory

        return inspect_directory(self.directory).pyproject if (self.directory / "pyproject.toml").is_file() else {}


def load_own_config(directory: Path, file: Path | None, flags: Mapping[str, Any], *, verbose: bool) -> OwnConfig:
    """Read the configuration of a directory; raise ConfigError with every fault."""
    host = read_host()
    place = (host.cwd / directory).resolve()
    loaded = load_config(place, host.environ, flags, file=file)
    return OwnConfig(loaded.config, host, ProcessRunner(log_command if verbose else None), place)
