#!/opt/wheelkiln/python/bin/python
"""Make a build environment at the fixed path, or ask the backend in it what else it needs.

Usage: wheelkiln-environment make TAG PINS
       wheelkiln-environment ask TAG SDIST

TAG is the interpreter's (cp312). ``make`` makes the environment in /tmp/wheelkiln/env, an empty directory, from a file
of pinned and hashed requirements with nothing left out. It says when all is installed, and goes on with the bytecode,
which a mounted environment cannot get any more. ``ask`` says get_requires_for_build_wheel as JSON (PEP 517); the
project's code runs meanwhile, so the environment is not to be writable then.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ENVIRONMENT = "/tmp/wheelkiln/env"
INSTALLED = "wheelkiln: installed"
ANSWER = "wheelkiln: the backend asks for "
PROGRAMS = "/opt/wheelkiln/links"
CYTHON_HOOK = f"""\
import sys; any("ython" in word for word in sys.orig_argv[1:3]) and "cython_cache" not in sys.modules and (\
sys.path.append("{PROGRAMS}"), __import__("cython_cache").begin(), sys.path.remove("{PROGRAMS}"))
"""
"""A .pth file's line (site: .pth files). It is run twice in a virtual environment, and in each of its interpreters."""
LEGACY = {"requires": ["setuptools>=40.8.0"], "build-backend": "setuptools.build_meta:__legacy__"}


def main(action: str, tag: str, file: str) -> int:
    (prefix,) = Path("/opt/python").glob(f"{tag}-*")
    python = f"{prefix}/bin/python"
    if action == "make":
        return make(python, file)
    # The interpreter's own site-packages have build's pyproject_hooks.
    return subprocess.run([python, __file__, "--ask", file], check=False).returncode


def make(python: str, pins: str) -> int:
    subprocess.run([python, "-m", "venv", "--without-pip", ENVIRONMENT], check=True)
    if Path(pins).stat().st_size:
        install = ["uv", "pip", "install", "--quiet", "--no-deps", "--require-hashes", "--no-config"]
        done = subprocess.run([*install, "--python", f"{ENVIRONMENT}/bin/python", "--requirement", pins], check=False)
        if done.returncode:
            return done.returncode
    for site in Path(ENVIRONMENT, "lib").glob("python*/site-packages"):
        if any(site.glob("[Cc]ython-*.dist-info")) and Path(PROGRAMS, "cython_cache.py").is_file():
            Path(site, "wheelkiln_cython.pth").write_text(CYTHON_HOOK)
    print(INSTALLED, flush=True)
    compiled = ["-m", "compileall", "-q", "-j0", "--invalidation-mode", "unchecked-hash", f"{ENVIRONMENT}/lib"]
    subprocess.run(
        [python, *compiled], check=False, stdout=subprocess.DEVNULL
    )  # templates in packages need not compile
    return 0


def ask(sdist: str) -> int:
    from pyproject_hooks import BuildBackendHookCaller

    with tempfile.TemporaryDirectory() as scratch:
        subprocess.run(["tar", "-xf", sdist, "-C", scratch, "--no-same-owner"], check=True)
        (source,) = (str(entry) for entry in Path(scratch).iterdir() if entry.is_dir())
        system = {**LEGACY, **read_build_system(source)}
        caller = BuildBackendHookCaller(
            source,
            system["build-backend"],
            backend_path=system.get("backend-path"),
            runner=run_quietly,
            python_executable=f"{ENVIRONMENT}/bin/python",
        )
        print(f"{ANSWER}{json.dumps(list(caller.get_requires_for_build_wheel()))}", flush=True)
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
