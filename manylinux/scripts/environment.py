#!/opt/wheelkiln/python/bin/python
"""Make a build environment at the fixed path, and ask the backend what else it needs.

Usage: wheelkiln-environment TAG PINS [SDIST]

TAG is the interpreter's (cp312), PINS a file of pinned and hashed requirements with nothing left out, SDIST the
project's. The environment is made in /tmp/wheelkiln/env, an empty directory, with its bytecode: it will be mounted
read-only. With SDIST the last line of the output is the backend's get_requires_for_build_wheel as JSON (PEP 517).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

ENVIRONMENT = "/tmp/wheelkiln/env"
LEGACY = {"requires": ["setuptools>=40.8.0"], "build-backend": "setuptools.build_meta:__legacy__"}


def main(tag: str, pins: str, sdist: str = "") -> int:
    (prefix,) = Path("/opt/python").glob(f"{tag}-*")
    python = f"{prefix}/bin/python"
    subprocess.run([python, "-m", "venv", "--without-pip", ENVIRONMENT], check=True)
    if Path(pins).stat().st_size:
        install = ["uv", "pip", "install", "--quiet", "--no-deps", "--require-hashes", "--no-config"]
        done = subprocess.run([*install, "--python", f"{ENVIRONMENT}/bin/python", "--requirement", pins], check=False)
        if done.returncode:
            return done.returncode
    if sdist:
        # The interpreter's own site-packages have build's pyproject_hooks.
        ask = [python, __file__, "--ask", sdist]
        done = subprocess.run(ask, check=False)
        if done.returncode:
            return done.returncode
    compiled = ["-m", "compileall", "-q", "-j0", "--invalidation-mode", "unchecked-hash", f"{ENVIRONMENT}/lib"]
    subprocess.run(
        [python, *compiled], check=False, stdout=subprocess.DEVNULL
    )  # templates in packages need not compile
    return 0


def ask(sdist: str) -> int:
    from pyproject_hooks import BuildBackendHookCaller

    with tempfile.TemporaryDirectory() as scratch:
        with tarfile.open(sdist) as archive:
            safe = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
            archive.extractall(scratch, **safe)
        (source,) = (str(entry) for entry in Path(scratch).iterdir() if entry.is_dir())
        system = {**LEGACY, **read_build_system(source)}
        caller = BuildBackendHookCaller(
            source,
            system["build-backend"],
            backend_path=system.get("backend-path"),
            runner=run_quietly,
            python_executable=f"{ENVIRONMENT}/bin/python",
        )
        print(json.dumps(list(caller.get_requires_for_build_wheel())), flush=True)
    return 0


def run_quietly(command: list[str], cwd: str | None = None, extra_environ: dict[str, str] | None = None) -> None:
    """Keep what the backend prints for the case that it fails."""
    done = subprocess.run(
        command,
        cwd=cwd,
        env={**os.environ, **(extra_environ or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.stderr.write(done.stdout)
        raise subprocess.CalledProcessError(done.returncode, command)


def read_build_system(source: str) -> dict[str, object]:
    try:
        import tomllib
    except ModuleNotFoundError:  # CPython 3.10: build brings tomli along
        import tomli as tomllib  # type: ignore[import-not-found,no-redef]
    try:
        text = Path(source, "pyproject.toml").read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    return tomllib.loads(text).get("build-system", {})


if __name__ == "__main__":
    sys.exit(ask(sys.argv[2]) if sys.argv[1] == "--ask" else main(*sys.argv[1:]))
