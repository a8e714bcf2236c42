"""A GNU make jobserver: one budget of cores for all processes on this kernel that ask it before they start another.

The tokens are bytes in a fifo (GNU make manual: POSIX jobserver). Who has none runs one process; for each further one
it reads a byte, and writes it back. GNU make >= 4.4, ninja >= 1.13 and cargo are clients.
"""

from __future__ import annotations

import array
import fcntl
import os
import termios
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

__all__ = ["FIFO_NAME", "Jobserver", "serving"]

FIFO_NAME = "tokens"
_TOKEN = b"+"
_EVERYBODY = 0o666  # the container's user may be another


class Jobserver:
    """The server's side: tokens of a budget, of which clients take what the server has not taken itself.

    The server takes a token for each process that it starts, because a client's first process needs none. Without a
    fifo, where none can be made, it only counts. directory has the fifo and nothing else: it can be mounted.
    """

    def __init__(self, budget: int, descriptor: int | None = None, directory: Path | None = None) -> None:
        self.budget = budget
        self.directory = directory
        self._descriptor = descriptor
        self._held = 0

    @property
    def available(self) -> int:
        """How many tokens nobody holds now."""
        if self._descriptor is None:
            return self.budget - self._held
        count = array.array("i", [0])
        fcntl.ioctl(self._descriptor, termios.FIONREAD, count)
        return count[0]

    def take(self, wanted: int) -> int:
        """Take as many tokens as there are, up to wanted, without waiting; return how many."""
        taken = min(wanted, self.available)
        if self._descriptor is not None:
            taken = self._read(taken)
        self._held += taken
        return taken

    def give(self, count: int) -> None:
        """Give tokens back. What clients have written beyond the budget is taken out of the fifo."""
        self._held -= count
        self._write(count)
        self._read(self.available - (self.budget - self._held))

    def settle(self) -> None:
        """Bring the tokens to what must be there while no client runs: one that was killed has taken its own along."""
        missing = self.budget - self._held - self.available
        self._write(missing)
        self._read(-missing)

    def _write(self, count: int) -> None:
        if self._descriptor is not None and count > 0:
            with suppress(BlockingIOError):  # a client has filled the fifo
                os.write(self._descriptor, _TOKEN * count)

    def _read(self, count: int) -> int:
        if self._descriptor is None or count <= 0:
            return 0
        try:
            return len(os.read(self._descriptor, count))
        except BlockingIOError:
            return 0


@contextmanager
def serving(directory: Path, budget: int) -> Iterator[Jobserver]:
    """Serve a budget of cores by a fifo in a directory of its own while the context lasts.

    Where the file system has no fifos the server counts, and has no directory.
    """
    fifo = directory / FIFO_NAME
    try:
        directory.mkdir(parents=True)
        os.mkfifo(fifo)
        fifo.chmod(_EVERYBODY)
        descriptor = os.open(fifo, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        yield Jobserver(budget)
        return
    try:
        server = Jobserver(budget, descriptor, directory)
        server.settle()
        yield server
    finally:
        os.close(descriptor)
        fifo.unlink(missing_ok=True)
        directory.rmdir()
