"""The wheel store: finished wheels by their SHA-256, linked out where nothing changed."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from wheelkiln.system.files import PART_PREFIX, PART_SUFFIX, new_file_mode, sha256_of

__all__ = ["StoredWheel", "WheelStore", "store_of"]

_STALE_SECONDS = 24 * 3600.0
"""Age at which a part cannot belong to a living run."""
_ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class StoredWheel:
    """A wheel in the store; used is when it was last put or taken, in seconds since 1970, size in bytes."""

    path: Path
    sha256: str
    size: int
    used: float


@dataclass(frozen=True, slots=True)
class WheelStore:
    """Files at ``<first two digits>/<sha256>/<name>``; several runs may use it at the same time, without a lock.

    A file appears in one step and is only believed after its content has been hashed, so neither a killed run nor
    one that removes can make another one use a wrong wheel. Use is noted in the time of the wheel's directory: a
    linked file's own time is also that of the copy that the user sees.
    """

    root: Path

    def put(self, wheel: Path, sha256: str) -> None:
        """Keep a wheel whose content has this digest; raise OSError where that is impossible."""
        place = self._place(sha256)
        target = place / wheel.name
        if target.is_file() and target.stat().st_size == wheel.stat().st_size:
            _touch(place)
            return
        for attempt in range(1, _ATTEMPTS + 1):
            place.mkdir(parents=True, exist_ok=True)
            try:
                _land(wheel, target, sha256)
            except FileNotFoundError:  # another run has just removed the empty directory
                if attempt == _ATTEMPTS or not wheel.exists():
                    raise
            else:
                return

    def take(self, name: str, sha256: str, directory: Path) -> bool:
        """Bring a wheel into a directory, complete or not at all; a damaged one is removed and counts as missing."""
        stored = self._place(sha256) / name
        try:
            good = _land(stored, directory / name, sha256)
        except FileNotFoundError:
            return False
        if good:
            _touch(stored.parent)
        else:
            self.remove(StoredWheel(stored, sha256, 0, 0.0))
        return good

    def find(self, name: str, sha256: str) -> Path | None:
        """Return the file of a wheel when it is there and undamaged."""
        stored = self._place(sha256) / name
        return stored if stored.is_file() and sha256_of(stored) == sha256 else None

    def wheels(self) -> tuple[StoredWheel, ...]:
        """Return what is stored, what was used longest ago first."""
        return tuple(sorted(self._scan(), key=lambda wheel: (wheel.used, wheel.sha256)))

    def excess(self, limit: int) -> tuple[StoredWheel, ...]:
        """Return what has to go, longest unused first, so that the rest takes no more than limit bytes."""
        wheels = self.wheels()
        over = sum(wheel.size for wheel in wheels) - limit
        gone = []
        for wheel in wheels:
            if over <= 0:
                break
            gone.append(wheel)
            over -= wheel.size
        return tuple(gone)

    def remove(self, wheel: StoredWheel) -> None:
        """Remove a wheel; one that another run has removed is gone, too."""
        wheel.path.unlink(missing_ok=True)
        for directory in (wheel.path.parent, wheel.path.parent.parent):
            with suppress(OSError):  # not empty, or gone
                directory.rmdir()

    def remove_leftovers(self) -> None:
        """Remove the parts that killed runs left."""
        for part in self.root.glob(f"*/*/{PART_PREFIX}*{PART_SUFFIX}"):
            with suppress(FileNotFoundError):
                if time.time() - part.stat().st_ctime > _STALE_SECONDS:
                    part.unlink()

    def _scan(self) -> Iterator[StoredWheel]:
        for place in self.root.glob("??/*"):
            with suppress(OSError):
                used = place.stat().st_mtime
                for path in place.glob("[!.]*.whl"):
                    yield StoredWheel(path, place.name, path.stat().st_size, used)

    def _place(self, sha256: str) -> Path:
        return self.root / sha256[:2] / sha256


def store_of(cache_root: Path) -> WheelStore:
    """Return the wheel store of a cache directory."""
    return WheelStore(cache_root / "wheels")


def sum_sizes(wheels: Iterable[StoredWheel]) -> int:
    """Return the bytes of wheels."""
    return sum(wheel.size for wheel in wheels)


def _land(source: Path, target: Path, sha256: str) -> bool:
    """Put source at target in one step when its content has the digest: a link where both can share it, else a copy.

    What is hashed is what is put in place, so that nothing that happens to source meanwhile matters.
    """
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=PART_PREFIX, suffix=PART_SUFFIX)
    os.close(handle)
    part = Path(name)
    try:
        if not _link(source, part):
            shutil.copyfile(source, part)
            part.chmod(new_file_mode())
            _sync(part)
        if sha256_of(part) != sha256:
            return False
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)  # renaming one of two names of a file does nothing (rename(2))
    return True


def _link(source: Path, part: Path) -> bool:
    """Give the file a second name, where it is as a new file of this user would be and the file system allows it."""
    about = source.stat()
    if about.st_uid != os.geteuid() or stat.S_IMODE(about.st_mode) != new_file_mode():
        return False
    part.unlink()
    try:
        part.hardlink_to(source)
    except FileNotFoundError:
        raise
    except OSError:  # another file system, or one without links
        return False
    return True


def _sync(path: Path) -> None:
    with path.open("rb") as reader:
        os.fsync(reader.fileno())


def _touch(place: Path) -> None:
    with suppress(OSError):  # another user's: its order of use is not worth a failure
        os.utime(place)
