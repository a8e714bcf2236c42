"""What the compile calls of a job got from the remote cache, read from the statistics log while it grows."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from wheelkiln.cache.statistics import parse_statistics_log

__all__ = ["RemoteUse", "read_new_text", "use_of"]

_MOST_BYTES = 1 << 22
_HIT, _MISS = "remote_storage_hit", "remote_storage_miss"
_FAILURES = {"remote_storage_error", "remote_storage_timeout"}
_ENOUGH_FAILURES = 2
"""Failed calls in a row after which a job goes on without the server. Each of them may have waited for it, up to the
operation's timeout: two of one second are the two seconds that a dead server may cost."""
_REACHED = {"remote_storage_read_hit", "remote_storage_read_miss", "remote_storage_write"}


@dataclass(frozen=True, slots=True)
class RemoteUse:
    """Calls by what the remote cache did for them.

    ccache writes of a call that failed that it missed, too: it is counted as failed alone. failed_in_a_row are the
    last ones, without one between them that the server answered; with enough of them the server is given_up.
    """

    hits: int = 0
    misses: int = 0
    failures: int = 0
    failed_in_a_row: int = 0
    given_up: bool = False

    def __add__(self, later: RemoteUse) -> RemoteUse:
        in_a_row = later.failed_in_a_row + (0 if later.hits + later.misses else self.failed_in_a_row)
        return RemoteUse(
            hits=self.hits + later.hits,
            misses=self.misses + later.misses,
            failures=self.failures + later.failures,
            failed_in_a_row=in_a_row,
            given_up=self.given_up or later.given_up or in_a_row >= _ENOUGH_FAILURES,
        )


def use_of(text: str) -> RemoteUse:
    """Count the calls of a statistics log, or of a part of it that begins with a call."""
    use = RemoteUse()
    for call in parse_statistics_log(text.splitlines()):
        results = set(call.results)
        if results & _FAILURES:
            use += RemoteUse(failures=1, failed_in_a_row=1)
        elif _HIT in results:
            use += RemoteUse(hits=1)
        elif _MISS in results or results & _REACHED:
            use += RemoteUse(misses=1)
    return use


def read_new_text(log: Path, start: int) -> tuple[str, int]:
    """Return the lines that the log has gained since start, and where the next reading begins.

    ccache appends a call's lines in one piece. What is built may put anything in the log's place: only a plain file is
    read, and never all of it at once.
    """
    with suppress(OSError):
        descriptor = os.open(log, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            if stat.S_ISREG(os.fstat(descriptor).st_mode):
                file.seek(start)
                data = file.read(_MOST_BYTES)
                end = data.rfind(b"\n") + 1
                return data[:end].decode("utf-8", errors="replace"), start + end
    return "", start
