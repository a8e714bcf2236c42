"""Child processes: one runner that starts, streams, masks and stops them."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from wheelkiln.errors import EnvironmentProblem

__all__ = ["Completed", "ProcessRunner", "Runner", "mask_secrets", "stream_and_keep", "without_credentials"]

_CREDENTIALS_IN_URL = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]*://)[^/\s]+@", re.IGNORECASE)
_TOKEN = re.compile(r"(?P<name>\bbearer-token=)[^\s|'\"]+")
"""An attribute of ccache's remote storage."""
_STOP_SECONDS = 10.0


def mask_secrets(text: str) -> str:
    """Return text with the user and password of every URL in it, and ccache's bearer token, replaced by ``***``."""
    return _TOKEN.sub(r"\g<name>***", _CREDENTIALS_IN_URL.sub(r"\g<scheme>***@", text))


def without_credentials(text: str) -> str:
    """Return text with the user and password of every URL in it left out; the user of ssh's stays, being no secret."""
    return _CREDENTIALS_IN_URL.sub(
        lambda match: (
            match[0] if match["scheme"].lower().endswith("ssh://") and ":" not in match[0][6:] else match["scheme"]
        ),
        text,
    )


@dataclass(frozen=True, slots=True)
class Completed:
    """A finished child process; ``returncode`` is negative when a signal ended it."""

    argv: tuple[str, ...]
    returncode: int
    stdout: str
    stderr: str

    @property
    def ok(self) -> bool:
        return self.returncode == 0

    @property
    def last_line(self) -> str:
        """The last line that it printed: for most tools, the reason why it failed."""
        lines = [line.strip() for line in (self.stderr or self.stdout).splitlines() if line.strip()]
        return mask_secrets(lines[-1]) if lines else f"exit status {self.returncode}"


class Runner(Protocol):
    """What the rest of the program needs of child processes; tests pass a hand-written fake."""

    def capture(
        self,
        argv: Sequence[str],
        *,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        timeout: float | None = None,
        stdin: Path | None = None,
    ) -> Completed:
        """Run argv to its end and return what it printed.

        timeout is in seconds, stdin a file that it reads; without one it reads nothing. Raise EnvironmentProblem when
        the program is not there or takes longer.
        """
        ...

    def stream(
        self,
        argv: Sequence[str],
        *,
        on_line: Callable[[str], None],
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
    ) -> int:
        """Run argv, call on_line with each line of its joined output, return its exit status.

        When on_line raises or the user interrupts, the whole process group is stopped first.
        """
        ...

    def interact(self, argv: Sequence[str], *, env: Mapping[str, str] | None = None) -> int:
        """Run argv at this process's own terminal or streams, and return its exit status."""
        ...

    def stop(self) -> None:
        """End every stream that other threads have running, and let no other begin."""
        ...


class ProcessRunner:
    """The real runner; ``log`` receives each command line, with secrets masked. Threads may share it."""

    def __init__(self, log: Callable[[str], None] | None = None) -> None:
        self._log = log
        self._streaming: set[subprocess.Popen[bytes]] = set()
        self._stopped = False

    def stop(self) -> None:
        self._stopped = True
        for process in tuple(self._streaming):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGTERM)

    def capture(
        self,
        argv: Sequence[str],
        *,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        timeout: float | None = None,
        stdin: Path | None = None,
    ) -> Completed:
        self._note(argv)
        try:
            with (stdin or Path(os.devnull)).open("rb") as given:
                done = subprocess.run(
                    list(argv), cwd=cwd, env=env, stdin=given, capture_output=True, check=False, timeout=timeout
                )
        except subprocess.TimeoutExpired as error:
            raise EnvironmentProblem(f"'{argv[0]}' did not answer within {timeout:.0f} seconds") from error
        except OSError as error:
            raise _cannot_start(argv, error) from error
        return Completed(
            argv=tuple(argv),
            returncode=done.returncode,
            stdout=done.stdout.decode("utf-8", errors="replace"),
            stderr=done.stderr.decode("utf-8", errors="replace"),
        )

    def stream(
        self,
        argv: Sequence[str],
        *,
        on_line: Callable[[str], None],
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
    ) -> int:
        self._note(argv)
        try:
            process = subprocess.Popen(
                list(argv),
                cwd=cwd,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            raise _cannot_start(argv, error) from error
        with process:
            try:
                self._streaming.add(process)
                if self._stopped:  # between the check of another thread and here
                    _stop_group(process)
                assert process.stdout is not None
                for line in process.stdout:
                    on_line(line.decode("utf-8", errors="replace").rstrip("\r\n"))
                return process.wait()
            except BaseException:
                _stop_group(process)
                raise
            finally:
                self._streaming.discard(process)

    def interact(self, argv: Sequence[str], *, env: Mapping[str, str] | None = None) -> int:
        self._note(argv)
        # The terminal sends Ctrl-C to both: it is for the child. A handler, unlike SIG_IGN, is not inherited.
        before = signal.signal(signal.SIGINT, lambda *_: None)
        try:
            return subprocess.run(list(argv), env=env, check=False).returncode
        except OSError as error:
            raise _cannot_start(argv, error) from error
        finally:
            signal.signal(signal.SIGINT, before)

    def _note(self, argv: Sequence[str]) -> None:
        if self._log is not None:
            self._log(mask_secrets(shlex.join(argv)))


def stream_and_keep(
    runner: Runner,
    argv: Sequence[str],
    *,
    on_line: Callable[[str], None],
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> tuple[int, list[str]]:
    """Stream like a runner does, and also return every line: what a failure is explained from."""
    lines: list[str] = []

    def note(line: str) -> None:
        lines.append(line)
        on_line(line)

    return runner.stream(argv, on_line=note, cwd=cwd, env=env), lines


def _cannot_start(argv: Sequence[str], error: OSError) -> EnvironmentProblem:
    if isinstance(error, FileNotFoundError):
        return EnvironmentProblem(f"'{argv[0]}' is not installed", hint=f"Install it or put it on PATH: {argv[0]}")
    return EnvironmentProblem(f"'{argv[0]}' could not be started: {error.strerror}")


def _stop_group(process: subprocess.Popen[bytes]) -> None:
    """Ask the process group to end, then make it."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=_STOP_SECONDS)
            return
