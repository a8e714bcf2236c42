from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from wheelkiln.system.jobserver import FIFO_NAME, Jobserver, serving


@contextmanager
def _client(server: Jobserver) -> Iterator[int]:
    """A client's descriptor of the fifo."""
    assert server.directory is not None
    descriptor = os.open(server.directory / FIFO_NAME, os.O_RDWR | os.O_NONBLOCK)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _fill(client: int) -> bool:
    try:
        return bool(os.write(client, b"x" * 4096))
    except BlockingIOError:
        return False


def test_tokens_are_taken_and_given_back(tmp_path: Path) -> None:
    with serving(tmp_path / "jobserver", 4) as server:
        assert server.available == 4
        assert server.take(3) == 3
        assert server.available == 1
        assert server.take(3) == 1
        assert server.take(1) == 0
        server.give(4)
        assert server.available == 4


def test_server_and_clients_share_the_tokens(tmp_path: Path) -> None:
    with serving(tmp_path / "jobserver", 4) as server, _client(server) as client:
        server.take(1)
        assert os.read(client, 10) == b"+++"
        assert server.take(1) == 0
        with pytest.raises(BlockingIOError):
            os.read(client, 1)
        os.write(client, b"+")
        assert server.take(2) == 1


def test_tokens_of_a_client_that_was_killed_come_back_when_nothing_runs(tmp_path: Path) -> None:
    with serving(tmp_path / "jobserver", 4) as server, _client(server) as client:
        server.take(1)
        os.read(client, 2)
        server.give(1)
        assert server.available == 2
        server.settle()
        assert server.available == 4


def test_tokens_that_a_client_invents_do_not_stay(tmp_path: Path) -> None:
    with serving(tmp_path / "jobserver", 2) as server, _client(server) as client:
        server.take(1)
        os.write(client, b"+" * 1000)
        server.give(1)
        assert server.available == 2
        os.write(client, b"+")
        server.settle()
        assert server.available == 2


def test_a_client_that_fills_the_fifo_stops_nobody(tmp_path: Path) -> None:
    with serving(tmp_path / "jobserver", 2) as server, _client(server) as client:
        server.take(1)
        while _fill(client):
            pass
        server.give(1)
        assert server.available == 2


def test_any_user_may_use_the_fifo_which_goes_at_the_end(tmp_path: Path) -> None:
    with serving(tmp_path / "jobserver", 2) as server:
        assert server.directory == tmp_path / "jobserver"
        mode = (tmp_path / "jobserver" / FIFO_NAME).stat().st_mode
        assert stat.S_ISFIFO(mode)
        assert stat.S_IMODE(mode) == 0o666
    assert list(tmp_path.iterdir()) == []


def test_without_a_fifo_it_counts(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with serving(tmp_path / "file/jobserver", 3) as server:
        assert server.directory is None
        assert server.take(2) == 2
        assert server.take(2) == 1
        server.settle()
        assert server.available == 0
        server.give(3)
        assert server.available == 3
