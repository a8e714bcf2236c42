"""Registries on loopback: a real one, one that asks for a login, and one that dies in the middle of a push."""

from __future__ import annotations

import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

__all__ = [
    "dying_registry",
    "free_port",
    "own_address",
    "real_registry",
    "serve_directory",
    "serving",
    "wait_for_server",
]

_UNUSABLE = "$2y$05$c4WoMPo3SXsafkva.HHa6uXQZWr7oboPiC2bT/r7q1BB8I2s0BRqC"
"""A password's hash (bcrypt): nobody logs in."""
PROGRAM = "docker-registry"


@contextmanager
def real_registry(place: Path, *, login: bool = False) -> Iterator[str]:
    """Run Debian's docker-registry; yield its host and port."""
    program = shutil.which(PROGRAM)
    assert program is not None
    place.mkdir(parents=True)
    address = f"127.0.0.1:{free_port()}"
    (place / "htpasswd").write_text(f"user:{_UNUSABLE}\n")
    (place / "config.yml").write_text(
        f"version: 0.1\nstorage: {{filesystem: {{rootdirectory: '{place}/data'}}}}\nhttp: {{addr: {address}}}\n"
        + (f"auth: {{htpasswd: {{realm: r, path: '{place}/htpasswd'}}}}\n" if login else "")
    )
    with (place / "log").open("wb") as log:
        process = subprocess.Popen([program, "serve", str(place / "config.yml")], stdout=log, stderr=log)
    try:
        wait_for_server(address)
        yield address
    finally:
        process.kill()
        process.wait()


@contextmanager
def dying_registry() -> Iterator[str]:
    """Answer as a registry that has nothing, and hang up when an upload begins."""

    class Handler(BaseHTTPRequestHandler):
        def _answer(self, status: int) -> None:
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.send_header("Docker-Distribution-Api-Version", "registry/2.0")
            self.end_headers()

        def do_GET(self) -> None:
            self._answer(200 if self.path == "/v2/" else 404)

        def do_HEAD(self) -> None:
            self._answer(404)

        def do_POST(self) -> None:
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True

        def log_message(self, *_: object) -> None: ...

    with serving(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as port:
        yield f"127.0.0.1:{port}"


@contextmanager
def serve_directory(directory: Path) -> Iterator[int]:
    """Serve files to containers, on every address of this machine; yield the port."""

    class Handler(SimpleHTTPRequestHandler):
        def __init__(self, *arguments: object) -> None:
            super().__init__(*arguments, directory=str(directory))  # type: ignore[arg-type]

        def log_message(self, *_: object) -> None: ...

    with serving(ThreadingHTTPServer(("0.0.0.0", 0), Handler)) as port:  # noqa: S104 - containers are elsewhere
        yield port


def own_address() -> str:
    """The address of this machine that its containers reach: that of its way out; no packet is sent for it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))
        return str(probe.getsockname()[0])


@contextmanager
def serving(server: ThreadingHTTPServer) -> Iterator[int]:
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for_server(address: str) -> None:
    host, _, port = address.partition(":")
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        with suppress(OSError), socket.create_connection((host, int(port)), timeout=2):
            return
        time.sleep(0.1)
    raise AssertionError(f"{address} does not answer")
