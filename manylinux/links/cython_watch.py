"""Watching what a process reads, looks for, writes and says: by Python's audit events and in place of os.stat."""

from __future__ import annotations

import contextlib
import glob
import os
import stat
import sys
import sysconfig
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, TextIO

__all__ = ["PATTERN", "Refused", "Seen", "Watch", "kind_of", "state_of"]

_WRITING = os.O_WRONLY | os.O_RDWR
_BLIND = frozenset({
    "ctypes.dlopen", "os.chdir", "os.exec", "os.fork", "os.forkpty", "os.link", "os.mkdir", "os.posix_spawn",
    "os.rename", "os.rmdir", "os.spawn", "os.symlink", "os.system", "os.truncate", "os.utime", "shutil.move",
    "socket.connect", "subprocess.Popen",
})  # fmt: skip
"""Events of what is not followed. Cython does none of it, unless an option asks for it."""
_MACHINE_QUESTION = ["uname", "-p"]
"""What Python itself runs for platform.uname(), and what it says is as good as the key's machine."""
_UNLIKE_ELSEWHERE = (b"UNAME_NODENAME", b"UNAME_RELEASE", b"UNAME_VERSION")
"""Constants that Cython knows when it compiles, and that are another in each container or on each kernel."""
_NOT_THERE = "/nonexistent/wheelkiln"
PATTERN = "pattern:"
_stat, _glob = os.stat, glob.glob


class Refused(Exception):
    """A call is not kept; the text says why."""


class Seen(NamedTuple):
    """What a process did: files that it read, what was where it looked, files that it wrote, and what it said."""

    read: dict[str, tuple[int, ...]]
    looked: dict[str, str]
    written: tuple[str, ...]
    stdout: str
    stderr: str


class Watch:
    """Notes what this process does from start to stop. packages is the directory of its packages, known otherwise."""

    def __init__(self, packages: str) -> None:
        self._read: dict[str, tuple[int, ...]] = {}
        self._looked: dict[str, str] = {}
        self._written: set[str] = set()
        self._removed: set[str] = set()
        self._blind = ""
        self._status: object = 0
        self._watching = False
        self._texts: tuple[list[str], list[str]] = ([], [])
        self._packages = packages
        self._standard = os.path.join(sysconfig.get_path("stdlib"), "")
        self._cython = os.path.join(packages, "Cython", "")

    def start(self) -> None:
        """Begin. Raise Refused where Python does not ask os.stat whether a file is there."""
        os.stat = self._noting(os.stat)
        os.lstat = self._noting(os.lstat)
        for name in ("listdir", "scandir", "readlink", "access"):
            setattr(os, name, self._refusing(getattr(os, name), name))
        sys.dont_write_bytecode = True  # in an environment that is still being compiled; jobs may not write there
        self._watching = True
        os.path.exists(_NOT_THERE)
        if _NOT_THERE not in self._looked:
            self._watching = False
            raise Refused("searching is not seen")
        glob.glob = self._noting_glob(glob.glob)  # type: ignore[assignment]
        sys.exit = self._noting_status(sys.exit)
        sys.stdout, sys.stderr = _Tee(sys.stdout, self._texts[0]), _Tee(sys.stderr, self._texts[1])
        sys.addaudithook(self._note)

    def stop(self) -> bool:
        """End, and tell whether the process ended well."""
        self._watching = False
        return self._status in (None, 0) and not hasattr(sys, "last_type")

    def seen(self) -> Seen:
        """Return what was noted; raise Refused where it is not all."""
        self._check_modules()
        if self._blind or not self._removed <= self._written:
            raise Refused(self._blind or "os.remove")
        own = self._written
        read = {path: state for path, state in self._read.items() if path not in own}
        looked = {path: kind for path, kind in self._looked.items() if path not in own}
        return Seen(read, looked, tuple(sorted(own)), *("".join(text) for text in self._texts))

    def check(self, seen: Seen) -> None:
        """Raise Refused where something is not as it was when it was noted."""
        if any(state_of(path) != state for path, state in seen.read.items()):
            raise Refused("changed inputs")
        if any(kind_of(path) != kind for path, kind in seen.looked.items()):
            raise Refused("changed inputs")
        for path in seen.read:
            with open(path, "rb") as stream:
                content = stream.read()
            if any(name in content for name in _UNLIKE_ELSEWHERE) and not path.endswith((".py", ".c", ".h")):
                raise Refused("constants of this machine")

    def _check_modules(self) -> None:
        known = (self._standard, os.path.join(self._packages, ""), os.path.join(os.path.dirname(__file__), ""))
        for module in list(sys.modules.values()):
            file = getattr(module, "__file__", None)
            if isinstance(file, str) and not os.path.abspath(file).startswith(known) and module.__name__ != "__main__":
                raise Refused("modules of the project")

    def _note(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self._watching:
            return
        if event == "open":
            self._note_open(*arguments)
        elif event == "os.remove":
            self._removed.add(_absolute(arguments[0]))
        elif event in _BLIND and not (event == "subprocess.Popen" and list(arguments[1]) == _MACHINE_QUESTION):
            self._blind = self._blind or event

    def _note_open(self, path: object, _mode: object, flags: object) -> None:
        if not isinstance(path, (str, bytes)) or path == os.devnull:
            return
        name = _absolute(path)
        if isinstance(flags, int) and flags & _WRITING:
            self._written.add(name)
            if name in self._read:
                self._blind = self._blind or "changed inputs"
        elif name not in self._written and not name.endswith(".pyc") and not self._is_settled(name):
            self._looked.setdefault(name, kind_of(name))
            with contextlib.suppress(OSError):
                self._read.setdefault(name, state_of(name))

    def _is_settled(self, name: str) -> bool:
        """Whether a file is of Python's own library or of Cython, which the key covers."""
        return name.startswith(self._cython) or (name.startswith(self._standard) and "-packages/" not in name)

    def _is_listed(self, place: str) -> bool:
        """Whether a directory is one that site looks for .pth files in, or of Cython's own."""
        return place == self._packages or self._is_settled(os.path.join(place, ""))

    def _noting(self, original: Callable[..., os.stat_result]) -> Callable[..., os.stat_result]:
        def noting(path: Any, *arguments: Any, **options: Any) -> os.stat_result:
            if self._watching and not isinstance(path, int):
                name = _absolute(path)
                if name not in self._looked and not self._is_settled(name):
                    self._looked[name] = kind_of(name)
                if options.get("dir_fd") is not None:
                    self._blind = self._blind or "dir_fd"
            return original(path, *arguments, **options)

        return noting

    def _noting_glob(self, original: Callable[..., list[str]]) -> Callable[..., list[str]]:
        def noting(pattern: str) -> list[str]:
            watching, self._watching = self._watching, False
            try:
                if watching:
                    name = PATTERN + os.path.join(os.getcwd(), pattern)
                    self._looked.setdefault(name, kind_of(name))
                return original(pattern)
            finally:
                self._watching = watching

        return noting

    def _refusing(self, original: Callable[..., Any], name: str) -> Callable[..., Any]:
        def refusing(*arguments: Any, **options: Any) -> Any:
            if self._watching and not (name == "listdir" and self._is_listed(_absolute(*arguments[:1] or "."))):
                self._blind = self._blind or f"os.{name}"
            return original(*arguments, **options)

        return refusing

    def _noting_status(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def noting(status: object = None) -> None:
            self._status = status
            original(status)

        return noting


class _Tee:
    """A stream that keeps what is written to it."""

    def __init__(self, stream: TextIO, kept: list[str]) -> None:
        self._stream, self._kept = stream, kept

    def write(self, text: str) -> int:
        self._kept.append(text)
        return self._stream.write(text)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def kind_of(path: str) -> str:
    """Tell what is at a path that was searched: nothing, a file, a directory, or something else.

    After PATTERN it is a pattern of names, and its files are told.
    """
    if path.startswith(PATTERN):
        return os.pathsep.join(sorted(_glob(path.removeprefix(PATTERN))))
    try:
        mode = _stat(path).st_mode
    except OSError:
        return ""
    return "file" if stat.S_ISREG(mode) else "directory" if stat.S_ISDIR(mode) else "other"


def state_of(path: str) -> tuple[int, ...]:
    """Return what changes when a file is written."""
    status = _stat(path)
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _absolute(path: Any) -> str:
    return os.path.abspath(os.fsdecode(path))
