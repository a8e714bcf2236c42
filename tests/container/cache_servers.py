"""Servers of compile caches on loopback: a real redis, an http store, and one that never answers."""

from __future__ import annotations

import base64
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.container.registries import free_port, serving, wait_for_server

__all__ = ["PROGRAM", "HttpStore", "Redis", "http_store", "real_redis", "silent_server"]

PROGRAM = "redis-server"


@dataclass(frozen=True, slots=True)
class Redis:
    """A running server; stop ends it in the middle of what it does."""

    port: int
    password: str
    process: subprocess.Popen[bytes]

    def keys(self) -> int:
        done = subprocess.run(
            ["redis-cli", "-p", str(self.port), "dbsize"],
            env={"REDISCLI_AUTH": self.password},
            capture_output=True,
            text=True,
            check=True,
        )
        return int(done.stdout.split()[-1])

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()


@contextmanager
def real_redis(password: str) -> Iterator[Redis]:
    """Run Debian's redis-server, which asks for the password and keeps all in memory."""
    program = shutil.which(PROGRAM)
    assert program is not None
    port = free_port()
    options = [
        "--port",
        str(port),
        "--bind",
        "127.0.0.1",
        "--save",
        "",
        "--appendonly",
        "no",
        "--requirepass",
        password,
    ]
    process = subprocess.Popen([program, *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for_server(f"127.0.0.1:{port}")
        yield Redis(port, password, process)
    finally:
        process.kill()
        process.wait()


@dataclass
class HttpStore:
    """What an http store holds, and the login that it asks for."""

    login: str
    port: int = 0
    entries: dict[str, bytes] = field(default_factory=dict)

    def serve(self, method: str, path: str, login: str | None, body: bytes) -> tuple[int, bytes]:
        """Answer a request: all that ccache asks of an http server."""
        if login != self.login:
            return 401, b""
        if method == "PUT":
            self.entries[path] = body
            return 201, b""
        if method == "DELETE":
            return (204 if self.entries.pop(path, None) else 404), b""
        return (200, self.entries[path]) if path in self.entries else (404, b"")


@contextmanager
def http_store(user: str, password: str) -> Iterator[HttpStore]:
    """Serve a store to whoever knows the password."""
    store = HttpStore("Basic " + base64.b64encode(f"{user}:{password}".encode()).decode())

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            sent = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            status, body = store.serve(self.command, self.path, self.headers.get("Authorization"), sent)
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def do_GET(self) -> None:
            self._serve()

        def do_HEAD(self) -> None:
            self._serve()

        def do_PUT(self) -> None:
            self._serve()

        def do_DELETE(self) -> None:
            self._serve()

        def log_message(self, *_: object) -> None: ...

    with serving(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as port:
        store.port = port
        yield store


@contextmanager
def silent_server() -> Iterator[int]:
    """Take connections and never answer; yield the port."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(512)
        taken: list[socket.socket] = []

        def take() -> None:
            while True:
                try:
                    taken.append(server.accept()[0])
                except OSError:
                    return

        threading.Thread(target=take, daemon=True).start()
        yield int(server.getsockname()[1])
        server.shutdown(socket.SHUT_RDWR)
    for connection in taken:
        connection.close()
