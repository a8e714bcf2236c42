"""Hand-written stand-ins for what is outside of the program."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.archives import write_wheel
from wheelkiln.system.process import Completed

__all__ = ["Answer", "Call", "FakeCibuildwheel", "FakeClock", "FakeRunner"]


@dataclass(frozen=True, slots=True)
class Call:
    """A command that was asked for; the running interpreter is called ``python`` in it, and uv ``uv``."""

    argv: tuple[str, ...]
    cwd: Path | None = None
    env: Mapping[str, str] | None = None
    stdin: Path | None = None

    @property
    def line(self) -> str:
        return shlex.join(self.argv)

    def option(self, name: str) -> str:
        """Return the argument that follows an option."""
        return self.argv[self.argv.index(name) + 1]


@dataclass(frozen=True, slots=True)
class Answer:
    stdout: str = ""
    returncode: int = 0
    stderr: str = ""


Script = Answer | Exception | Callable[[Call], Answer]


@dataclass
class FakeRunner:
    """Answers commands by the longest scripted beginning of their line, refuses all others, and keeps the calls."""

    script: Mapping[str, Script] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)
    stopped: bool = False

    def capture(
        self,
        argv: Sequence[str],
        *,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        timeout: float | None = None,
        stdin: Path | None = None,
    ) -> Completed:
        answer = self._answer(argv, cwd, env, stdin)
        return Completed(tuple(argv), answer.returncode, answer.stdout, answer.stderr)

    def stream(
        self,
        argv: Sequence[str],
        *,
        on_line: Callable[[str], None],
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
    ) -> int:
        answer = self._answer(argv, cwd, env)
        for line in answer.stdout.splitlines():
            on_line(line)
        return answer.returncode

    def interact(self, argv: Sequence[str], *, env: Mapping[str, str] | None = None) -> int:
        return self._answer(argv, None, env).returncode

    def stop(self) -> None:
        self.stopped = True

    @property
    def lines(self) -> list[str]:
        return [call.line for call in self.calls]

    def _answer(
        self, argv: Sequence[str], cwd: Path | None, env: Mapping[str, str] | None, stdin: Path | None = None
    ) -> Answer:
        call = Call(tuple(_short_name(part) for part in argv), cwd, env, stdin)
        self.calls.append(call)
        matching = [beginning for beginning in self.script if call.line.startswith(beginning)]
        if not matching:
            raise AssertionError(f"no answer is scripted for: {call.line}")
        answer = self.script[max(matching, key=len)]
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, Answer) else answer(call)


def _short_name(part: str) -> str:
    if part == sys.executable:
        return "python"
    return "uv" if part.startswith("/") and part.endswith("/bin/uv") else part


@dataclass
class FakeClock:
    """A clock that is moved by hand."""

    now: float = 100.0

    def __call__(self) -> float:
        return self.now


@dataclass
class FakeCibuildwheel:
    """cibuildwheel and auditwheel as a run sees them: wheels appear, lines are printed, statistics are logged.

    wheels are the file names by identifier (default: one for that Python and C library); broken holds identifiers
    that fail; symbols is what auditwheel says of wheels for glibc. pins are what uv resolves to, hooked what the
    backend asks for besides, environments the containers that made one. files are members of a wheel besides those
    that every one has.
    """

    wheels: Mapping[str, Sequence[str]] = field(default_factory=dict)
    broken: frozenset[str] = frozenset()
    output: str = "Starting container image x...\n\x1b[1m* Building wheel...\x1b[0m\nRepairing wheel...\n"
    statistics: str = "# a.c\ncache_miss\n# b.c\ndirect_cache_hit\n"
    symbols: str = "manylinux_2_17_x86_64"
    pins: str = "setuptools==80.9.0 \\\n    --hash=sha256:aa\n"
    hooked: Sequence[str] = ()
    built: list[str] = field(default_factory=list)
    environments: list[Call] = field(default_factory=list)
    during: Callable[[Call], None] = field(default=lambda _: None)
    files: Callable[[Call], Mapping[str, bytes]] = field(default=lambda _: {})

    def script(self) -> dict[str, Script]:
        return {
            "python -m cibuildwheel": self.build,
            "uv pip compile": self.resolve,
            "docker run": self.make_environment,
            "python -m auditwheel show --json": self.show,
            "python -m abi3audit": Answer("{}"),
        }

    def resolve(self, call: Call) -> Answer:
        Path(call.option("--output-file")).write_text(self.pins)
        return Answer()

    def make_environment(self, call: Call) -> Answer:
        self.environments.append(call)
        if "ask" in call.argv:
            return Answer(f"a.py:1: a warning\n  x\nwheelkiln: the backend asks for {json.dumps(list(self.hooked))}\n")
        return Answer("made\nwheelkiln: installed\n")

    def show(self, call: Call) -> Answer:
        tag = "musllinux_1_2_x86_64" if "musllinux" in call.argv[-1] else self.symbols
        return Answer(f'{{"overall_tag": "{tag}"}}')

    def build(self, call: Call) -> Answer:
        identifier, out = call.option("--only"), Path(call.option("--output-dir"))
        self.built.append(identifier)
        self.during(call)
        (out.parent / "mount/ccache.log").write_text(self.statistics)
        if identifier in self.broken:
            return Answer(f"{self.output}a.c:1: error: broken\n", returncode=1)
        python, _, platform = identifier.partition("-")
        policy = platform.replace("manylinux", "manylinux_2_17").replace("musllinux", "musllinux_1_2")
        default = (f"kern-1.2-{python}-{python}-{policy}.whl",)
        for name in self.wheels.get(identifier, default):
            write_wheel(out, name, files=self.files(call))
        return Answer(self.output)
