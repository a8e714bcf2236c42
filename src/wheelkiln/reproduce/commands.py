"""What cibuildwheel would run for a record, read by cibuildwheel itself."""

from __future__ import annotations

import shlex
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from wheelkiln.build.cibuildwheel_config import write_toml
from wheelkiln.errors import VerificationError
from wheelkiln.system.cibuildwheel import read_cibuildwheel
from wheelkiln.verify.record import Record

__all__ = ["BuildCommands", "commands_of"]

PROJECT = "/project"
DEST = "/tmp/cibuildwheel/repaired_wheel"  # noqa: S108 - inside a container of one job


@dataclass(frozen=True, slots=True)
class BuildCommands:
    """The commands of one job, for a shell in its container.

    environment are assignments in the shell's notation, in their order; repair has ``{wheel}`` where the wheel's name
    is to be put.
    """

    before_all: str
    before_build: str
    environment: tuple[tuple[str, str], ...]
    config_settings: tuple[str, ...]
    repair: str


def commands_of(record: Record) -> BuildCommands:
    """Merge the configuration and the variables as cibuildwheel does (options: precedence).

    Raise VerificationError where it cannot: the record may be anybody's.
    """
    from cibuildwheel.errors import FatalError
    from cibuildwheel.options import CommandLineArguments, Options
    from cibuildwheel.util.helpers import prepare_command

    if record.identifier not in read_cibuildwheel().identifiers:
        raise VerificationError(f"the installed cibuildwheel does not know {record.identifier}")
    with tempfile.TemporaryDirectory() as place:
        file = Path(place) / "cibuildwheel.toml"
        file.write_text(write_toml({"tool": {"cibuildwheel": record.build.configuration}}), encoding="utf-8")
        arguments = replace(
            CommandLineArguments.defaults(),
            platform="linux",
            only=record.identifier,
            config_file=str(file),
            package_dir=Path(place),
        )
        try:
            options = Options(platform="linux", command_line_arguments=arguments, env=dict(record.build.variables))
            found = options.build_options(record.identifier)
        except (FatalError, AssertionError, LookupError, TypeError, ValueError) as error:
            raise VerificationError(f"cibuildwheel cannot read the configuration of the record: {error}") from error

    def prepare(command: str | None, **names: str) -> str:
        return prepare_command(command, project=PROJECT, package=PROJECT, **names) if command else ""

    return BuildCommands(
        before_all=prepare(found.before_all),
        before_build=prepare(found.before_build),
        environment=tuple((it.name, str(getattr(it, "value", ""))) for it in found.environment.assignments),
        config_settings=tuple(_settings(prepare(found.config_settings))),
        repair=prepare(found.repair_command, wheel="{wheel}", dest_dir=DEST),
    )


def _settings(text: str) -> Iterator[str]:
    for setting in shlex.split(text):
        yield f"--config-settings={setting}"
