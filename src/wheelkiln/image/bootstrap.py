"""The bootstrap base: a distribution's packages and this machine's interpreters, without any image registry."""

from __future__ import annotations

import io
import os
import platform
import re
import shutil
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

from wheelkiln.errors import EnvironmentProblem
from wheelkiln.image.recipe import BASE_PACKAGES
from wheelkiln.plan.model import Base, Bootstrap, ImageSpec
from wheelkiln.system.interpreters import Interpreter
from wheelkiln.system.process import Runner, stream_and_keep

__all__ = ["BASE_CHANGES", "BASE_LABEL", "add_interpreters", "make_base_tarball", "relocate_text"]

BASE_LABEL = "io.wheelkiln.base"
BASE_CHANGES = ("ENV LANG=C.UTF-8", f"LABEL {BASE_LABEL}=bootstrap")
"""What a base's image has besides its files, in Dockerfile's notation."""
_LEFT_OUT_DIRECTORIES = {
    "__pycache__",
    "site-packages",
    "test",
    "tests",
    "idlelib",
    "turtledemo",
    "lib2to3",
    "tkinter",
}
_LEFT_OUT_SUFFIXES = (".a", ".pyc")
_KEPT_LINES = 12
_DEB_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def make_base_tarball(
    spec: ImageSpec, base: Base, directory: Path, runner: Runner, on_line: Callable[[str], None]
) -> Path:
    """Make the root file system of a bootstrap base; raise EnvironmentProblem with mmdebstrap's reason."""
    if shutil.which("mmdebstrap") is None:
        raise EnvironmentProblem(
            "the bootstrap base is made by mmdebstrap, which is not installed",
            hint="'apt-get install mmdebstrap' on Debian and Ubuntu; elsewhere use base = \"pypa\".",
        )
    if base.arch != platform.machine() and shutil.which("arch-test") is None:
        raise EnvironmentProblem(
            f"mmdebstrap makes a base for {base.arch} only where arch-test is installed, too",
            hint="'apt-get install arch-test qemu-user-static' on Debian and Ubuntu.",
        )
    assert spec.bootstrap is not None
    tarball = directory / f"base-{base.arch}.tar"
    status, lines = stream_and_keep(runner, _mmdebstrap_command(spec.bootstrap, base, tarball), on_line=on_line)
    if status != 0:
        reasons = [line for line in lines if line.startswith(("E:", "W:"))] or lines
        raise EnvironmentProblem(
            "\n".join(["mmdebstrap could not make the base:", *(f"  | {line}" for line in reasons[-_KEPT_LINES:])]),
            hint=f"Is '{spec.bootstrap.release}' a release of {spec.bootstrap.distribution}, and is its mirror "
            "reachable ('apt-get update')? image.release and image.mirror choose others.",
        )
    add_interpreters(tarball, base.interpreters, own_python=base.own_python)
    return tarball


def _mmdebstrap_command(bootstrap: Bootstrap, base: Base, tarball: Path) -> list[str]:
    """Documentation and translations stay out (dpkg path-exclude, as in distributions' slim images)."""
    excluded = ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*", "/usr/share/info/*")
    version = f"3.{base.own_python.removeprefix('cp3')}"
    own = (f"python{version}-dev", f"python{version}-venv") if base.own_python else ()
    return [
        "mmdebstrap",
        "--variant=minbase",
        f"--architectures={_DEB_ARCHITECTURES[base.arch]}",
        f"--include={','.join((*BASE_PACKAGES, *own, *bootstrap.packages))}",
        *(f"--dpkgopt=path-exclude={pattern}" for pattern in excluded),
        '--aptopt=Acquire::Languages "none"',
        bootstrap.release,
        str(tarball),
        *([bootstrap.mirror] if bootstrap.mirror else []),
    ]


def add_interpreters(tarball: Path, interpreters: tuple[Interpreter, ...], *, own_python: str = "") -> None:
    """Append interpreters to a root file system as /opt/python/cpXY-cpXY, moved there from their own prefix.

    The move makes images, and so caches and wheels, independent of the home directory that they came from: the
    prefix is replaced in the texts that builds read (sysconfig, pkg-config, python-config), and the dynamic
    linker is told where the shared libpythons are (ldconfig(8)). own_python is the tag of the distribution's own
    interpreter, if that is to serve: the image build makes it known under /opt/python, too.
    """
    with tarfile.open(tarball, "a") as archive:
        for interpreter in interpreters:
            target = _target(interpreter)
            for path in _interpreter_files(interpreter):
                _add(archive, path, target / path.relative_to(interpreter.prefix), interpreter)
            for name in ("python", "python3"):
                _add_link(archive, target / "bin" / name, f"python{interpreter.short_version}")
        directories = "".join(f"/{_target(found)}/lib\n" for found in interpreters)
        _add_bytes(archive, Path("etc/ld.so.conf.d/wheelkiln-pythons.conf"), directories.encode(), 0o644)
        if own_python:
            _add_bytes(archive, Path("opt/python/own-pythons.txt"), f"{own_python}\n".encode(), 0o644)


def _target(interpreter: Interpreter) -> Path:
    return Path("opt/python") / f"{interpreter.tag}-{interpreter.tag}"


def _interpreter_files(interpreter: Interpreter) -> Iterator[Path]:
    """Yield what an interpreter needs to run and to build against, without tests and other packages."""
    prefix, name = interpreter.prefix, f"python{interpreter.short_version}"
    yield prefix / "bin" / name
    if (prefix / "bin" / f"{name}-config").is_file():
        yield prefix / "bin" / f"{name}-config"
    yield from sorted((prefix / "lib").glob(f"lib{name}*.so*"))
    yield from sorted((prefix / "lib/pkgconfig").glob(f"python-{interpreter.short_version}*.pc"))
    for tree in (prefix / "lib" / name, prefix / "include" / name):
        for directory, subdirectories, files in os.walk(tree):
            subdirectories[:] = sorted(set(subdirectories) - _LEFT_OUT_DIRECTORIES)
            yield from (Path(directory) / f for f in sorted(files) if not f.endswith(_LEFT_OUT_SUFFIXES))


def _add(archive: tarfile.TarFile, path: Path, name: Path, interpreter: Interpreter) -> None:
    if path.is_symlink() and not path.readlink().is_absolute() and path.readlink().parent == Path():
        _add_link(archive, name, str(path.readlink()))
        return
    content = path.read_bytes()
    if str(interpreter.prefix).encode() in content and b"\0" not in content:
        text = relocate_text(
            content.decode("utf-8", "surrogateescape"), interpreter.prefix, Path("/") / _target(interpreter)
        )
        content = text.encode("utf-8", "surrogateescape")
    _add_bytes(archive, name, content, 0o755 if os.access(path, os.X_OK) else 0o644)


def relocate_text(text: str, prefix: Path, target: Path) -> str:
    """Replace an interpreter's prefix in one of its texts, and drop its link flags for a shared libpython.

    Extension modules are not linked to libpython (PEP 513), so ``-L`` and the run path to it would only leave the
    interpreter's place in every module that is built.
    """
    lib = re.escape(f"{prefix}/lib")
    text = re.sub(rf"-Wl,-rpath[,=]{lib}(?![\w/.-])\s?", "", text)
    text = re.sub(rf"-L{lib}(?![\w/.-])\s?", "", text)
    text = re.sub(rf"-I{re.escape(f'{prefix}/include')}(?![\w/.-])\s?", "", text)
    # not the beginning of another name: 3.12.1 is also how 3.12.10 begins
    return re.sub(rf"{re.escape(str(prefix))}(?![\w-]|\.\w)", lambda _: str(target), text)


def _add_link(archive: tarfile.TarFile, name: Path, to: str) -> None:
    info = tarfile.TarInfo(str(name))
    info.type, info.linkname = tarfile.SYMTYPE, to
    archive.addfile(info)


def _add_bytes(archive: tarfile.TarFile, name: Path, content: bytes, mode: int) -> None:
    info = tarfile.TarInfo(str(name))
    info.size, info.mode = len(content), mode
    archive.addfile(info, io.BytesIO(content))
