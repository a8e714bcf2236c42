"""Keeping results of links in a directory, and finding them again.

A key leads to a small file of entries, each with the further inputs that its link read and the digest of its output,
which lies beside it under that digest. Files appear whole, by renaming. What was used longest ago goes first.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import tempfile
import time
from collections.abc import Callable
from typing import Any, NamedTuple

__all__ = ["Entry", "Store", "parse_size"]

_UNITS = {"": 10**9, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
_MOST_ENTRIES = 8
_FULL = 0.9
"""Share of the limit that is left after cleaning, so that not every link has to clean."""
_ABANDONED_SECONDS = 3600


class Entry(NamedTuple):
    """inputs are digests by path; names the libraries that were searched for, candidates what could have been found.

    listing is the text of the dependency file that the command asked for.
    """

    inputs: dict[str, str]
    names: list[str]
    candidates: list[str]
    output: str
    mode: int
    stdout: str
    stderr: str
    listing: str


def parse_size(text: str) -> int:
    """Return ccache's notation (``500M``, ``10G``, ``5Gi``) in bytes; 0 is no limit."""
    match = re.fullmatch(r"([0-9.]+)\s*([kKMGT]?)(i?)B?", text.strip())
    if match is None:
        return 0
    number, unit, binary = match.groups()
    unit = unit.replace("K", "k")
    factor = 1024 ** (" kMGT".index(unit)) if binary and unit else _UNITS[unit]
    return int(float(number) * factor)


class Store:
    """A namespace's part of the link cache; limit in bytes is that of the whole."""

    def __init__(self, root: str, namespace: str, limit: int) -> None:
        safe = namespace if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", namespace) else _digest(namespace.encode())
        self.root = root
        self.place = os.path.join(root, safe)
        self.limit = limit

    def find(self, key: str, serves: Callable[[Entry], bool]) -> tuple[Entry, bytes] | None:
        """Return the entry that serves and its output; damaged files are as good as none."""
        for entry in self._read(key):
            path = self._output(entry.output)
            if not serves(entry) or not os.path.isfile(path):
                continue
            with open(path, "rb") as stream:
                content = stream.read()
            if _digest(content) != entry.output:
                with contextlib.suppress(OSError):
                    os.unlink(path)
                continue
            for used in (path, self._entries(key)):
                with contextlib.suppress(OSError):
                    os.utime(used)
            return entry, content
        return None

    def keep(self, key: str, entry: Entry, content: bytes) -> None:
        """Write an output, then the entry that leads to it; make room afterwards."""
        for path in (self._output(entry.output), self._entries(key)):
            os.makedirs(os.path.dirname(path), exist_ok=True)
        _write(self._output(entry.output), content)
        others = [known for known in self._read(key) if known.inputs != entry.inputs]
        _write(self._entries(key), _sealed([entry, *others][:_MOST_ENTRIES]))
        self._make_room()

    def _entries(self, key: str) -> str:
        return os.path.join(self.place, key[:2], f"{key}.json")

    def _output(self, digest: str) -> str:
        return os.path.join(self.place, digest[:2], f"{digest}.out")

    def _read(self, key: str) -> list[Entry]:
        try:
            with open(self._entries(key), "rb") as stream:
                seal, _, body = stream.read().partition(b"\n")
            if seal.decode() != _digest(body):
                return []
            return [Entry(**fields) for fields in json.loads(body)]
        except (OSError, ValueError, TypeError):
            return []

    def _make_room(self) -> None:
        files = list(_scan(self.root))
        total = sum(size for _, size, _ in files)
        if not self.limit or total <= self.limit:
            return
        for _, size, path in sorted(files):
            with contextlib.suppress(OSError):
                os.unlink(path)
                total -= size
            if total <= self.limit * _FULL:
                return


def _scan(root: str) -> list[tuple[float, int, str]]:
    """Return last use, size and path of all files; what a killed link left half written is removed."""
    found = []
    for directory, _, names in os.walk(root):
        for name in names:
            path = os.path.join(directory, name)
            with contextlib.suppress(OSError):
                status = os.lstat(path)
                if name.endswith(".part") and time.time() - status.st_mtime > _ABANDONED_SECONDS:
                    os.unlink(path)
                else:
                    found.append((status.st_mtime, status.st_size, path))
    return found


def _write(path: str, content: bytes) -> None:
    handle, name = tempfile.mkstemp(dir=os.path.dirname(path), suffix=".part")
    try:
        with open(handle, "wb") as stream:
            stream.write(content)
            os.fchmod(stream.fileno(), 0o644)
        os.replace(name, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise


def _sealed(entries: list[Entry]) -> bytes:
    """Serialise entries after a digest of them: one that is cut off or damaged is not believed."""
    fields: list[dict[str, Any]] = [entry._asdict() for entry in entries]
    body = json.dumps(fields).encode()
    return _digest(body).encode() + b"\n" + body


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
