"""Asking a redis or http server whether it serves as a cache: one short question each, straight and without proxies.

ccache reaches its servers the same way: it reads no proxy variables.
"""

from __future__ import annotations

import base64
import socket

__all__ = ["ask_http", "ask_redis", "is_loopback"]

_ANSWER_BYTES = 512
_UNAUTHORIZED, _FORBIDDEN, _SERVER_ERROR = 401, 403, 500


def is_loopback(host: str) -> bool:
    """Tell whether a host's name or address stands for this machine alone, without asking a name server."""
    return host == "localhost" or host.endswith(".localhost") or host.startswith("127.") or host == "::1"


def ask_redis(host: str, port: int, user: str, password: str, *, seconds: float) -> str:
    """Log in and ping; return what is wrong in a few words, nothing when the server serves.

    A user who may not ping (NOPERM) is one who is known.
    """
    login = [part for part in (user, password) if part]
    questions = [["AUTH", *login]] if login else []
    try:
        with socket.create_connection((host, port), timeout=seconds) as connection:
            for question in [*questions, ["PING"]]:
                connection.sendall(_redis_command(question))
                answer = connection.recv(_ANSWER_BYTES).decode("utf-8", errors="replace").partition("\r\n")[0]
                if not answer.startswith("+") and not answer.startswith("-NOPERM"):
                    return _redis_trouble(answer)
    except OSError as error:
        return _reason(error)
    return ""


def ask_http(host: str, port: int, path: str, user: str, password: str, token: str, *, seconds: float) -> str:
    """Ask for an entry that is not there; return what is wrong in a few words, nothing when the server serves."""
    from http.client import HTTPConnection, HTTPException  # it brings ssl along, which a plan does without

    headers = {"User-Agent": "wheelkiln"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    elif user:
        headers["Authorization"] = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
    connection = HTTPConnection(host, port, timeout=seconds)
    try:
        connection.request("HEAD", f"{path.rstrip('/')}/00/wheelkiln-asks", headers=headers)
        status = connection.getresponse().status
    except (OSError, HTTPException, ValueError) as error:
        return _reason(error)
    finally:
        connection.close()
    if status in (_UNAUTHORIZED, _FORBIDDEN):
        return f"it refuses the login (HTTP status {status})"
    return f"it answers with HTTP status {status}" if status >= _SERVER_ERROR else ""


def _redis_command(words: list[str]) -> bytes:
    """Write a command as redis reads it, whatever its words hold (redis: serialization protocol)."""
    encoded = [word.encode() for word in words]
    return b"*%d\r\n" % len(encoded) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in encoded)


def _redis_trouble(answer: str) -> str:
    if answer.startswith(("-WRONGPASS", "-NOAUTH", "-ERR AUTH", "-ERR invalid password")):
        return f"it refuses the login ({answer[1:].partition(' ')[0]})"
    return "it is no redis server" if answer and not answer.startswith("-") else f"it answers: {answer[1:]!r}"


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "it does not answer"
    return getattr(error, "strerror", None) or type(error).__name__
