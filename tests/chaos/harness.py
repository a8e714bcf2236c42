"""Disturb real builds by random kills, go on, and look whether anything was lost, built twice or left behind.

An episode is one matrix of small builds. It is started and killed several times, then run to its end without a kill.
What must hold then is in _Judge: all wheels are there and valid, none that had landed was built again, and no
container, volume, process or temporary file is left.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import json
import os
import random
import re
import shutil
import subprocess
import sys
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.chaos.engines import Engine, OwnDockerd
from wheelkiln.build.journal import Journal
from wheelkiln.build.runs import owner_of
from wheelkiln.system.interpreters import find_interpreters
from wheelkiln.system.orphans import RUN_VARIABLE

__all__ = ["Chaos", "Tally"]

_PROJECT = Path(__file__).parent.parent / "projects" / "plain"
_RUN_SECONDS = 600
_LINES = 12
"""What a run prints of a job: a kill comes after a random number of lines, however fast the machine is."""
_PAUSE_SECONDS = 0.6
_MOST_KILLS = 5
"""Kills of one episode."""


@dataclass
class Tally:
    """What was done and seen; faults is what must not be."""

    kills: Counter[str] = field(default_factory=Counter)
    episodes: int = 0
    runs: int = 0
    wheels: int = 0
    landed_before_a_kill: int = 0
    exits: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)

    def as_text(self) -> str:
        kills = ", ".join(f"{number} {name}" for name, number in sorted(self.kills.items()))
        exits = ", ".join(f"{number} x {name}" for name, number in sorted(self.exits.items()))
        lines = [
            f"{self.kills.total()} kills ({kills}) in {self.episodes} matrices, {self.runs} runs (exits: {exits})",
            f"{self.wheels} wheels checked; {self.landed_before_a_kill} had landed before a kill",
            f"{len(self.faults)} faults",
        ]
        return "\n".join([*lines, *(f"  {fault}" for fault in self.faults)])


@dataclass
class Chaos:
    """place holds all that is written; dockerd is the engine that may be killed, None to leave engines alone."""

    place: Path
    cache: Path
    engine: Engine
    rng: random.Random
    dockerd: OwnDockerd | None = None
    pythons: tuple[str, ...] = ("cp310", "cp311", "cp312", "cp313")
    say: Callable[[str], None] = print
    tally: Tally = field(default_factory=Tally)
    images: list[str] = field(default_factory=list)

    def disturb(self, kills: int) -> Tally:
        """Run episodes until there have been this many kills."""
        volumes = self.engine.volumes()
        while self.tally.kills.total() < kills:
            self.tally.episodes += 1
            left = kills - self.tally.kills.total()
            _Episode(self, self.tally.episodes).run(min(left, self.rng.randint(1, _MOST_KILLS)))
        for volume in self.engine.volumes() - volumes:
            self.tally.faults.append(f"volume {volume} is left")
        return self.tally

    def warm_up(self) -> list[str]:
        """Build once undisturbed: the images, which are returned, and the environments are then there."""
        _Episode(self, 0).run(0)
        return self.images


class _Episode:
    def __init__(self, chaos: Chaos, number: int) -> None:
        self._chaos, self._number = chaos, number
        self._source = chaos.place / f"source-{number}"
        self._output = chaos.place / f"wheels-{number}"
        self._judge = _Judge(chaos, self._output)

    def run(self, kills: int) -> None:
        shutil.copytree(_PROJECT, self._source)
        self._change_source()
        done = 0
        while done < kills and self._judge.missing:
            done += self._run_and_kill()
        code, log = self._end(self._start())
        if code != 0:
            self._chaos.tally.faults.append(f"episode {self._number}: the run without a kill ended with {code}: {log}")
            return
        self._judge.judge_end(self._number)
        if not self._chaos.tally.faults:
            shutil.rmtree(self._source)
            shutil.rmtree(self._output)

    def _change_source(self) -> None:
        """Make a source that no cache knows, and that takes a moment to compile."""
        for path in self._source.rglob("*.c"):
            numbers = {self._chaos.rng.randrange(1 << 30) for _ in range(600)}
            more = "\n".join(f"int chaos_{it}(int x) {{ return x * {it} + {self._number}; }}" for it in numbers)
            libc = (
                "#include <stdlib.h>\nint chaos_libc(void) { return rand(); }"  # auditwheel asks for one symbol of it
            )
            path.write_text(f"{path.read_text()}\n{libc}\n{more}\n")

    def _run_and_kill(self) -> int:
        """Run until a kill; return whether there was something to kill."""
        chaos = self._chaos
        process, log = self._start()
        targets = ["tool", "container", *(["engine", "machine"] if chaos.dockerd else [])]
        target = chaos.rng.choice(targets)
        _wait_for_lines(process, log, chaos.rng.randrange(_LINES * self._judge.missing))
        _wait(process, chaos.rng.uniform(0, _PAUSE_SECONDS))
        hit = process.poll() is None and getattr(self, f"_kill_{target}")(process)
        code, _ = self._end((process, log))
        chaos.tally.exits[str(code)] += 1
        if hit:
            chaos.tally.kills[target] += 1
            chaos.say(f"{chaos.tally.kills.total():3} {target}: the run ended with {code} ({log.name})")
        if chaos.dockerd and chaos.dockerd.process and chaos.dockerd.process.poll() is not None:
            chaos.dockerd.start()
        self._judge.look(after_kill=hit)
        return int(hit)

    def _kill_tool(self, process: subprocess.Popen[bytes]) -> bool:
        process.kill()
        return True

    def _kill_container(self, process: subprocess.Popen[bytes]) -> bool:
        while process.poll() is None:
            running = self._chaos.engine.run("ps", "-q", "--no-trunc", "--filter", "label=io.wheelkiln.run").stdout
            ours = set(self._chaos.engine.containers(owner_of(self._chaos.cache))) & set(running.split())
            if ours and self._chaos.engine.run("kill", self._chaos.rng.choice(sorted(ours))).returncode == 0:
                return True
            time.sleep(0.1)
        return False

    def _kill_engine(self, _: subprocess.Popen[bytes]) -> bool:
        assert self._chaos.dockerd is not None
        self._chaos.dockerd.kill()
        return True

    def _kill_machine(self, process: subprocess.Popen[bytes]) -> bool:
        """Kill the tool and the engine together, as a loss of power does."""
        process.kill()
        return self._kill_engine(process)

    def _start(self) -> tuple[subprocess.Popen[bytes], Path]:
        chaos = self._chaos
        chaos.tally.runs += 1
        log = chaos.place / f"run-{chaos.tally.runs:04}.log"
        command = [sys.executable, "-m", "wheelkiln", "build", str(self._source), "--output-dir", str(self._output)]
        command += ["--base", "bootstrap", "--cache-dir", str(chaos.cache), "--engine", chaos.engine.name]
        command += [part for python in chaos.pythons for part in ("--python", python)]
        with log.open("wb") as file:
            process = subprocess.Popen(
                command,
                cwd=chaos.place,
                env=_clean_environment() | {"WHEELKILN_JOBS": "2"} | chaos.engine.environ,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
            )
        return process, log

    def _end(self, started: tuple[subprocess.Popen[bytes], Path]) -> tuple[int, Path]:
        process, log = started
        try:
            code = process.wait(timeout=_RUN_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            code = process.wait()
            self._chaos.tally.faults.append(f"a run did not end: {log}")
        if b"Traceback (most recent call last)" in log.read_bytes():
            self._chaos.tally.faults.append(f"a run ended with a traceback: {log}")
        return code, log


class _Judge:
    """What must hold in an episode."""

    def __init__(self, chaos: Chaos, output: Path) -> None:
        self._chaos, self._output = chaos, output
        self._landed: dict[str, tuple[int, int, str]] = {}
        self._since: dict[str, float] = {}

    @property
    def missing(self) -> int:
        """How many wheels have not landed."""
        return len(self._chaos.pythons) - len(self._landed)

    def look(self, *, after_kill: bool) -> None:
        """Remember what has landed; what had landed before must still be the same file."""
        for wheel in sorted(self._output.glob("*.whl")):
            facts = (wheel.stat().st_ino, wheel.stat().st_mtime_ns, _digest(wheel))
            before = self._landed.setdefault(wheel.name, facts)
            self._since.setdefault(wheel.name, time.time())
            if facts != before:
                self._fault(f"{wheel.name} had landed and was replaced")
            self._chaos.tally.landed_before_a_kill += after_kill and facts is before
        for name in self._landed:
            if not (self._output / name).is_file():
                self._fault(f"{name} had landed and is gone")

    def judge_end(self, number: int) -> None:
        self.look(after_kill=False)
        manifest = json.loads((self._output / "wheelkiln-manifest.json").read_text())
        self._chaos.images = [image["reference"] for image in manifest["images"]]
        names = {job["wheel"]["name"]: job for job in manifest["jobs"] if job["wheel"]}
        if len(names) != len(self._chaos.pythons) or set(names) != {path.name for path in self._output.glob("*.whl")}:
            self._fault(f"the wheels of the manifest are {sorted(names)}, those that landed {sorted(self._landed)}")
        for name, job in names.items():
            self._chaos.tally.wheels += 1
            self._judge_wheel(self._output / name, job["wheel"]["sha256"])
            self._judge_once(name, job)
        self._judge_rest(number)

    def _judge_wheel(self, wheel: Path, sha256: str) -> None:
        if _digest(wheel) != sha256:
            self._fault(f"{wheel.name} is not the one of the manifest")
        for problem in _record_problems(wheel):
            self._fault(f"{wheel.name}: {problem}")
        shown = subprocess.run(
            [sys.executable, "-m", "auditwheel", "show", str(wheel)], capture_output=True, text=True, check=False
        )
        if shown.returncode != 0 or "is consistent with" not in shown.stdout:
            self._fault(f"auditwheel does not like {wheel.name}: {shown.stdout}{shown.stderr}")
        python = _interpreter(wheel.name)
        if python and not _works(python, wheel):
            self._fault(f"{wheel.name} cannot be installed and imported")

    def _judge_once(self, name: str, job: Mapping[str, str]) -> None:
        """A wheel that had landed when a run was killed was built by no later run."""
        since = self._since[name]
        runs = Journal(self._chaos.cache).runs()
        later = [run for run in runs if run.output == str(self._output) and run.started > since]
        again = [run for run in later for done in run.attempts if done.name == job["id"] and done.state == "built"]
        for run in again:
            self._fault(f"{name} had landed, and {run.id} built it again")

    def _judge_rest(self, number: int) -> None:
        owner = owner_of(self._chaos.cache)
        for what, found in (
            ("container", self._chaos.engine.containers(owner)),
            ("kept state", self._chaos.engine.states(owner)),
            ("process", _processes(owner)),
            ("temporary file", _temporary_files(self._chaos.cache, self._output)),
        ):
            for name in found:
                self._fault(f"{what} {name} is left after episode {number}")

    def _fault(self, text: str) -> None:
        self._chaos.tally.faults.append(text)
        self._chaos.say(f"FAULT: {text}")


def _wait_for_lines(process: subprocess.Popen[bytes], log: Path, lines: int) -> None:
    """Wait until a process has printed this many lines, or has ended."""
    while process.poll() is None and log.read_bytes().count(b"\n") < lines:
        time.sleep(0.02)


def _wait(process: subprocess.Popen[bytes], seconds: float) -> None:
    """Wait until a process ends, but no longer than this."""
    try:
        process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        return


def _clean_environment() -> dict[str, str]:
    dropped = ("CIBW_", "WHEELKILN_", "SOURCE_DATE_EPOCH", "COLUMNS", "DOCKER_HOST")
    return {name: value for name, value in os.environ.items() if not name.startswith(dropped)}


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _record_problems(wheel: Path) -> list[str]:
    """Compare a wheel's files with what its RECORD says (PyPA: binary distribution format)."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            (record,) = (name for name in archive.namelist() if name.endswith(".dist-info/RECORD"))
            rows = list(csv.reader(archive.read(record).decode().splitlines()))
            told = {name: digest for name, digest, _ in rows}
            digests = {name: hashlib.sha256(archive.read(name)).digest() for name in archive.namelist()}
    except (zipfile.BadZipFile, ValueError) as error:
        return [f"no wheel: {error}"]
    files = {name: digest for name, digest in digests.items() if not name.endswith("/")}
    wrong = [name for name, digest in files.items() if told.get(name) not in ("", _encode(digest))]
    return [f"{name} is not what RECORD says" for name in wrong]


def _encode(digest: bytes) -> str:
    return f"sha256={base64.urlsafe_b64encode(digest).decode().rstrip('=')}"


def _interpreter(wheel: str) -> Path | None:
    tag = wheel.split("-")[2]
    found = find_interpreters(Path.home(), os.environ)
    return next((it.prefix / "bin" / "python3" for it in found if it.tag == tag), None)


def _works(python: Path, wheel: Path) -> bool:
    with_wheel = {"PYTHONPATH": str(wheel.parent / f"{wheel.name}.d"), "PATH": os.environ["PATH"]}
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(with_wheel["PYTHONPATH"])
    try:
        code = "import plainkernel; assert plainkernel.twice(21) == 42"
        return subprocess.run([str(python), "-c", code], env=with_wheel, check=False).returncode == 0
    finally:
        shutil.rmtree(with_wheel["PYTHONPATH"])


def _processes(owner: str) -> list[str]:
    mark = f"{RUN_VARIABLE}={owner}".encode()
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (place / "environ").read_bytes():
                found.append(f"{place.name} {(place / 'cmdline').read_bytes()!r}")
        except OSError:
            continue
    return found


def _temporary_files(cache: Path, output: Path) -> list[str]:
    """What wheelkiln itself writes on the way; ccache and uv look after their own."""
    scratch = re.compile(
        r"^(tmp/.+|runs/[^/]+/[^/]+/(tmp|wheels|mount/project)|.*\.part|(resolver|sdists)/(asking|fetching)-.*)$"
    )
    found = [str(path) for path in output.iterdir() if path.name.startswith(".")]
    for top in cache.iterdir():
        if top.name.startswith(("ccache", "uv", "links", "locks")) or not top.is_dir():
            continue
        paths = (path.relative_to(cache) for path in top.rglob("*") if "uv" not in path.relative_to(cache).parts)
        found += [str(path) for path in paths if scratch.match(str(path))]
    return found
