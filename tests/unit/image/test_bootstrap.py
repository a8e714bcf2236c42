from __future__ import annotations

import platform
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.fakes import Answer, Call, FakeRunner
from wheelkiln.errors import EnvironmentProblem
from wheelkiln.image.bootstrap import add_interpreters, make_base_tarball, relocate_text
from wheelkiln.image.recipe import BASE_PACKAGES
from wheelkiln.plan.model import Base, Bootstrap, ImageSpec
from wheelkiln.system.interpreters import Interpreter

_ROOT = "opt/python/cp312-cp312"


@pytest.fixture
def interpreter(tmp_path: Path) -> Interpreter:
    """A CPython of empty files, laid out as pyenv does."""
    prefix = tmp_path / "pyenv/versions/3.12.1"
    texts = {
        "bin/python3.12": "ELF",
        "bin/python3.12-config": f"#!/bin/sh\nprefix={prefix}\n",
        "bin/pip": f"#!{prefix}/bin/python3.12\n",
        "lib/libpython3.12.so.1.0": "ELF",
        "lib/libpython3.12.a": "archive",
        "lib/pkgconfig/python-3.12.pc": f"prefix={prefix}\nLibs: -L{prefix}/lib -lpython3.12\n",
        "lib/python3.12/os.py": "import sys\n",
        "lib/python3.12/_sysconfigdata.py": f"{{'LDFLAGS': '-L{prefix}/lib -Wl,-rpath,{prefix}/lib', 'x': '{prefix}'}}",
        "lib/python3.12/__pycache__/os.pyc": "code",
        "lib/python3.12/site-packages/pip/__init__.py": "",
        "lib/python3.12/test/test_os.py": "",
        "lib/python3.12/lib-dynload/math.so": f"\0{prefix}\0",
        "include/python3.12/Python.h": "",
    }
    for name, text in texts.items():
        (prefix / name).parent.mkdir(parents=True, exist_ok=True)
        (prefix / name).write_text(text)
    for name in ("bin/python3.12", "bin/python3.12-config"):
        (prefix / name).chmod(0o755)
    (prefix / "lib/libpython3.12.so").symlink_to("libpython3.12.so.1.0")
    return Interpreter("cp312", "3.12.1", prefix)


@contextmanager
def _added(tmp_path: Path, *interpreters: Interpreter) -> Iterator[tarfile.TarFile]:
    tarball = tmp_path / "base.tar"
    tarfile.open(tarball, "w").close()
    add_interpreters(tarball, interpreters)
    with tarfile.open(tarball) as archive:
        yield archive


def _text(archive: tarfile.TarFile, name: str) -> str:
    stream = archive.extractfile(name)
    assert stream is not None
    return stream.read().decode()


def test_what_building_needs_is_copied_and_nothing_else(tmp_path: Path, interpreter: Interpreter) -> None:
    with _added(tmp_path, interpreter) as archive:
        assert sorted(archive.getnames()) == [
            "etc/ld.so.conf.d/wheelkiln-pythons.conf",
            f"{_ROOT}/bin/python",
            f"{_ROOT}/bin/python3",
            f"{_ROOT}/bin/python3.12",
            f"{_ROOT}/bin/python3.12-config",
            f"{_ROOT}/include/python3.12/Python.h",
            f"{_ROOT}/lib/libpython3.12.so",
            f"{_ROOT}/lib/libpython3.12.so.1.0",
            f"{_ROOT}/lib/pkgconfig/python-3.12.pc",
            f"{_ROOT}/lib/python3.12/_sysconfigdata.py",
            f"{_ROOT}/lib/python3.12/lib-dynload/math.so",
            f"{_ROOT}/lib/python3.12/os.py",
        ]


def test_links_modes_and_owners(tmp_path: Path, interpreter: Interpreter) -> None:
    with _added(tmp_path, interpreter) as archive:
        assert archive.getmember(f"{_ROOT}/bin/python").linkname == "python3.12"
        assert archive.getmember(f"{_ROOT}/lib/libpython3.12.so").linkname == "libpython3.12.so.1.0"
        assert archive.getmember(f"{_ROOT}/bin/python3.12").mode == 0o755
        assert archive.getmember(f"{_ROOT}/lib/python3.12/os.py").mode == 0o644
        assert {(member.uid, member.gid, member.mtime) for member in archive} == {(0, 0, 0)}


def test_texts_are_moved_and_binaries_are_not(tmp_path: Path, interpreter: Interpreter) -> None:
    with _added(tmp_path, interpreter) as archive:
        assert _text(archive, f"{_ROOT}/bin/python3.12-config") == f"#!/bin/sh\nprefix=/{_ROOT}\n"
        assert _text(archive, f"{_ROOT}/lib/pkgconfig/python-3.12.pc") == f"prefix=/{_ROOT}\nLibs: -lpython3.12\n"
        assert _text(archive, f"{_ROOT}/lib/python3.12/_sysconfigdata.py") == f"{{'LDFLAGS': '', 'x': '/{_ROOT}'}}"
        assert _text(archive, f"{_ROOT}/lib/python3.12/lib-dynload/math.so") == f"\0{interpreter.prefix}\0"


def test_the_linker_is_told_of_the_libraries(tmp_path: Path, interpreter: Interpreter) -> None:
    with _added(tmp_path, interpreter) as archive:
        assert _text(archive, "etc/ld.so.conf.d/wheelkiln-pythons.conf") == f"/{_ROOT}/lib\n"


def test_the_same_interpreter_gives_the_same_bytes(tmp_path: Path, interpreter: Interpreter) -> None:
    with _added(tmp_path, interpreter):
        first = (tmp_path / "base.tar").read_bytes()
    (interpreter.prefix / "lib/python3.12/os.py").touch()
    with _added(tmp_path, interpreter):
        assert (tmp_path / "base.tar").read_bytes() == first


@pytest.mark.parametrize(
    ("text", "moved"),
    [
        ("prefix=/p/3.12", "prefix=/t"),
        ("-L/p/3.12/lib -lm", "-lm"),
        ("-Wl,-rpath,/p/3.12/lib -lm", "-lm"),
        ("-Wl,-rpath=/p/3.12/lib", ""),
        ("-I/p/3.12/include -O2", "-O2"),
        ("-I/p/3.12/include/python3.12", "-I/t/include/python3.12"),
        ("-L/p/3.12/lib/python3.12/config", "-L/t/lib/python3.12/config"),
        ("-L/p/3.12/lib64", "-L/t/lib64"),
        ("-L/usr/lib /p/3x12/lib", "-L/usr/lib /p/3x12/lib"),
    ],
)
def test_relocation(text: str, moved: str) -> None:
    assert relocate_text(text, Path("/p/3.12"), Path("/t")) == moved


def _make(tmp_path: Path, runner: FakeRunner, base: Base, bootstrap: Bootstrap | None = None) -> Path:
    spec = ImageSpec("bootstrap", "deb", (base,), bootstrap=bootstrap or Bootstrap("debian", "bookworm"))
    return make_base_tarball(spec, base, tmp_path, runner, lambda _: None)


def _mmdebstrap(call: Call) -> Answer:
    tarball = next(word for word in call.argv if word.endswith(".tar"))
    tarfile.open(tarball, "w").close()
    return Answer("I: done\n")


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put empty programs on PATH: they are looked for, never run."""
    (tmp_path / "bin").mkdir()
    for name in ("mmdebstrap", "arch-test"):
        (tmp_path / "bin" / name).touch(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    return tmp_path / "bin"


@pytest.mark.usefixtures("programs")
def test_mmdebstrap_makes_the_base(tmp_path: Path, interpreter: Interpreter) -> None:
    runner, lines = FakeRunner({"mmdebstrap": _mmdebstrap}), list[str]()
    base = Base("aarch64", interpreters=(interpreter,))
    spec = ImageSpec("bootstrap", "deb", (base,), bootstrap=Bootstrap("debian", "bookworm"))
    tarball = make_base_tarball(spec, base, tmp_path, runner, lines.append)
    argv = runner.calls[0].argv
    assert argv[:3] == ("mmdebstrap", "--variant=minbase", "--architectures=arm64")
    assert f"--include={','.join(BASE_PACKAGES)}" in argv
    assert argv[-2:] == ("bookworm", str(tarball))
    assert lines == ["I: done"]
    with tarfile.open(tarball) as archive:
        assert f"{_ROOT}/bin/python3.12" in archive.getnames()
        assert "opt/python/own-pythons.txt" not in archive.getnames()


@pytest.mark.usefixtures("programs")
def test_a_mirror_and_packages_of_ones_own_reach_mmdebstrap(tmp_path: Path) -> None:
    runner = FakeRunner({"mmdebstrap": _mmdebstrap})
    bootstrap = Bootstrap("debian", "trixie", "https://mirror.example/debian", ("libnuma-dev",))
    tarball = _make(tmp_path, runner, Base("x86_64"), bootstrap)
    argv = runner.calls[0].argv
    assert f"--include={','.join((*BASE_PACKAGES, 'libnuma-dev'))}" in argv
    assert argv[-3:] == ("trixie", str(tarball), "https://mirror.example/debian")


@pytest.mark.usefixtures("programs")
def test_the_distributions_own_python_is_installed_and_named(tmp_path: Path) -> None:
    runner = FakeRunner({"mmdebstrap": _mmdebstrap})
    tarball = _make(tmp_path, runner, Base("x86_64", own_python="cp311"))
    (include,) = (word for word in runner.calls[0].argv if word.startswith("--include="))
    assert {"python3.11-dev", "python3.11-venv"} <= set(include.split(","))
    with tarfile.open(tarball) as archive:
        assert _text(archive, "opt/python/own-pythons.txt") == "cp311\n"


@pytest.mark.usefixtures("programs")
def test_bases_of_two_architectures_are_two_files(tmp_path: Path) -> None:
    runner = FakeRunner({"mmdebstrap": _mmdebstrap})
    tarballs = {_make(tmp_path, runner, Base(arch)) for arch in ("x86_64", "aarch64")}
    assert len(tarballs) == 2


@pytest.mark.usefixtures("programs")
def test_a_failed_base_shows_the_reasons_alone(tmp_path: Path) -> None:
    output = "I: a\nW: careful\nGet:1 x\nE: no such release\nI: b\n"
    runner = FakeRunner({"mmdebstrap": Answer(output, returncode=1)})
    with pytest.raises(EnvironmentProblem) as caught:
        _make(tmp_path, runner, Base("x86_64"), Bootstrap("debian", "nosuch"))
    assert caught.value.message.splitlines() == [
        "mmdebstrap could not make the base:",
        "  | W: careful",
        "  | E: no such release",
    ]
    assert "Is 'nosuch' a release of debian" in caught.value.hint


def test_without_mmdebstrap_the_way_out_is_named(tmp_path: Path, programs: Path) -> None:
    (programs / "mmdebstrap").unlink()
    with pytest.raises(EnvironmentProblem, match="mmdebstrap, which is not installed"):
        _make(tmp_path, FakeRunner(), Base("x86_64"))


def test_another_architecture_needs_a_test_of_the_emulator(tmp_path: Path, programs: Path) -> None:
    (programs / "arch-test").unlink()
    runner = FakeRunner({"mmdebstrap": _mmdebstrap})
    _make(tmp_path, runner, Base("x86_64"))
    with pytest.raises(EnvironmentProblem, match="a base for aarch64 only where arch-test is installed"):
        _make(tmp_path, runner, Base("aarch64"))
    assert len(runner.calls) == 1
