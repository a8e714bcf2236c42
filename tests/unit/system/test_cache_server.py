"""Questions to servers, answered by sockets of this process."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest

from wheelkiln.system.cache_server import ask_http, ask_redis, is_loopback


@contextmanager
def answering(answers: Sequence[bytes]) -> Iterator[tuple[int, list[bytes]]]:
    """Serve one connection: an answer for each question; yield the port and the questions."""
    asked: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                for answer in answers:
                    asked.append(connection.recv(4096))
                    connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        yield server.getsockname()[1], asked
        thread.join()


def test_a_redis_that_serves() -> None:
    with answering([b"+PONG\r\n"]) as (port, asked):
        assert ask_redis("127.0.0.1", port, "", "", seconds=5) == ""
    assert asked == [b"*1\r\n$4\r\nPING\r\n"]


def test_a_login_is_sent_as_it_is() -> None:
    with answering([b"+OK\r\n", b"-NOPERM no ping\r\n"]) as (port, asked):
        assert ask_redis("127.0.0.1", port, "ci", "p w\r\n", seconds=5) == ""
    assert asked[0] == b"*3\r\n$4\r\nAUTH\r\n$2\r\nci\r\n$5\r\np w\r\n\r\n"


@pytest.mark.parametrize(
    ("answer", "trouble"),
    [
        (b"-NOAUTH Authentication required.\r\n", "it refuses the login (NOAUTH)"),
        (b"-WRONGPASS invalid username-password pair\r\n", "it refuses the login (WRONGPASS)"),
        (b"-LOADING the dataset\r\n", "it answers: 'LOADING the dataset'"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "it is no redis server"),
    ],
)
def test_a_redis_that_does_not_serve(answer: bytes, trouble: str) -> None:
    with answering([answer]) as (port, _):
        assert ask_redis("127.0.0.1", port, "", "", seconds=5) == trouble


@pytest.mark.parametrize(
    ("status", "trouble"),
    [
        ("404 Not Found", ""),
        ("200 OK", ""),
        ("401 Unauthorized", "it refuses the login (HTTP status 401)"),
        ("403 Forbidden", "it refuses the login (HTTP status 403)"),
        ("503 Busy", "it answers with HTTP status 503"),
    ],
)
def test_an_http_store(status: str, trouble: str) -> None:
    with answering([f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n".encode()]) as (port, asked):
        assert ask_http("127.0.0.1", port, "/cache/", "u", "p", "", seconds=5) == trouble
    assert asked[0].startswith(b"HEAD /cache/00/wheelkiln-asks HTTP/1.1\r\n")
    assert b"Authorization: Basic dTpw\r\n" in asked[0]


def test_a_token_is_sent_as_a_bearers() -> None:
    with answering([b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n"]) as (port, asked):
        assert ask_http("127.0.0.1", port, "", "", "", "abc", seconds=5) == ""
    assert b"Authorization: Bearer abc\r\n" in asked[0]


def test_nobody_there_and_nobody_speaking() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        assert ask_redis("127.0.0.1", port, "", "", seconds=0.05) == "it does not answer"
        assert ask_http("127.0.0.1", port, "/", "", "", "", seconds=0.05) == "it does not answer"
    assert ask_redis("127.0.0.1", port, "", "", seconds=5) == "Connection refused"
    assert ask_http("127.0.0.1", port, "/", "", "", "", seconds=5) == "Connection refused"


def test_loopback() -> None:
    assert all(is_loopback(host) for host in ("localhost", "a.localhost", "127.0.0.1", "::1"))
    assert not any(is_loopback(host) for host in ("cache.example", "10.0.0.1", "localhost.example", "::2"))
