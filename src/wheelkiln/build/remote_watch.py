"""Watching a job's use of the remote cache, and taking it away from the job when it has stopped answering."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from wheelkiln.build.outcome import Event, Said
from wheelkiln.build.request import BuildRequest, remote_directory
from wheelkiln.cache.remote_use import RemoteUse, read_new_text, use_of
from wheelkiln.cache.settings import REMOTE_CONFIG, REMOTE_FILE, STATISTICS_LOG

__all__ = ["RemoteWatch", "watching_remote"]

_POLL_SECONDS = 0.2


class RemoteWatch:
    """The use of the remote cache so far; use is None without one."""

    def __init__(self, log: Path, switch: Path | None) -> None:
        self.use = RemoteUse() if switch else None
        self._log = log
        self._switch = switch
        self._read = 0
        self._ended = threading.Event()

    def look(self) -> None:
        """Take in what the log has gained; remove the switch when the server has failed often enough."""
        if self.use is None or self._switch is None:
            return
        text, self._read = read_new_text(self._log, self._read)
        self.use += use_of(text)
        if self.use.given_up:
            with suppress(OSError):
                self._switch.unlink()

    def watch(self) -> None:
        while not self._ended.wait(_POLL_SECONDS):
            self.look()

    def end(self) -> None:
        self._ended.set()


@contextmanager
def watching_remote(request: BuildRequest, job_dir: Path, emit: Callable[[Event], None]) -> Iterator[RemoteWatch]:
    """Let a job use the remote cache of its request, if there is one, while the context lasts.

    ccache reads the file that names the server in each call. Removing it is what ends a job's use of a server that is
    gone, in the middle of a build.
    """
    mount, place = job_dir / "mount", remote_directory(job_dir / "mount")
    if request.remote is None:
        yield RemoteWatch(mount / STATISTICS_LOG, None)
        return
    place.mkdir()
    (place / REMOTE_FILE).write_text(REMOTE_CONFIG, encoding="utf-8")
    watch = RemoteWatch(mount / STATISTICS_LOG, place / REMOTE_FILE)
    thread = threading.Thread(target=watch.watch, daemon=True)
    thread.start()
    try:
        yield watch
    finally:
        watch.end()
        thread.join()
        watch.look()
        shutil.rmtree(place, ignore_errors=True)
    if watch.use is not None and watch.use.failures:
        calls = f"{watch.use.failures} call{'s' if watch.use.failures != 1 else ''}"
        rest = "; the rest of the job did without it" if watch.use.given_up else ""
        emit(
            Said(
                f"the remote cache {request.remote.place} failed {calls} of {job_dir.name}{rest}. Does it run, and can "
                "a container reach it by that name (container.network = 'host')?"
            )
        )
