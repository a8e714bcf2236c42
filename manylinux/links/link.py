"""Answer a link with link-time optimisation from the link cache, else run it and keep its result.

Usage: link.py COMPILER ARGUMENT...

The key is made of the command, the directory, the compiler and linker, and the content of all files that the command
names. It leads to the sets of further files (libraries, start files, linker scripts) that the linker said it read.
Whatever is unusual, and whatever goes wrong here, ends in the plain link: the build never fails because of the cache.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import stat
import subprocess
import sys
import tempfile
import time
from typing import NamedTuple, NoReturn

from link_inputs import (
    Probe,
    candidates,
    digest_file,
    library_names,
    named_files,
    parse_dependencies,
    parse_probe,
    relevant_environment,
)
from link_rules import Link, Refused, is_probe, parse_link
from link_store import Entry, Store, parse_size

_FORMAT = 1
_MOST_TEXT = 1 << 20
_CLOCK_TICK = 10_000_000
"""Nanoseconds by which a file's time can be behind the clock."""
_DEPENDENCIES = "--dependency-file"


class Prepared(NamedTuple):
    """A link that can be kept: its key, the files that the key covers with their states, and what the probe told."""

    link: Link
    key: str
    probe: Probe
    states: dict[str, tuple[int, ...]]


def main() -> int:
    command = sys.argv[1:]
    reason, link = "", None
    try:
        if is_probe(os.getcwd(), command):
            _run_plain(command)
        link = parse_link(command, _read_text)
        _check_surroundings(link)
        store = Store(
            os.environ["WHEELKILN_LINKS"],
            os.environ.get("CCACHE_NAMESPACE", ""),
            parse_size(os.environ.get("WHEELKILN_LINKS_MAXSIZE", "")),
        )
        prepared = _prepare(link)
        if not os.environ.get("CCACHE_RECACHE") and _answer(store, prepared):
            return 0
        if os.environ.get("CCACHE_READONLY"):
            _log("miss", "", link)
            _run_plain(command)
        return _run_and_keep(store, prepared, command)
    except Refused as refused:
        reason = str(refused)
    except Exception as error:  # noqa: BLE001 - whatever it is, the link itself can still be done
        reason = type(error).__name__
    if reason:
        _log("other", reason, link)
    return _run_plain(command)


def _run_plain(command: list[str]) -> NoReturn:
    os.execvp(command[0], command)  # noqa: S606 - the compiler, as it was called


def _check_surroundings(link: Link) -> None:
    if _is_disabled():
        raise Refused("")
    if sys.stdout.isatty() or sys.stderr.isatty():
        raise Refused("terminal")
    for path in filter(None, (link.output, link.listing)):
        with contextlib.suppress(FileNotFoundError):
            if not stat.S_ISREG(os.lstat(path).st_mode):
                raise Refused("output is not a regular file")


def _is_disabled() -> bool:
    """Whether CCACHE_DISABLE is set where ccache was called; ccache itself sets it for what it runs."""
    with contextlib.suppress(OSError), open(f"/proc/{os.getppid()}/environ", "rb") as stream:
        return any(entry.startswith(b"CCACHE_DISABLE=") for entry in stream.read().split(b"\0"))
    return False


def _prepare(link: Link) -> Prepared:
    """Ask compiler and linker what they would do, and make the key of it and of all files that it names."""
    asked = _capture([link.compiler, *link.arguments, "-v", "-Wl,--version"])
    probe = parse_probe(asked.stdout, asked.stderr)
    if asked.returncode or not probe.programs:
        raise Refused("linker unknown")
    if _DEPENDENCIES not in _capture([probe.programs[-1], "--help"]).stdout:
        raise Refused("linker without --dependency-file")
    files = named_files([*link.arguments, *probe.arguments], (link.output, link.listing))
    states = {path: _state(path) for path in files}
    umask = os.umask(0o022)
    os.umask(umask)
    parts = {
        "format": _FORMAT,
        "namespace": os.environ.get("CCACHE_NAMESPACE", ""),
        "command": [link.compiler, *link.arguments],
        "directory": os.getcwd(),
        "umask": umask,
        "environment": relevant_environment(os.environ),
        "tools": probe.text,
        "programs": [_identity(path) for path in _programs(link, probe)],
        "files": {path: digest_file(path) for path in files},
    }
    key = hashlib.sha256(json.dumps(parts, sort_keys=True).encode("utf-8", "surrogateescape")).hexdigest()
    return Prepared(link, key, probe, states)


def _programs(link: Link, probe: Probe) -> list[str]:
    """The compiler, the linker, and what makes machine code behind them."""
    asked = [_capture([link.compiler, f"-print-prog-name={name}"]).stdout.strip() for name in ("lto1", "as")]
    found = [shutil.which(name) for name in (link.compiler, *probe.programs, *asked) if name]
    return [path for path in found if path]


def _identity(path: str) -> tuple[object, ...]:
    real = os.path.realpath(path)
    status = os.stat(real)
    return path, real, status.st_size, status.st_mtime_ns


def _state(path: str) -> tuple[int, ...]:
    status = os.stat(path)
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _answer(store: Store, prepared: Prepared) -> bool:
    """Put a kept output where the linker would write it."""
    known: dict[str, str] = {}

    def digest_of(path: str) -> str:
        if path not in known:
            known[path] = digest_file(path) if os.path.isfile(path) else ""
        return known[path]

    def serves(entry: Entry) -> bool:
        found = candidates(prepared.probe.arguments, entry.names)
        return found == entry.candidates and all(digest_of(path) == digest for path, digest in entry.inputs.items())

    found = store.find(prepared.key, serves)
    if found is None:
        return False
    entry, content = found
    if prepared.link.listing:
        _put(prepared.link.listing, entry.listing.encode("utf-8", "surrogateescape"), entry.mode & 0o666)
    _put(prepared.link.output, content, entry.mode)
    _log("hit", "", prepared.link)
    _say(entry.stdout, entry.stderr)
    return True


def _put(output: str, content: bytes, mode: int) -> None:
    handle, name = tempfile.mkstemp(dir=os.path.dirname(output) or ".", prefix=".wheelkiln-link-")
    try:
        with open(handle, "wb") as stream:
            stream.write(content)
            os.fchmod(stream.fileno(), mode)
        os.replace(name, output)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise


def _run_and_keep(store: Store, prepared: Prepared, command: list[str]) -> int:
    """Do the link; keep its result unless something about it, or about the keeping, is not as it should be."""
    link = prepared.link
    with tempfile.TemporaryDirectory(prefix="wheelkiln-link-") as scratch:
        listing = link.listing or os.path.join(scratch, "inputs")
        started = time.time_ns() - _CLOCK_TICK
        ran = _capture(command if link.listing else [*command, f"-Wl,{_DEPENDENCIES}={listing}"])
        if ran.returncode:  # perhaps because of what was added; the plain link tells, and fails as it always did
            raise Refused("failed")
        try:
            reason = _keep(store, prepared, ran, listing, started)
        except Exception as error:  # noqa: BLE001 - the link is done, whatever became of keeping it
            reason = type(error).__name__
    _log("other" if reason else "miss", reason, link)
    _say(ran.stdout, ran.stderr)
    return 0


def _keep(store: Store, prepared: Prepared, ran: subprocess.CompletedProcess[str], listing: str, started: int) -> str:
    """Store a finished link; return why not, or nothing."""
    link = prepared.link
    listed = _read_text(listing)
    read = parse_dependencies(listed)
    status = os.lstat(link.output)
    if read is None:
        return "unknown inputs"
    if not stat.S_ISREG(status.st_mode):
        return "output is not a regular file"
    if len(ran.stdout) + len(ran.stderr) > _MOST_TEXT:
        return "long output"
    if any(_state(path) != state for path, state in prepared.states.items()):
        return "changed inputs"
    further = [path for path in read if path not in prepared.states]
    if any(max(os.stat(path).st_mtime_ns, os.stat(path).st_ctime_ns) >= started for path in further):
        return "changed inputs"
    with open(link.output, "rb") as stream:
        content = stream.read()
    names = library_names(prepared.probe.arguments, read)
    entry = Entry(
        inputs={path: digest_file(path) for path in further},
        names=names,
        candidates=candidates(prepared.probe.arguments, names),
        output=hashlib.sha256(content).hexdigest(),
        mode=stat.S_IMODE(status.st_mode),
        stdout=ran.stdout,
        stderr=ran.stderr,
        listing=listed if link.listing else "",
    )
    store.keep(prepared.key, entry, content)
    return ""


def _capture(command: list[str]) -> subprocess.CompletedProcess[str]:
    """Run a program with the descriptors of this one, which may be those of make's job server."""
    return subprocess.run(
        command, capture_output=True, text=True, errors="surrogateescape", close_fds=False, check=False
    )


def _say(stdout: str, stderr: str) -> None:
    for stream, text in ((sys.stdout, stdout), (sys.stderr, stderr)):
        with contextlib.suppress(OSError):
            stream.buffer.write(text.encode("utf-8", "surrogateescape"))
            stream.flush()


def _read_text(path: str) -> str:
    with open(path, encoding="utf-8", errors="surrogateescape") as stream:
        return stream.read()


def _log(result: str, reason: str, link: Link | None) -> None:
    """Add a line to the job's log: hit, miss or other, the reason, and the output."""
    path = os.environ.get("WHEELKILN_LINKS_LOG")
    if not path:
        return
    output = os.path.abspath(link.output) if link else "-"
    line = "\t".join(" ".join(field.split()) for field in (result, reason or "-", output))
    with contextlib.suppress(OSError), open(path, "a", encoding="utf-8", errors="replace") as stream:
        stream.write(f"{line}\n")


if __name__ == "__main__":
    sys.exit(main())
