"""A root directory of a process's own: the machine's files as they are and read-only, with chosen paths laid over them.

It needs no privileges, only a kernel that lets users have namespaces (user_namespaces(7), mount_namespaces(7)).
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

__all__ = ["Bind", "enter_new_root", "join_namespaces"]

_NEWNS, _NEWUSER, _NEWNET = 0x00020000, 0x10000000, 0x40000000
_BIND, _REC, _PRIVATE, _RDONLY, _REMOUNT = 4096, 16384, 1 << 18, 1, 32
_NOSUID, _NODEV = 2, 4
_DETACH = 2
_MOUNT_SETATTR = 442
"""The system call's number, the same on every architecture; it came with Linux 5.12 and has no name in older glibc."""
_AT_FDCWD, _AT_RECURSIVE, _ATTR_RDONLY = -100, 0x8000, 1
_OLD_ROOT = ".old-root"


@dataclass(frozen=True, slots=True)
class Bind:
    """A file or directory of the machine that is laid over a path of the new root."""

    source: Path
    target: PurePosixPath
    read_only: bool = False


class _MountAttributes(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint64) for name in ("attr_set", "attr_clr", "propagation", "userns_fd")]


_libc = ctypes.CDLL(None, use_errno=True)


def enter_new_root(new_root: Path, binds: Sequence[Bind], *, network: bool = True) -> None:
    """Move this process, which must have one thread, to a root of its own that is put together at new_root.

    It keeps its user and group, and without network has no network but an unused loopback. Raise OSError where the
    kernel or its security modules do not allow it; the process is in an unusable state then.
    """
    uid, gid = os.getuid(), os.getgid()
    _call("unshare", _NEWUSER | _NEWNS | (0 if network else _NEWNET))
    _write("/proc/self/setgroups", "deny")
    _write("/proc/self/uid_map", f"{uid} {uid} 1")
    _write("/proc/self/gid_map", f"{gid} {gid} 1")
    _mount("none", "/", _REC | _PRIVATE)
    _mount("tmpfs", str(new_root), _NOSUID | _NODEV, "tmpfs")
    ordered = sorted(binds, key=lambda bind: len(bind.target.parts))
    _fill(Path("/"), new_root, _make_tree(ordered))
    (new_root / _OLD_ROOT).mkdir()
    _make_read_only(new_root)
    for bind in ordered:
        _lay(bind, new_root)
    os.chdir(new_root)
    _call("pivot_root", b".", _OLD_ROOT.encode())
    _call("umount2", f"/{_OLD_ROOT}".encode(), _DETACH)
    os.chdir("/")


def join_namespaces(pid: int) -> None:
    """Move this process to the root of another one of this user."""
    namespaces = [
        os.open(f"/proc/{pid}/ns/{kind}", os.O_RDONLY | os.O_CLOEXEC)
        for kind in ("user", "mnt", "net")
        if Path(f"/proc/{pid}/ns/{kind}").stat().st_ino != Path(f"/proc/self/ns/{kind}").stat().st_ino
    ]
    for namespace in namespaces:  # the user namespace first: it gives the right to join the others
        _call("setns", namespace, 0)
    if namespaces:
        os.chdir("/")


Tree = dict[str, "Tree"]


def _make_tree(binds: Sequence[Bind]) -> Tree:
    """Return the directories that lead to the outermost targets that are not there; those are the leaves."""
    tree: Tree = {}
    outermost: list[PurePosixPath] = []
    for bind in binds:
        if any(other in (bind.target, *bind.target.parents) for other in outermost) or _is_there(bind.target):
            continue
        outermost.append(bind.target)
        branch = tree
        for part in bind.target.parts[1:]:
            branch = branch.setdefault(part, {})
    return tree


def _is_there(target: PurePosixPath) -> bool:
    """A path with a symbolic link on its way would lead out of the new root while that is put together."""
    path = Path(target)
    return path.exists() and path.resolve() == path


def _fill(real: Path | None, new: Path, tree: Mapping[str, Tree]) -> None:
    """Show a directory's entries at new, and take apart those that lead to a target."""
    for entry in os.scandir(real) if real else ():
        if entry.name in tree:
            continue
        place = new / entry.name
        if entry.is_symlink():
            place.symlink_to(Path(entry.path).readlink())
        else:
            _make_mount_point(place, is_directory=entry.is_dir())
            with suppress(OSError):  # what this user may not even mount is left out
                _mount(entry.path, str(place), _BIND | _REC)
    for name, branch in tree.items():
        if branch:
            (new / name).mkdir()
            inner = real / name if real else None
            _fill(inner if inner and inner.is_dir() else None, new / name, branch)


def _make_read_only(new_root: Path) -> None:
    """Let nothing of the machine be changed but what is laid over it; kernels before 5.12 cannot.

    The root itself is in memory and this process's own: mount points are made in it.
    """
    attributes = ctypes.byref(_MountAttributes(attr_set=_ATTR_RDONLY)), ctypes.sizeof(_MountAttributes)
    for entry in os.scandir(new_root):
        if entry.is_dir(follow_symlinks=False) and os.path.ismount(entry.path):
            _libc.syscall(_MOUNT_SETATTR, _AT_FDCWD, os.fsencode(entry.path), _AT_RECURSIVE, *attributes)
        elif entry.is_dir(follow_symlinks=False):
            _make_read_only(Path(entry.path))


def _lay(bind: Bind, new_root: Path) -> None:
    place = new_root / bind.target.relative_to("/")
    if not os.path.lexists(place):
        place.parent.mkdir(parents=True, exist_ok=True)
        _make_mount_point(place, is_directory=bind.source.is_dir())
    _mount(str(bind.source), str(place), _BIND | _REC)
    if bind.read_only:
        _mount("none", str(place), _BIND | _REMOUNT | _RDONLY | _NOSUID | _NODEV)


def _make_mount_point(place: Path, *, is_directory: bool) -> None:
    if is_directory:
        place.mkdir(exist_ok=True)
    else:
        place.touch()


def _mount(source: str, target: str, flags: int, kind: str = "") -> None:
    _call("mount", os.fsencode(source), os.fsencode(target), kind.encode() or None, ctypes.c_ulong(flags), None)


def _write(path: str, text: str) -> None:
    Path(path).write_text(text, encoding="ascii")


def _call(name: str, *arguments: object) -> None:
    if getattr(_libc, name)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")
