"""A container of a kept state, with the environment of the command that failed in it."""

from __future__ import annotations

import os
import secrets
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from wheelkiln.build.command_environment import command_environment
from wheelkiln.build.runs import owner_of
from wheelkiln.build.states import KeptState
from wheelkiln.cache.presence import run_lock
from wheelkiln.cache.settings import JOB_MOUNT
from wheelkiln.errors import EnvironmentProblem, UsageProblem
from wheelkiln.system.engine import ContainerEngine
from wheelkiln.system.locks import exclusive

__all__ = ["AGAIN", "Shell", "choose_state", "open_shell"]

AGAIN = "wheelkiln-again"
"""The command in the container that runs again what failed."""
_PROJECT = "/project"


@dataclass(frozen=True, slots=True)
class Shell:
    """A running container of a state: environment is what differs from the container's own, cwd where it failed."""

    engine: ContainerEngine
    container: str
    environment: Mapping[str, str]
    cwd: str

    def run(self, command: Sequence[str], host: Mapping[str, str], *, tty: bool) -> int:
        """Run a command at this process's terminal or streams, and return its exit status.

        A value that this machine's environment has as well is passed by name: it may be a secret.
        """
        passed = [
            f"--env={name}" if host.get(name) == value else f"--env={name}={value}"
            for name, value in sorted(self.environment.items())
        ]
        options = ["--interactive", *(["--tty"] if tty else []), f"--workdir={self.cwd}", *passed]
        return self.engine.runner.interact(
            [self.engine.name.value, "exec", *options, self.container, *command], env=host
        )


def choose_state(states: Sequence[KeptState], job: str, directory: Path) -> KeptState:
    """Return the state that a job's id or pattern means, of what was built of a directory where there is one.

    Raise UsageProblem when that is none or several.
    """
    known = [state for state in states if state.directory == str(directory)] or list(states)
    name = job.rpartition("/")[2]
    found = [state for state in known if state.job == name]
    found = found or [state for state in known if fnmatchcase(state.job, name)]
    if len(found) == 1:
        return found[0]
    listed = "\n".join(f"  {state.job} of {state.project} {state.version}" for state in (found or known))
    if found:
        raise UsageProblem(f"{job} is not one kept state, but several:\n{listed}", hint="Name one, and its SOURCE.")
    kept = f"; kept are:\n{listed}" if listed else ""
    raise UsageProblem(
        f"no state of {job} is kept{kept}",
        hint="A job that fails in its container is kept, up to container.keep-failed, until it is built. One that "
        "failed before, in the making of its environment, leaves a log alone, and so does one of another machine's "
        "engine; 'wheelkiln history --failed --format json' says where.",
    )


@contextmanager
def open_shell(
    state: KeptState,
    engine: ContainerEngine,
    cache_root: Path,
    host: Mapping[str, str],
    passed: Mapping[str, str],
    say: Callable[[str], None],
) -> Iterator[Shell]:
    """Run a container of a state while the context lasts; it is taken for a run, so that none outlives its tool.

    host is the environment with the user's CIBW_* variables, passed the values of variables that the state only names.
    Raise EnvironmentProblem when it cannot be started.
    """
    run_id = f"{owner_of(cache_root)}-shell-{os.getpid()}-{secrets.token_hex(3)}"
    with exclusive(cache_root / "locks", run_lock(run_id), on_wait=lambda: None):
        try:
            container = _start(state, engine, run_id, host, passed, say)
            yield _prepare(state, engine, container, host)
        finally:
            engine.remove_containers(run_id)


def _start(
    state: KeptState,
    engine: ContainerEngine,
    run_id: str,
    host: Mapping[str, str],
    passed: Mapping[str, str],
    say: Callable[[str], None],
) -> str:
    names = [f"--env={name}" for name in state.passed if name in passed]
    argv = [engine.name.value, "run", "--detach", "--pull=never", engine.run_label(run_id)]
    argv += [*_usable(state.create_args, say), *names, state.image, "tail", "-f", "/dev/null"]
    done = engine.runner.capture(argv, env={**host, **passed})
    if not done.ok:
        raise EnvironmentProblem(
            f"{engine.name} could not start a container of the kept state: {done.last_line}",
            hint="Build the job again: when it fails, its state is kept again.",
        )
    return done.stdout.split()[-1]


def _usable(create_args: Sequence[str], say: Callable[[str], None]) -> Iterator[str]:
    """Leave out mounts of what is no longer there: an environment that was pruned, a remote cache."""
    for argument in create_args:
        source = argument.partition("source=")[2].partition(",")[0] if argument.startswith("--mount=") else ""
        if source.startswith("/") and not Path(source).exists():
            say(f"{source} is no longer there, so the shell does without it")
        else:
            yield argument


def _prepare(state: KeptState, engine: ContainerEngine, container: str, host: Mapping[str, str]) -> Shell:
    def run(command: Sequence[str], environ: Mapping[str, str]) -> str:
        values = [f"--env={name}={value}" for name, value in environ.items()]
        return engine.run("exec", *values, container, *command).stdout

    own = _parse_environment(engine.run("exec", container, "env", "-0").stdout)
    environment = command_environment(state.config_file, state.identifier, host, own, run)
    cwd = _PROJECT
    if state.stage == "test":
        environment, cwd = _as_in_test(environment, engine, container)
    environment["PATH"] = f"{environment['PATH']}:{JOB_MOUNT / 'bin'}"
    _write_again(state, cwd)
    return Shell(engine, container, {name: value for name, value in environment.items() if own.get(name) != value}, cwd)


def _as_in_test(environment: Mapping[str, str], engine: ContainerEngine, container: str) -> tuple[dict[str, str], str]:
    """Add the virtual environment of tests, and go where they ran: a directory of mktemp's that a failure leaves."""
    found = engine.run("exec", container, "sh", "-c", "ls -dt /tmp/tmp.*/venv").stdout.split()
    if not found:
        return dict(environment), _PROJECT
    place = found[0].removesuffix("/venv")
    return {
        **environment,
        "VIRTUAL_ENV": found[0],
        "PATH": f"{found[0]}/bin:{environment['PATH']}",
    }, f"{place}/test_cwd"


def _write_again(state: KeptState, cwd: str) -> None:
    """Put the command that failed where the container's PATH finds it."""
    program = state.mount / "bin" / AGAIN
    program.parent.mkdir(exist_ok=True)
    command = shlex.join(state.command) if state.command else "echo 'the command that failed is not known' >&2; false"
    program.write_text(f"#!/bin/sh\n# The command that failed in this container.\ncd {shlex.quote(cwd)}\n{command}\n")
    program.chmod(0o755)


def _parse_environment(text: str) -> dict[str, str]:
    pairs = (entry.partition("=") for entry in text.split("\0") if "=" in entry)
    return {name: value for name, _, value in pairs}
