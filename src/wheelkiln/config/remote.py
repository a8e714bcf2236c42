"""The address of a compile cache that a team shares: what ccache can be pointed at, its secrets kept apart."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from urllib.parse import quote, unquote, urlsplit

__all__ = ["RemoteAddress", "parse_remote"]

_PORTS = {"redis": 6379, "http": 80}
_BOOLEANS = frozenset({"true", "false"})
_CONNECT_MS = 300
_OPERATION_MS = 1000
_SECRET = "bearer-token"  # noqa: S105 - an attribute's name
_CHOICES = {
    "layout": frozenset({"bazel", "flat", "subdirs"}),
    "keep-alive": _BOOLEANS,
    "read-only": _BOOLEANS,
}
_TIMEOUTS = ("connect-timeout", "operation-timeout")
_HTTP_ONLY = ("layout", "keep-alive", _SECRET)
_LINE = re.compile(r"[\x21-\x7e]+")
_HOST = re.compile(r"[A-Za-z0-9._-]+|[0-9A-Fa-f:]+")
_PATH = re.compile(r"[A-Za-z0-9._~%/+:@=&-]*")
_EXAMPLES = "expected an address such as 'redis://cache.example:6379' or 'http://cache.example/ccache'"


@dataclass(frozen=True, slots=True)
class RemoteAddress:
    """Where the cache is. user and password are as they are, not percent-encoded; attributes are ccache's."""

    scheme: str
    host: str
    port: int
    path: str
    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    attributes: tuple[tuple[str, str], ...] = field(default=(), repr=False)

    @property
    def token(self) -> str:
        return dict(self.attributes).get(_SECRET, "")

    @property
    def has_secret(self) -> bool:
        return bool(self.password or self.token)

    @property
    def place(self) -> str:
        """What may be shown: neither credentials nor the path."""
        return f"{self.scheme}://{self._netloc}"

    @property
    def public(self) -> str:
        """The address as it was written, its secrets replaced by ``***``."""
        login = "***@" if self.password else ""
        shown = (f"|{name}={'***' if name == _SECRET else value}" for name, value in self.attributes)
        return f"{self.scheme}://{login}{self._netloc}{self.path}{''.join(shown)}"

    def storage(self, *, read_only: bool) -> str:
        """Return ccache's ``remote_storage``, secrets included.

        ccache gives up a server within one call only, so that each of many calls pays for one that does not answer:
        its 10 s for an operation are cut short. Its 0.1 s for a connection is too little between continents.
        It decodes the login before it looks for the colon, so a password with one goes with redis's default user.
        """
        given = dict(self.attributes)
        defaults = {"connect-timeout": str(_CONNECT_MS), "operation-timeout": str(_OPERATION_MS)}
        attributes = {**defaults, **given, **({"read-only": "true"} if read_only else {})}
        user = "default" if ":" in self.password and not self.user else self.user
        login = ":".join(quote(part, safe="") for part in (user, self.password) if part)
        ends = "".join(f"|{name}={quote(value, safe='')}" for name, value in sorted(attributes.items()))
        return f"{self.scheme}://{login}{'@' if login else ''}{self._netloc}{self.path}{ends}"

    def with_credentials(self, text: str) -> RemoteAddress:
        """Return the address with what a credentials file holds: ``USER:PASSWORD``, ``PASSWORD`` or ``Bearer TOKEN``.

        Raise ValueError, which does not quote the text, where it is none of them.
        """
        line = text.strip()
        if not line:
            return self
        if not all(character.isprintable() for character in line):
            raise ValueError("expected one line: USER:PASSWORD, a redis PASSWORD, or 'Bearer TOKEN'")
        kind, _, token = line.partition(" ")
        if self.scheme == "http" and kind.lower() == "bearer" and token:
            others = tuple(item for item in self.attributes if item[0] != _SECRET)
            return replace(self, attributes=(*others, (_SECRET, token.strip())))
        user, colon, password = line.partition(":")
        if self.scheme == "http" and not (user and colon and password):
            raise ValueError("expected USER:PASSWORD or 'Bearer TOKEN'")
        return replace(self, user=user if colon else "", password=password if colon else line)

    @property
    def _netloc(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_remote(text: str) -> RemoteAddress:
    """Read an address as ccache takes it: a URL, then attributes behind ``|`` (ccache manual: remote storage).

    Raise ValueError, which quotes nothing that may be secret.
    """
    if not _LINE.fullmatch(text):
        raise ValueError(_EXAMPLES)
    url, *attributes = text.split("|")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValueError(_EXAMPLES) from None
    scheme, host = parts.scheme, parts.hostname or ""
    if scheme in ("https", "rediss"):
        raise ValueError("ccache itself speaks no TLS: use 'redis://' or 'http://', through a TLS proxy or tunnel")
    if (
        scheme not in _PORTS
        or not _HOST.fullmatch(host)
        or not _PATH.fullmatch(parts.path)
        or parts.query
        or parts.fragment
    ):
        raise ValueError(_EXAMPLES)
    if scheme == "redis" and not re.fullmatch(r"/?|/[0-9]+", parts.path):
        raise ValueError("the path of a redis address is the number of a database")
    user, password = _login(scheme, unquote(parts.username or ""), unquote(parts.password or ""))
    read = tuple(_attribute(scheme, item) for item in attributes if item)
    return RemoteAddress(scheme, host, port or _PORTS[scheme], parts.path, user, password, read)


def _login(scheme: str, user: str, password: str) -> tuple[str, str]:
    """Read the login as ccache does: redis may have a password alone, http wants both (ccache manual)."""
    if scheme == "redis" and user and not password:
        return "", user
    if scheme == "http" and bool(user) != bool(password):
        raise ValueError("the login of an http address is USER:PASSWORD")
    return user, password


def _attribute(scheme: str, item: str) -> tuple[str, str]:
    name, given, value = item.partition("=")
    value = unquote(value) if given else "true"
    if name not in (*_CHOICES, *_TIMEOUTS, _SECRET) or (scheme == "redis" and name in _HTTP_ONLY):
        usable = sorted({*_CHOICES, *_TIMEOUTS, _SECRET} - (set(_HTTP_ONLY) if scheme == "redis" else set()))
        raise ValueError(f"an attribute of a {scheme} address is one of {', '.join(usable)}")
    if name in _CHOICES and value not in _CHOICES[name]:
        raise ValueError(f"{name} is one of {', '.join(sorted(_CHOICES[name]))}")
    if name in _TIMEOUTS and not re.fullmatch(r"[1-9][0-9]{0,4}", value):
        raise ValueError(f"{name} is a number of milliseconds, at most 99999")
    return name, value
