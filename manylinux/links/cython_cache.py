"""Answer a call of the ``cython`` command from the cache, else watch it and keep what it wrote.

A build environment's .pth file runs ``begin`` in each of its interpreters that is started for Cython. The key is made
of the command, the directory, the Python, the environment and Cython itself. It leads to what the call had looked at:
the content of each file that it read, and whether each place where it searched held something. Cython's own cache
(``--cache``) does not know all options, writes no dependency file on a hit and repeats no message.
Whatever is unusual, and whatever goes wrong here, leaves the call to Cython: no build fails because of the cache.
"""

from __future__ import annotations

import atexit
import contextlib
import hashlib
import json
import os
import stat
import sys
import zlib
from typing import Any, NamedTuple

from cython_watch import Refused, Watch, kind_of
from link_store import Entry, Store, parse_size

__all__ = ["begin", "find_program", "pack", "unpack"]

_FORMAT = 1
_NAMES = ("cython", "cython3")
_MOST_BYTES = 64 << 20
_MOST_TEXT = 1 << 20
_ENVIRONMENT = {"LANG", "LANGUAGE", "TERM", "NO_COLOR", "FORCE_COLOR"}  # no Cython reads SOURCE_DATE_EPOCH
_ENVIRONMENT_BEGINNINGS = ("CYTHON", "LC_", "PYTHON", "PY_")


class _Call(NamedTuple):
    key: str
    store: Store
    packages: str


def begin() -> None:
    """Answer this interpreter's call and end it, or watch it; do nothing where it is none that can be kept."""
    root = os.environ.get("WHEELKILN_CYTHON", "")
    script = find_program(sys.orig_argv)
    if not root or script is None or os.environ.get("CCACHE_DISABLE"):
        return
    try:
        call = _prepare(root, script)
        if not os.environ.get("CCACHE_RECACHE") and _answer(call):
            os._exit(0)
        if os.environ.get("CCACHE_READONLY"):
            _log("miss", "")
            return
        watch = Watch(call.packages)
        atexit.register(_end, call, watch)
        watch.start()
    except Refused as refused:
        _log("other", str(refused))
    except Exception as error:  # noqa: BLE001 - whatever it is, Cython can still do its work
        _log("other", type(error).__name__)


def find_program(command: list[str]) -> str | None:
    """Return the script of a call of Cython's, empty for a module (``-m cython``), None for any other command."""
    if command[1:3] in (["-m", "cython"], ["-m", "Cython"]):
        return ""
    return command[1] if len(command) > 1 and os.path.basename(command[1]) in _NAMES else None


def _prepare(root: str, script: str) -> _Call:
    if sys.stdout.isatty() or sys.stderr.isatty():
        raise Refused("terminal")
    packages, record = _find_cython()
    machine = os.uname()
    parts = {
        "format": _FORMAT,
        "namespace": os.environ.get("CCACHE_NAMESPACE", ""),
        "command": sys.orig_argv,
        "script": _digest_of(script) if script else "",
        "directory": os.getcwd(),
        "environment": {
            name: value
            for name, value in sorted(os.environ.items())
            if name in _ENVIRONMENT or name.startswith(_ENVIRONMENT_BEGINNINGS)
        },
        "python": [sys.version, sys.prefix, sys.path],
        "machine": [machine.sysname, machine.machine],
        "cython": _digest_of(record),
    }
    key = hashlib.sha256(json.dumps(parts, sort_keys=True).encode("utf-8", "surrogateescape")).hexdigest()
    limit = parse_size(os.environ.get("WHEELKILN_CYTHON_MAXSIZE", ""))
    return _Call(key, Store(root, os.environ.get("CCACHE_NAMESPACE", ""), limit), packages)


def _find_cython() -> tuple[str, str]:
    """Return the directory of the only installed Cython, and its list of files with their digests."""
    found = [
        (place, os.path.join(place, name, "RECORD"))
        for place in sys.path
        if os.path.isdir(place)
        for name in os.listdir(place)
        if name.lower().startswith("cython-") and name.endswith(".dist-info")
    ]
    if len(found) != 1:
        raise Refused("Cython is not installed once")
    return os.path.abspath(found[0][0]), found[0][1]


def _answer(call: _Call) -> bool:
    """Write what an equal call wrote, and say what it said."""
    known: dict[str, str] = {}

    def digest_of(path: str) -> str:
        if path not in known:
            known[path] = _digest_of(path) if os.path.isfile(path) else ""
        return known[path]

    def serves(entry: Entry) -> bool:
        kinds = [kind_of(path) for path in entry.names]
        return kinds == entry.candidates and all(digest_of(path) == digest for path, digest in entry.inputs.items())

    found = call.store.find(call.key, serves)
    if found is None:
        return False
    entry, content = found
    for path, text in unpack(content).items():
        _put(path, text)
    _log("hit", "")
    for stream, said in ((sys.stdout, entry.stdout), (sys.stderr, entry.stderr)):
        with contextlib.suppress(OSError):
            stream.buffer.write(said.encode("utf-8", "surrogateescape"))
            stream.flush()
    return True


def _put(path: str, content: bytes) -> None:
    with contextlib.suppress(FileNotFoundError):
        if not stat.S_ISREG(os.lstat(path).st_mode):
            raise Refused("output is not a regular file")
        os.unlink(path)
    with open(path, "xb") as stream:
        stream.write(content)


def _end(call: _Call, watch: Watch) -> None:
    """Keep what a watched call wrote, where it ended well and everything is known of what it saw."""
    try:
        if watch.stop():
            _keep(call, watch)
            _log("miss", "")
    except Refused as refused:
        _log("other", str(refused))
    except Exception as error:  # noqa: BLE001 - Cython has done its work, whatever became of keeping it
        _log("other", type(error).__name__)


def _keep(call: _Call, watch: Watch) -> None:
    seen = watch.seen()
    inputs = {path: _digest_of(path) for path in seen.read}
    watch.check(seen)  # after reading: what was read is what Cython had read
    outputs: dict[str, bytes] = {}
    for path in seen.written:
        if not stat.S_ISREG(os.lstat(path).st_mode):
            raise Refused("output is not a regular file")
        with open(path, "rb") as stream:
            outputs[path] = stream.read()
    if not outputs or sum(map(len, outputs.values())) > _MOST_BYTES or len(seen.stdout + seen.stderr) > _MOST_TEXT:
        raise Refused("unusual output")
    content = pack(outputs)
    entry = Entry(
        inputs=inputs,
        names=list(seen.looked),
        candidates=list(seen.looked.values()),
        output=hashlib.sha256(content).hexdigest(),
        mode=0o644,
        stdout=seen.stdout,
        stderr=seen.stderr,
        listing="",
    )
    call.store.keep(call.key, entry, content)


def pack(outputs: dict[str, bytes]) -> bytes:
    """Return files as one text: their paths and sizes in a line, and then their contents."""
    sizes = [(path, len(content)) for path, content in sorted(outputs.items())]
    return zlib.compress(b"\n".join([json.dumps(sizes).encode(), b"".join(outputs[path] for path, _ in sizes)]), 1)


def unpack(packed: bytes) -> dict[str, bytes]:
    """Return what pack was given."""
    head, _, body = zlib.decompress(packed).partition(b"\n")
    outputs, begin = {}, 0
    sizes: list[Any] = json.loads(head)
    for path, size in sizes:
        outputs[path] = body[begin : begin + size]
        begin += size
    return outputs


def _digest_of(path: str) -> str:
    with open(path, "rb") as stream:
        return hashlib.sha256(stream.read()).hexdigest()


def _log(result: str, reason: str) -> None:
    """Add a line to the job's log: hit, miss or other, the reason, and the last argument."""
    path = os.environ.get("WHEELKILN_CYTHON_LOG")
    if not path:
        return
    line = "\t".join(" ".join(field.split()) for field in (result, reason or "-", sys.orig_argv[-1]))
    with contextlib.suppress(OSError), open(path, "a", encoding="utf-8", errors="replace") as stream:
        stream.write(f"{line}\n")
