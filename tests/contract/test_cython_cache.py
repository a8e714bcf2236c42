"""What an image's hook keeps of calls of the cython command: real interpreters, and a stand-in for Cython."""

from __future__ import annotations

import os
import runpy
import subprocess
import threading
import venv
from collections.abc import Callable
from pathlib import Path

import pytest

_IMAGE = Path(__file__).parents[2] / "manylinux"
_CYTHON = """
import glob, os, sys
option, source, output = sys.argv[-3:]
header = source.removesuffix(".pyx") + ".pxd"
with open(source) as stream:
    text = stream.read()
if os.path.exists(header):
    with open(header) as stream:
        text += stream.read()
text += repr(sorted(glob.glob("extra.cython-*.pxd")))
exec(os.environ.get("PY_MORE", ""))
if os.path.exists(output):
    os.unlink(output)
with open(output, "w") as stream:
    stream.write(f"{option} {text} of process {os.getpid()}")
with open(output + ".dep", "w") as stream:
    stream.write("dependencies")
print("said")
print("warned", file=sys.stderr)
sys.exit(int(os.environ.get("PY_STATUS", "0")))
"""
"""Its output names its process: the same text again was not made again."""
Run = Callable[..., str]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A project, an installed stand-in for Cython, and no cache yet."""
    venv.create(tmp_path, with_pip=False, symlinks=True)
    site = _site(tmp_path)
    (site / "cython-3.1.0.dist-info").mkdir()
    (site / "cython-3.1.0.dist-info/RECORD").write_text("Cython/Main.py,sha256=abc,10\n")
    hook = runpy.run_path(str(_IMAGE / "scripts/environment.py"))["CYTHON_HOOK"]
    (site / "hook.pth").write_text(hook.replace("/opt/wheelkiln", str(_IMAGE)))
    (tmp_path / "bin/cython").write_text(_CYTHON)
    (tmp_path / "project").mkdir()
    (tmp_path / "project/a.pyx").write_text("source")
    return tmp_path


def _site(place: Path) -> Path:
    (site,) = place.glob("lib/python3*/site-packages")
    return site


@pytest.fixture
def run(place: Path) -> Run:
    def running(*command: str, status: int = 0, said: bool = True, **environ: str) -> str:
        """Run the command; return what the log says of it."""
        log = place / "log"
        log.unlink(missing_ok=True)
        variables = {
            "PYTHONDONTWRITEBYTECODE": "1",
            "WHEELKILN_CYTHON": str(place / "cache"),
            "WHEELKILN_CYTHON_LOG": str(log),
            "CCACHE_NAMESPACE": "kern",
            **environ,
        }
        argv = [str(place / "bin/python"), str(place / "bin/cython"), *(command or ("-3", "a.pyx", "a.c"))]
        done = subprocess.run(
            argv, cwd=place / "project", env=variables, capture_output=True, text=True, check=False, timeout=60
        )
        assert done.returncode == status, done.stderr
        assert not said or (done.stdout, done.stderr) == ("said\n", "warned\n")
        return log.read_text() if log.is_file() else ""

    return running


def _is_made(place: Path, run: Run, *command: str, **environ: str) -> bool:
    """Run the command, and tell whether the stand-in made its output rather than the cache."""
    output = place / "project" / (command[-1] if command else "a.c")
    before = output.read_text() if output.is_file() else ""
    said = run(*command, **environ)
    made = output.read_text() != before
    assert said.partition("\t")[0] == ("miss" if made else "hit"), said
    assert output.with_name(f"{output.name}.dep").read_text() == "dependencies"
    return made


def test_an_equal_call_is_answered_with_all_that_it_wrote_and_said(place: Path, run: Run) -> None:
    assert _is_made(place, run)
    assert not _is_made(place, run)
    made = (place / "project/a.c").read_text()
    for name in ("a.c", "a.c.dep"):
        (place / "project" / name).unlink()
    assert run().startswith("hit\t-\ta.c")
    assert (place / "project/a.c").read_text() == made
    assert sorted(path.name for path in (place / "project").iterdir()) == ["a.c", "a.c.dep", "a.pyx"]


@pytest.mark.parametrize("name", ["a.pyx", "a.pxd", "extra.cython-30.pxd"])
def test_what_is_read_or_searched_for_counts(place: Path, run: Run, name: str) -> None:
    assert _is_made(place, run)
    (place / "project" / name).write_text("changed")
    assert _is_made(place, run)
    assert not _is_made(place, run)


def test_a_file_that_could_not_be_opened_counts(place: Path, run: Run) -> None:
    more = "try:\n    text += open('maybe.pxi').read()\nexcept OSError:\n    pass"
    assert _is_made(place, run, PY_MORE=more)
    assert not _is_made(place, run, PY_MORE=more)
    (place / "project/maybe.pxi").write_text("there")
    assert _is_made(place, run, PY_MORE=more)


def test_an_earlier_state_is_found_again(place: Path, run: Run) -> None:
    assert _is_made(place, run)
    first = (place / "project/a.c").read_text()
    (place / "project/a.pxd").write_text("header")
    assert _is_made(place, run)
    (place / "project/a.pxd").unlink()
    assert run().startswith("hit")
    assert (place / "project/a.c").read_text() == first


def test_options_environment_and_cython_itself_count(place: Path, run: Run) -> None:
    assert _is_made(place, run)
    assert _is_made(place, run, "-2", "a.pyx", "a.c")
    assert _is_made(place, run, "-3", "a.pyx", "b.c")
    assert not _is_made(place, run, "-3", "a.pyx", "b.c", SOURCE_DATE_EPOCH="1700000000"), (
        "it is another for each commit"
    )
    assert _is_made(place, run, PYTHONHASHSEED="1")
    assert _is_made(place, run, CCACHE_NAMESPACE="other")
    (_site(place) / "cython-3.1.0.dist-info/RECORD").write_text("Cython/Main.py,sha256=def,10\n")
    assert _is_made(place, run)


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ("os.listdir('.')", "os.listdir"),
        ("os.scandir('.').close()", "os.scandir"),
        ("os.chdir(os.getcwd())", "os.chdir"),
        ("os.system('true')", "os.system"),
        ("import subprocess; subprocess.run(['true'])", "subprocess.Popen"),
        ("open('left', 'w').close(); os.rename('left', 'renamed')", "os.rename"),
        ("os.unlink('header.pxd')", "os.remove"),
        ("open(source, 'a').write('more')", "changed inputs"),
        ("os.utime('header.pxd')", "os.utime"),
        ("sys.path.insert(0, '.'); open('own.py', 'w').close(); import own", "modules of the project"),
    ],
)
def test_what_is_not_followed_is_not_kept(place: Path, run: Run, more: str, reason: str) -> None:
    for _ in range(2):
        (place / "project/header.pxd").write_text("")
        assert run(PY_MORE=more).startswith(f"other\t{reason}")


def test_bytecode_is_not_written_meanwhile(place: Path, run: Run) -> None:
    (_site(place) / "part.py").write_text("")
    bytecode = place / "bytecode"
    writing = {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(bytecode)}
    assert run(PY_MORE="import part", **writing).startswith("miss")
    assert list(bytecode.rglob("cython_cache*.pyc")), "what is imported before is compiled as ever"
    assert not list(bytecode.rglob("part*.pyc"))


def test_what_changes_meanwhile_is_not_kept(place: Path, run: Run) -> None:
    timer = threading.Timer(0.5, (place / "project/go").touch)
    timer.start()
    assert run(PY_MORE="while not os.path.exists('go'): pass").startswith("other\tchanged inputs")
    timer.join()


def test_a_call_that_fails_is_not_kept(place: Path, run: Run) -> None:
    for _ in range(2):
        assert run(status=3, PY_STATUS="3") == ""
        assert run(status=1, said=False, PY_MORE="raise ValueError") == ""
    assert not (place / "cache").exists()


def test_constants_of_this_machine_are_not_kept(place: Path, run: Run) -> None:
    (place / "project/a.pyx").write_text("IF UNAME_NODENAME == 'here':")
    assert run().startswith("other\tconstants of this machine")


@pytest.mark.parametrize("damage", [b"", b"cut", b"\0" * 100])
@pytest.mark.parametrize("pattern", ["*.json", "*.out"])
def test_a_damaged_entry_costs_a_run_of_cython_and_nothing_else(
    place: Path, run: Run, damage: bytes, pattern: str
) -> None:
    assert _is_made(place, run)
    (kept,) = (place / "cache").rglob(pattern)
    kept.write_bytes(damage)
    assert _is_made(place, run)
    assert not _is_made(place, run)


def test_a_cache_that_cannot_be_written_costs_nothing(place: Path, run: Run) -> None:
    (place / "cache").write_text("a file")
    assert run().startswith("other\tNotADirectoryError")
    assert (place / "project/a.c").is_file()


def test_a_read_only_cache_answers_and_takes_nothing(place: Path, run: Run) -> None:
    assert _is_made(place, run, CCACHE_READONLY="1")
    assert not (place / "cache").exists()
    assert _is_made(place, run)
    assert not _is_made(place, run, CCACHE_READONLY="1")


def test_recache_makes_it_again(place: Path, run: Run) -> None:
    assert _is_made(place, run)
    assert _is_made(place, run, CCACHE_RECACHE="1")
    assert not _is_made(place, run)


@pytest.mark.parametrize("environ", [{"CCACHE_DISABLE": "1"}, {"WHEELKILN_CYTHON": ""}])
def test_without_a_cache_nothing_is_done(place: Path, run: Run, environ: dict[str, str]) -> None:
    assert run(**environ) == ""
    assert not (place / "cache").exists()


def test_other_programs_are_left_alone(place: Path) -> None:
    (place / "bin/cython").rename(place / "bin/other")
    argv = [str(place / "bin/python"), str(place / "bin/other"), "-3", "a.pyx", "a.c"]
    environ = {"WHEELKILN_CYTHON": str(place / "cache"), "PATH": os.environ["PATH"]}
    subprocess.run(argv, cwd=place / "project", env=environ, capture_output=True, check=True, timeout=60)
    assert not (place / "cache").exists()
