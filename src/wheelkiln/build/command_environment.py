"""The environment that cibuildwheel runs a job's commands in, made again for a shell."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

__all__ = ["command_environment"]


def command_environment(
    config_file: Path,
    identifier: str,
    host: Mapping[str, str],
    container: Mapping[str, str],
    run: Callable[[Sequence[str], Mapping[str, str]], str],
) -> dict[str, str]:
    """Return what platforms/linux.py (build_in_container) gives to a command of this identifier.

    host is cibuildwheel's own environment, with the user's CIBW_* variables; container that of the container's own
    processes; run runs a command there and returns what it prints, for values such as ``$(nproc)``.
    """
    from cibuildwheel.options import CommandLineArguments, Options

    from wheelkiln.system.cibuildwheel import interpreter_path

    arguments = replace(
        CommandLineArguments.defaults(),
        platform="linux",
        only=identifier,
        config_file=str(config_file),
        package_dir=config_file.parent,
    )
    options = Options(platform="linux", command_line_arguments=arguments, env=host).build_options(identifier)
    base = {
        **container,
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_ROOT_USER_ACTION": "ignore",
        "PATH": f"{interpreter_path(identifier)}/bin:{container.get('PATH', '')}",
    }
    evaluated = options.environment.as_dictionary(base, executor=run)
    return {**evaluated, "CIBUILDWHEEL_BUILD_IDENTIFIER": identifier}
