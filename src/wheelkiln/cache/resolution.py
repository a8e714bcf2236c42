"""Resolving build requirements to pins, by uv on this machine, for any Python and platform."""

from __future__ import annotations

import json
import os
import re
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from wheelkiln.cache.lock import Pin, parse_pins
from wheelkiln.errors import BuildError, EnvironmentProblem
from wheelkiln.system.files import make_directory, write_text_atomically
from wheelkiln.system.locks import scratch_directory
from wheelkiln.system.process import Runner, mask_secrets

__all__ = ["Resolver"]

_FRESH_SECONDS = 600
"""How long an answer is taken for the index's present one: what PyPI itself allows a client to keep a page."""
_KEPT_LINES = 12
_UNREACHABLE = re.compile(
    r"error sending request|dns error|connect|timed out|network was disabled|offline|certificate", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Resolver:
    """Asks ``uv pip compile``, and remembers its answers for a few minutes.

    environ has the indexes (``UV_*``) and the proxies; offline lets uv look at its own cache alone.
    """

    runner: Runner
    environ: Mapping[str, str]
    cache_dir: Path
    offline: bool = False

    def resolve(
        self, requires: Sequence[str], *, python: str, platform: str, preferred: Sequence[Pin] = (), fresh: bool = False
    ) -> tuple[Pin, ...]:
        """Return everything that must be installed, with the hashes of all files of each.

        python is a version (``3.12``), platform uv's name of one (``x86_64-manylinux_2_28``). preferred are pins to
        keep where they still fit; fresh asks the index again. Raise BuildError when there is no solution,
        EnvironmentProblem when the index does not answer.
        """
        if not requires:
            return ()
        asked = [sorted(requires), python, platform, [pin.line for pin in preferred], self._indexes()]
        memory = self.cache_dir / "answers" / f"{sha256(json.dumps(asked).encode()).hexdigest()[:32]}.txt"
        known = None if fresh else self._remembered(memory)
        if known is None:
            known = self._ask(requires, python, platform, preferred)
            make_directory(memory.parent, setting="[tool.wheelkiln.cache] dir")
            write_text_atomically(memory, known)
        return parse_pins(known.splitlines())

    def _indexes(self) -> list[str]:
        return [f"{name}={value}" for name, value in sorted(self.environ.items()) if name.startswith("UV_")]

    def _remembered(self, memory: Path) -> str | None:
        try:
            age = time.time() - memory.stat().st_mtime
            return memory.read_text(encoding="utf-8") if self.offline or 0 <= age < _FRESH_SECONDS else None
        except OSError:
            return None

    def _ask(self, requires: Sequence[str], python: str, platform: str, preferred: Sequence[Pin]) -> str:
        make_directory(self.cache_dir, setting="[tool.wheelkiln.cache] dir")
        with scratch_directory(self.cache_dir, "asking-") as scratch:
            asked, answer = scratch / "requires.in", scratch / "pins.txt"
            asked.write_text("".join(f"{line}\n" for line in requires), encoding="utf-8")
            if preferred:  # uv keeps what stands in its output file where it can
                answer.write_text("".join(f"{pin.line}\n" for pin in preferred), encoding="utf-8")
            argv = [_uv(), "pip", "compile", "--quiet", "--no-config", "--no-header", "--no-annotate"]
            argv += ["--generate-hashes", "--python", sys.executable, "--python-version", python]
            argv += ["--python-platform", platform, "--output-file", str(answer), str(asked)]
            environ = {**self.environ, "UV_CACHE_DIR": str(self.cache_dir / "uv"), "UV_PYTHON_DOWNLOADS": "never"}
            done = self.runner.capture([*argv, *(["--offline"] if self.offline else [])], env=environ)
            if not done.ok:
                raise _explain(done.stderr or done.stdout, requires, python, platform, offline=self.offline)
            return answer.read_text(encoding="utf-8")


def _uv() -> str:
    import uv

    return os.fsdecode(uv.find_uv_bin())


def _explain(
    output: str, requires: Sequence[str], python: str, platform: str, *, offline: bool
) -> BuildError | EnvironmentProblem:
    lines = [mask_secrets(line.strip()) for line in output.splitlines() if line.strip()]
    told = "\n".join(f"  | {line}" for line in lines[:_KEPT_LINES])
    what = f"the build requirements for Python {python} on {platform} ({', '.join(requires)})"
    if offline:
        return EnvironmentProblem(
            f"without a network, {what} cannot be resolved:\n{told}",
            hint="'wheelkiln lock' with a network writes them down and fills the cache.",
        )
    if _UNREACHABLE.search(output):
        return EnvironmentProblem(
            f"{what} could not be looked up:\n{told}",
            hint="Does the package index answer? 'wheelkiln doctor' tries; --offline builds from what is cached.",
        )
    return BuildError(
        f"{what} have no solution:\n{told}",
        hint="Mend [build-system] requires of the project, or name further indexes with 'index' in [tool.wheelkiln].",
    )
