"""What a job's compile calls were in its last two builds, kept in the cache directory for comparing."""

from __future__ import annotations

import gzip
import json
import re
import zlib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from wheelkiln.cache.calls import Call, CallLog
from wheelkiln.system.files import land_file

__all__ = [
    "JobRecord",
    "StoreCounts",
    "keep_record",
    "read_latest_record",
    "read_previous_record",
    "read_store_counts",
    "recorded_jobs",
]

_FORMAT = 1
_LATEST = ".json.gz"
_PREVIOUS = ".previous.json.gz"
_UNSAFE = re.compile(r"[^A-Za-z0-9_@+-][^A-Za-z0-9._@+-]*")
_DAMAGES = (OSError, ValueError, KeyError, TypeError, EOFError, zlib.error)
_FILES, _KIBIBYTES, _CLEANUPS = 11, 12, 29
"""Lines of ccache's files of counters (ccache: src/ccache/core/statistic.hpp, whose numbers never change)."""


@dataclass(frozen=True, slots=True)
class StoreCounts:
    """A ccache directory's own counters: entries' files, their size, and how often entries were removed for space."""

    files: int = 0
    kibibytes: int = 0
    cleanups: int = 0


@dataclass(frozen=True, slots=True)
class JobRecord:
    """One build of one job, as far as its compile calls are concerned.

    finished is in seconds since 1970, built tells whether a wheel came of it. toolchain is the image's compiler and
    version, as far as they are known; source is the digest of the sdist, epoch its SOURCE_DATE_EPOCH, requirements
    are what the build environment had. bypassed are sources that the build log shows compiled by a compiler that was
    called around ccache. store is the state of the cache directory afterwards.
    """

    project: str
    job: str
    finished: float
    built: bool
    log: CallLog
    image: str = ""
    toolchain: str = ""
    source: str = ""
    epoch: int = 0
    requirements: tuple[str, ...] = ()
    bypassed: tuple[str, ...] = ()
    store: StoreCounts = field(default_factory=StoreCounts)

    @property
    def calls(self) -> tuple[Call, ...]:
        """All calls, with those of configure steps."""
        return self.log.calls

    @property
    def compilations(self) -> tuple[Call, ...]:
        """The project's own calls that ccache could answer: its hits and misses, without those of configure steps."""
        return tuple(call for call in self.log.calls if (call.hit or call.miss) and not call.is_probe)


def keep_record(cache_root: Path, record: JobRecord) -> None:
    """Keep a record as its job's latest; the one that was the latest becomes the previous one."""
    latest = _path(cache_root, record.project, record.job, _LATEST)
    latest.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileNotFoundError):
        latest.replace(_path(cache_root, record.project, record.job, _PREVIOUS))
    with TemporaryDirectory(prefix="wheelkiln-") as scratch:
        packed = Path(scratch) / latest.name
        packed.write_bytes(_pack(record))
        land_file(packed, latest.parent)


def read_latest_record(cache_root: Path, project: str, job: str) -> JobRecord | None:
    """Return the record of a job's last build; None when there is none that can be read."""
    return _read(_path(cache_root, project, job, _LATEST))


def read_previous_record(cache_root: Path, project: str, job: str) -> JobRecord | None:
    """Return the record of the build before the last one; None when there is none that can be read."""
    return _read(_path(cache_root, project, job, _PREVIOUS))


def recorded_jobs(cache_root: Path, project: str) -> tuple[str, ...]:
    """Return the ids of a project's jobs that have a record, in the order of their names."""
    directory = _path(cache_root, project, "any", "").parent
    names = sorted(path.name for path in directory.glob(f"*{_LATEST}") if not path.name.endswith(_PREVIOUS))
    return tuple(name.removesuffix(_LATEST) for name in names)


def read_store_counts(directory: Path) -> StoreCounts:
    """Add up the counters of a ccache directory (of the directories 0 to f, and of those in them)."""
    sums = [0, 0, 0]
    for numbers in _counters(directory):
        for place, line in enumerate((_FILES, _KIBIBYTES, _CLEANUPS)):
            sums[place] += numbers[line] if line < len(numbers) else 0
    return StoreCounts(*sums)


def _counters(directory: Path) -> Iterator[list[int]]:
    for pattern in ("[0-9a-f]/stats", "[0-9a-f]/[0-9a-f]/stats"):
        for path in directory.glob(pattern):
            with suppress(OSError, ValueError):
                yield [int(line) for line in path.read_text(encoding="ascii").split()]


def _path(cache_root: Path, project: str, job: str, suffix: str) -> Path:
    """A project's and a job's names come from outside: no character of them leads to another directory."""
    return cache_root / "calls" / _UNSAFE.sub("_", project) / f"{_UNSAFE.sub('_', job)}{suffix}"


def _pack(record: JobRecord) -> bytes:
    value = {"format": _FORMAT, **asdict(record)}
    return gzip.compress(json.dumps(value, separators=(",", ":")).encode(), compresslevel=6, mtime=0)


def _read(path: Path) -> JobRecord | None:
    """Read a record; a damaged one, or one of another version, is one that is not there."""
    with suppress(*_DAMAGES):
        value = json.loads(gzip.decompress(path.read_bytes()))
        if value.pop("format") == _FORMAT:
            return _make_record(value)
    return None


def _make_record(value: Mapping[str, Any]) -> JobRecord:
    log = value["log"]
    settings = tuple((str(key), str(text)) for key, text in log["settings"])
    calls = tuple(_make_call(call) for call in log["calls"])
    rest = {
        **value,
        "log": CallLog(log["version"], settings, calls, log["cleanups"]),
        "requirements": tuple(value["requirements"]),
        "bypassed": tuple(value["bypassed"]),
        "store": StoreCounts(**value["store"]),
    }
    return JobRecord(**rest)


def _make_call(value: Mapping[str, Any]) -> Call:
    parts: dict[str, Any] = {key: tuple(part) if isinstance(part, list) else part for key, part in value.items()}
    return Call(**parts)
