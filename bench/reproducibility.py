"""Build projects under circumstances that must not matter, and compare the wheels.

    python bench/reproducibility.py msgpack==1.1.2 brotli==1.1.0 --python cp312 --base bootstrap --keep wheels

Each source is built once under each condition. A directory is copied for the conditions that build elsewhere. The
table on stdout has a row for each wheel; what differs is explained below it. Exits 1 when anything differs or fails.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from conditions import CONDITIONS, Condition
from wheelkiln.system.files import sha256_of

SOCKET = Path("/var/run/docker.sock")


@dataclass(frozen=True, slots=True)
class Built:
    """What one condition gave: wheels by their names, or why there are none."""

    condition: Condition
    wheels: Mapping[str, Path]
    seconds: float
    error: str = ""


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("sources", nargs="+", help="name==version, an sdist or a directory")
    parser.add_argument("--python", action="append", default=[], help="as of wheelkiln build; repeatable")
    parser.add_argument("--base", default="pypa", help="as of wheelkiln build")
    parser.add_argument("--condition", action="append", default=[], help="only these, the first is compared with")
    parser.add_argument("--keep", type=Path, help="keep the wheels and logs in this directory")
    options = parser.parse_args(argv)
    chosen = [entry for entry in CONDITIONS if not options.condition or entry.name in options.condition]
    build_options = [f"--base={options.base}", *(f"--python={tag}" for tag in options.python)]
    alike = True
    with tempfile.TemporaryDirectory() as scratch:
        place = (options.keep or Path(scratch)).absolute()
        for source in options.sources:
            here = place / Path(source).name
            builts = [build(source, condition, here, build_options) for condition in chosen]
            print(render(source, builts), flush=True)
            explain(builts)
            alike = alike and is_alike(builts)
    return 0 if alike else 1


def build(source: str, condition: Condition, place: Path, options: Sequence[str]) -> Built:
    """Build a source under a condition, and return its wheels."""
    name = condition.name.replace(" ", "-").replace(",", "")
    home = place / (f"{name}/a rather long directory name/{'x' * 60}" if condition.elsewhere else name)
    cache, output = place / f"cache-{condition.cache}", home / "wheels"
    shutil.rmtree(place / name, ignore_errors=True)
    cache.mkdir(parents=True, exist_ok=True)
    home.mkdir(parents=True)
    argv = [sys.executable, "-m", "wheelkiln", "build", _source(source, home, condition), *options, "--no-test"]
    argv += ["--no-store", f"--engine={condition.engine}", f"--cache-dir={cache}", f"--output-dir={output}"]
    if condition.uid:
        argv = [*_as_user(condition.uid), *argv]
        for path in (cache, home):
            _give(path, condition.uid)
    started = time.monotonic()
    done = subprocess.run(
        [*argv, *condition.options],
        cwd=home,
        env=_environment(condition, home),
        umask=condition.umask,
        capture_output=True,
        text=True,
        check=False,
    )
    seconds = time.monotonic() - started
    (home / "log").write_text(done.stderr, encoding="utf-8")
    error = "" if done.returncode == 0 else next(iter(done.stderr.splitlines()[-2:]), f"exit status {done.returncode}")
    print(f"{source}: {condition.name}: {seconds:.0f} s {error}", file=sys.stderr, flush=True)
    return Built(condition, {wheel.name: wheel for wheel in sorted(output.glob("*.whl"))}, seconds, error)


def _source(source: str, home: Path, condition: Condition) -> str:
    path = Path(source)
    if not path.exists():
        return source
    if path.is_file() or not condition.elsewhere:
        return str(path.resolve())
    for made in (target := home / "checkout", *_copy(path, target)):
        if made.is_dir() or made.stat().st_mode & 0o100:  # as git makes what it checks out: executable or not
            made.chmod(0o777 & ~condition.umask)
        else:
            made.chmod(0o666 & ~condition.umask)
    return str(target)


def _copy(path: Path, target: Path) -> list[Path]:
    shutil.copytree(path, target, symlinks=True)
    return [made for made in target.rglob("*") if not made.is_symlink()]


def _environment(condition: Condition, home: Path) -> dict[str, str]:
    dropped = ("CIBW_", "WHEELKILN_", "SOURCE_DATE_EPOCH")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(dropped)}
    own = {"HOME": str(home), "USER": f"user{condition.uid}"} if condition.uid else {}
    return {**kept, **own, **condition.variables}


def _as_user(uid: int) -> list[str]:
    """Become a user who may speak to the engine, and read the interpreter where it lies in another one's home."""
    group = SOCKET.stat().st_gid if SOCKET.exists() else uid
    reading = ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]
    return ["setpriv", f"--reuid={uid}", f"--regid={uid}", f"--groups={group}", *reading]


def _give(directory: Path, uid: int) -> None:
    for path in (directory, *directory.rglob("*")):
        os.chown(path, uid, uid, follow_symlinks=False)


def render(source: str, builts: Sequence[Built]) -> str:
    """Lay a source out as a table: a row for each wheel, a column for each condition."""
    names = sorted({name for built in builts for name in built.wheels})
    lines = [f"### {source}", ""]
    lines += [f"| condition | seconds | {' | '.join(names) or 'wheel'} |", f"|---|---|{'---|' * max(len(names), 1)}"]
    for built in builts:
        cells = [_cell(built, name, builts[0]) for name in names] or [built.error]
        lines.append(f"| {built.condition.name} | {built.seconds:.0f} | {' | '.join(cells)} |")
    return "\n".join([*lines, ""])


def _cell(built: Built, name: str, first: Built) -> str:
    if name not in built.wheels:
        return built.error or "no such wheel"
    digest = sha256_of(built.wheels[name])
    same = name in first.wheels and sha256_of(first.wheels[name]) == digest
    return f"{digest[:16]} {'same' if same else 'DIFFERS'}"


def is_alike(builts: Sequence[Built]) -> bool:
    """Tell whether every condition gave the same wheels."""
    found = [{name: sha256_of(path) for name, path in built.wheels.items()} for built in builts]
    return bool(found) and bool(found[0]) and all(wheels == found[0] for wheels in found)


def explain(builts: Sequence[Built]) -> None:
    """Have wheelkiln say how a wheel differs from the first condition's."""
    first = builts[0].wheels
    for built in builts[1:]:
        for name in sorted(first.keys() & built.wheels.keys()):
            if sha256_of(first[name]) != sha256_of(built.wheels[name]):
                print(f"{built.condition.name}: {name}", flush=True)
                argv = [sys.executable, "-m", "wheelkiln", "compare", str(first[name]), str(built.wheels[name])]
                subprocess.run(argv, check=False)


if __name__ == "__main__":
    sys.exit(main())
