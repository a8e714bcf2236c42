"""Making a place ready for builds: one of our images is, and a machine is given what an image would have."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from wheelkiln.errors import EnvironmentProblem
from wheelkiln.image.provide import BuiltImage, Origin
from wheelkiln.image.recipe import read_shipped, shipped_links
from wheelkiln.system.engine import ContainerEngine
from wheelkiln.system.files import make_directory, naming_storage_errors
from wheelkiln.system.in_place import Place, write_place
from wheelkiln.system.in_place_facts import USUAL_PATH, PlaceFacts
from wheelkiln.system.interpreters import Interpreter
from wheelkiln.system.locks import exclusive
from wheelkiln.system.relocation import Relocation

__all__ = ["PlaceProvider"]

_SETTING = "[tool.wheelkiln.cache] dir"
_TOOLS = ("auditwheel", "cmake", "ninja", "patchelf", "uv")
_COMPILER = re.compile(
    r"^([a-z0-9_]+-linux-gnu-|[a-z0-9_]+-[a-z0-9_]+-linux-(gnu|musl)-)?(cc|c\+\+|gcc|g\+\+|clang|clang\+\+)(-[0-9.]+)?$"
)
"""Every name by which a compiler may be called, as the image's finish.sh has it."""
_DONE = "made.txt"


@dataclass(frozen=True, slots=True)
class PlaceProvider:
    """Makes a place ready; say receives a line per step, log every line of the tools' output.

    environ is what the package installer is run with.
    """

    engine: ContainerEngine
    cache_dir: Path
    environ: Callable[[], Mapping[str, str]]
    say: Callable[[str], None]
    log: Callable[[str], None]

    def provide(self, name: str, facts: PlaceFacts) -> BuiltImage:
        """Make the place ready and return what stands for its image."""
        write_place(_image_place(facts) if facts.is_image else self._machine_place(facts))
        tools = tuple((tool, rest) for tool, _, rest in (line.partition(" ") for line in facts.versions) if rest)
        return BuiltImage(name, facts.reference, facts.digest, Origin.PRESENT, tools, facts.toolchain)

    def _machine_place(self, facts: PlaceFacts) -> Place:
        """Give the machine the image's directories, at their own paths where a private root can show them there."""
        if not facts.interpreters:
            raise EnvironmentProblem(
                "this machine has no CPython with its headers that builds in place could use",
                hint="Install the distribution's python3-dev, or one by 'uv python install'.",
            )
        layer = self.cache_dir / "in-place" / facts.digest[:16]
        if not facts.private and " " in str(layer):
            raise EnvironmentProblem(
                f"builds in place cannot lie below {self.cache_dir}: its name has a blank",
                hint=f"Choose another place with {_SETTING}.",
            )
        with exclusive(self.cache_dir / "locks", f"place {layer.name}", on_wait=lambda: None):
            if not (layer / _DONE).is_file():
                self._make_layer(facts, layer, Relocation("" if facts.private else str(layer)))
        layers = {f"/opt/{name}": str(layer / "opt" / name) for name in ("python", "wheelkiln")}
        return Place(
            reference=facts.reference,
            digest=facts.digest,
            arch=facts.arch,
            private=facts.private,
            root="" if facts.private else str(layer),
            layers=layers if facts.private else {},
            environment=facts.environment,
        )

    def _make_layer(self, facts: PlaceFacts, layer: Path, relocation: Relocation) -> None:
        self.say(f"giving this machine's interpreters what an image's have, in {layer}")
        shutil.rmtree(layer, ignore_errors=True)
        home = make_directory(layer / "opt/wheelkiln", setting=_SETTING)
        with naming_storage_errors(layer, setting=_SETTING):
            for name in ("bin", "ccache", "links", "mnt", "toolchain"):
                (home / name).mkdir()
            for found in facts.interpreters:
                self._make_interpreter(found, layer, relocation)
            self._make_tools(facts, layer, relocation.root)
            _write_programs(home, relocation)
            _link_compilers(facts, home)
            for name in ("tmp", "project", "output", "home/builder"):
                (layer / name).mkdir(parents=True)
            (layer / _DONE).touch()

    def _make_interpreter(self, found: Interpreter, layer: Path, relocation: Relocation) -> None:
        """Make a virtual environment that has build, pip, and the module that finds the job's environment."""
        prefix = layer / "opt/python" / f"{found.tag}-{found.tag}"
        self._run([str(found.prefix / f"bin/python{found.short_version}"), "-m", "venv", "--without-pip", str(prefix)])
        self._install(prefix, ["pip"])
        self._install(prefix, ["--require-hashes", "--requirement", self._requirements(layer, "interpreter.txt")])
        site = prefix / "lib" / f"python{found.short_version}" / "site-packages"
        module = relocation.forward(read_shipped("scripts/frontend.py"))
        (site / "wheelkiln_frontend.py").write_text(module, encoding="utf-8")
        (site / "wheelkiln_frontend.pth").write_text("import wheelkiln_frontend\n", encoding="utf-8")
        for name in ("pip", "pip3"):  # what the installer wrote names the place where this was made
            program = prefix / "bin" / name
            program.write_text('#!/bin/sh\nexec "${0%/*}/python" -m pip "$@"\n', encoding="utf-8")
            program.chmod(0o755)

    def _make_tools(self, facts: PlaceFacts, layer: Path, root: str) -> None:
        """Make the environment of the tools; cibuildwheel's utility interpreter is one of the machine's."""
        chosen = max((found for found in facts.interpreters if found.tag != "cp314"), default=facts.interpreters[-1])
        name = f"{chosen.tag}-{chosen.tag}"
        pythons, home = layer / "opt/python", layer / "opt/wheelkiln"
        if not (pythons / "cp39-cp39").exists():
            (pythons / "cp39-cp39").symlink_to(name)
        (home / "python").symlink_to(f"../python/{name}")
        program = str(pythons / name / "bin/python")
        self._run([program, "-m", "venv", "--without-pip", str(home / "tools")])
        self._install(home / "tools", ["--require-hashes", "--requirement", self._requirements(layer, "tools.txt")])
        for script in (home / "tools/bin").iterdir():
            if not script.is_symlink() and script.read_bytes().startswith(b"#!"):  # it names the place it was made at
                moved = script.read_bytes().replace(os.fsencode(layer / "opt"), os.fsencode(f"{root}/opt"))
                script.write_bytes(moved)
        for tool in _TOOLS:
            (home / "bin" / tool).symlink_to(f"../tools/bin/{tool}")

    def _requirements(self, layer: Path, name: str) -> str:
        path = layer / name
        path.write_text(read_shipped(f"requirements/{name}"), encoding="utf-8")
        return str(path)

    def _install(self, prefix: Path, arguments: list[str]) -> None:
        import uv

        program = os.fsdecode(uv.find_uv_bin())
        self._run(
            [program, "pip", "install", "--quiet", "--no-config", "--python", str(prefix / "bin/python"), *arguments]
        )

    def _run(self, argv: list[str]) -> None:
        lines: list[str] = []

        def note(line: str) -> None:
            lines.append(line)
            self.log(line)

        if self.engine.runner.stream(argv, on_line=note, env=self.environ()):
            raise EnvironmentProblem(
                f"this machine could not be made ready for builds in place: {lines[-1] if lines else argv[0]}",
                hint="Does the package index answer? 'wheelkiln doctor' tries.",
            )


def _image_place(facts: PlaceFacts) -> Place:
    return Place(facts.reference, facts.digest, facts.arch, facts.private, environment=facts.environment)


def _write_programs(home: Path, relocation: Relocation) -> None:
    programs = {"bin/wheelkiln-repair": "scripts/repair.py", "bin/wheelkiln-environment": "scripts/environment.py"}
    programs |= {f"links/{name}": f"links/{name}" for name in shipped_links()}
    for name, shipped in programs.items():
        (home / name).write_text(relocation.forward(read_shipped(shipped)), encoding="utf-8")
        (home / name).chmod(0o755)


def _link_compilers(facts: PlaceFacts, home: Path) -> None:
    """Put ccache in front of the machine's compilers."""
    if facts.ccache is not None:
        (home / "bin/ccache").symlink_to(facts.ccache)
        for name in sorted({name for place in USUAL_PATH.split(":") for name in _names(Path(place))}):
            if _COMPILER.match(name):
                (home / "ccache" / name).symlink_to(facts.ccache)


def _names(directory: Path) -> list[str]:
    return [path.name for path in directory.iterdir()] if directory.is_dir() else []
