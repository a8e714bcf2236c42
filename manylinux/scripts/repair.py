#!/opt/wheelkiln/tools/bin/python
"""Run auditwheel repair, and when a library that lies in the wheel itself is not found, say so and mend it.

Usage: wheelkiln-repair WHEEL DEST_DIR [--library-dir DIR]... [-- AUDITWHEEL_ARGUMENT...]

A project that installs its own shared library inside its package often forgets to give the extension modules a
run path to it. auditwheel then stops with "could not be located"; at run time the import would fail as well.
The mend is the run path: ``$ORIGIN/<relative directory>`` is added to the files that need the library.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

NOT_LOCATED = re.compile(r'required library "([^"]+)" could not be located')


def main() -> int:
    parser = argparse.ArgumentParser(prog="wheelkiln-repair")
    parser.add_argument("wheel", type=Path)
    parser.add_argument("dest", type=Path)
    parser.add_argument("--library-dir", action="append", default=[])
    parser.add_argument("rest", nargs="*")
    options = parser.parse_args()
    wheel = options.wheel
    with tempfile.TemporaryDirectory() as scratch_name:
        scratch = Path(scratch_name)
        in_wheel = [entry for entry in options.library_dir if not entry.startswith("/")]
        if in_wheel:
            wheel = add_run_paths(wheel, scratch / "configured", in_wheel, wanted=None)
        absolute = [entry for entry in options.library_dir if entry.startswith("/")]
        made = scratch / "first"
        status, output = run_auditwheel(wheel, made, options.rest, absolute)
        missing = sorted(set(NOT_LOCATED.findall(output)))
        if status != 0 and missing:
            mended = mend(wheel, scratch / "mended", missing)
            if mended is not None:
                made = scratch / "second"
                status, _ = run_auditwheel(mended, made, options.rest, absolute)
        if status == 0:  # a failed auditwheel can leave a wheel behind, too
            options.dest.mkdir(parents=True, exist_ok=True)
            for path in made.glob("*.whl"):
                shutil.move(path, options.dest / path.name)
    return status


def run_auditwheel(wheel: Path, dest: Path, arguments: list[str], directories: list[str]) -> tuple[int, str]:
    environment = dict(os.environ)
    if directories:
        known = environment.get("AUDITWHEEL_LD_LIBRARY_PATH", "")
        environment["AUDITWHEEL_LD_LIBRARY_PATH"] = ":".join(filter(None, [*directories, known]))
    command = [sys.executable, "-m", "auditwheel", "repair", "-w", str(dest), *arguments, str(wheel)]
    done = subprocess.run(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    sys.stdout.write(done.stdout)
    sys.stdout.flush()
    return done.returncode, done.stdout


def mend(wheel: Path, dest: Path, missing: list[str]) -> Path | None:
    """Return a copy of wheel in which the missing libraries are found, None when they are not in the wheel."""
    found = libraries_in(wheel, set(missing))
    for name in missing:
        if name not in found:
            say(
                f"'{name}' is neither in the image nor in the wheel: install what provides it with image.packages, "
                "name its directory in repair.library-dirs, or, when another package brings it at run time, "
                "put it in repair.exclude"
            )
    if set(missing) - set(found):
        return None
    for name, directory in sorted(found.items()):
        say(
            f"'{name}' lies in the wheel at {directory}/{name}: adding a run path to it "
            f'(the setting that does this from the start: repair.library-dirs = ["{directory}"])'
        )
    return add_run_paths(wheel, dest, sorted(set(found.values())), wanted=set(missing))


def libraries_in(wheel: Path, names: set[str]) -> dict[str, str]:
    from auditwheel.wheeltools import InWheel  # only a wheel that needs mending pays for this import

    with InWheel(wheel) as root:
        return {
            path.name: path.parent.relative_to(root).as_posix()
            for path in sorted(Path(root).rglob("*"))
            if path.name in names and path.is_file()
        }


def add_run_paths(wheel: Path, dest: Path, directories: list[str], wanted: set[str] | None) -> Path:
    """Give each ELF file that needs a library of these directories a run path to them; return the new wheel."""
    from auditwheel.wheeltools import InWheel

    dest.mkdir()
    target = dest / wheel.name
    with InWheel(wheel, target) as root_name:
        root = Path(root_name)
        provided = {path.name: path.parent for entry in directories for path in sorted((root / entry).glob("*.so*"))}
        for path in sorted(p for p in root.rglob("*") if p.is_file() and not p.is_symlink()):
            needed = set(needed_by(path)) & set(provided) & (wanted or set(provided))
            for directory in sorted({provided[name] for name in needed} - {path.parent}):
                origin = f"$ORIGIN/{os.path.relpath(directory, path.parent)}"
                say(f"{path.relative_to(root)}: run path {origin}")
                subprocess.run(["patchelf", "--add-rpath", origin, str(path)], check=True)
            if any(provided[name] == path.parent for name in needed):
                subprocess.run(["patchelf", "--add-rpath", "$ORIGIN", str(path)], check=True)
    return target


def needed_by(path: Path) -> list[str]:
    from elftools.common.exceptions import ELFError
    from elftools.elf.dynamic import DynamicSection
    from elftools.elf.elffile import ELFFile

    try:
        with path.open("rb") as stream:
            sections = ELFFile(stream).iter_sections()
            return [
                tag.needed
                for section in sections
                if isinstance(section, DynamicSection)
                for tag in section.iter_tags()
                if tag.entry.d_tag == "DT_NEEDED"
            ]
    except (ELFError, OSError):
        return []


def say(text: str) -> None:
    print(f"wheelkiln-repair: {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
