"""Files: atomic writes, landing a file in another directory, errors that name the place."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from wheelkiln.errors import EnvironmentProblem

__all__ = [
    "PART_PREFIX",
    "PART_SUFFIX",
    "free_bytes",
    "land_file",
    "make_directory",
    "naming_storage_errors",
    "new_file_mode",
    "readable_by_all",
    "remove_leftovers",
    "sha256_of",
    "write_text_atomically",
]

PART_PREFIX = ".wheelkiln-"
PART_SUFFIX = ".part"
_EXPLAINED = {
    errno.ENOSPC: ("no space left on the disk that holds", "Free some space there, or choose another place"),
    errno.EDQUOT: ("the disk quota is used up for", "Free some space there, or choose another place"),
    errno.EROFS: ("a read-only file system holds", "Choose another place"),
    errno.EACCES: ("permission denied for", "Choose a place that you may write to, or mend its owner"),
    errno.EPERM: ("operation not permitted on", "Choose a place that you may write to, or mend its owner"),
    errno.ENOTDIR: ("not a directory on the way to", "Choose another place"),
    errno.EEXIST: ("a file stands where a directory is needed:", "Choose another place"),
}


@contextlib.contextmanager
def naming_storage_errors(place: Path, *, setting: str) -> Iterator[None]:
    """Turn what a full, read-only or foreign disk raises into an EnvironmentProblem.

    setting names the option that moves the place, for the hint.
    """
    try:
        yield
    except OSError as error:
        explained = _EXPLAINED.get(error.errno or 0)
        if explained is None:
            raise
        what, remedy = explained
        raise EnvironmentProblem(f"{what} {place}", hint=f"{remedy} with {setting}.") from error


def make_directory(path: Path, *, setting: str) -> Path:
    """Create path and its parents; raise EnvironmentProblem where that is impossible."""
    with naming_storage_errors(path, setting=setting):
        path.mkdir(parents=True, exist_ok=True)
    return path


def write_text_atomically(path: Path, text: str) -> None:
    """Replace path by text in one step: a reader sees the old file or the new one, never a part."""
    with tempfile.NamedTemporaryFile(
        "w", dir=path.parent, prefix=PART_PREFIX, suffix=PART_SUFFIX, encoding="utf-8", delete=False
    ) as part:
        try:
            part.write(text)
            part.flush()
            os.fsync(part.fileno())
            Path(part.name).chmod(new_file_mode())
            Path(part.name).replace(path)
        except BaseException:
            Path(part.name).unlink(missing_ok=True)
            raise


def land_file(source: Path, directory: Path) -> Path:
    """Copy source into directory under its own name, complete or not at all, and return the new path."""
    target = directory / source.name
    handle, name = tempfile.mkstemp(dir=directory, prefix=PART_PREFIX, suffix=PART_SUFFIX)
    part = Path(name)
    try:
        with source.open("rb") as reader, os.fdopen(handle, "wb") as writer:
            shutil.copyfileobj(reader, writer, 1 << 20)
            writer.flush()
            os.fsync(writer.fileno())
        part.chmod(new_file_mode())
        part.replace(target)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    return target


def remove_leftovers(directory: Path) -> None:
    """Remove the partial files that a killed run left; call it only while holding the directory's lock."""
    for part in directory.glob(f"{PART_PREFIX}*{PART_SUFFIX}"):
        part.unlink(missing_ok=True)


@contextlib.contextmanager
def readable_by_all(path: Path, scratch: Path) -> Iterator[Path]:
    """Give the file, or a copy in scratch where nobody else may read it: a container's user may be somebody else."""
    if not path.exists() or path.stat().st_mode & stat.S_IROTH:
        yield path
        return
    copy = scratch / path.name
    try:
        shutil.copyfile(path, copy)
        copy.chmod(0o644)
        yield copy
    finally:
        copy.unlink(missing_ok=True)


def sha256_of(path: Path) -> str:
    """Return the hex SHA-256 of a file's content."""
    with path.open("rb") as reader:
        return hashlib.file_digest(reader, "sha256").hexdigest()


def free_bytes(path: Path) -> int:
    """Return the bytes that an unprivileged user can still write at path or its nearest existing parent."""
    existing = next(parent for parent in (path, *path.parents) if parent.exists())
    return shutil.disk_usage(existing).free


def new_file_mode() -> int:
    """Return the mode of a new file by the process's umask; no call reads that without setting it (umask(2))."""
    mask = os.umask(0o022)
    os.umask(mask)
    return 0o666 & ~mask
