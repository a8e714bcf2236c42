"""The remote compile cache of a run: whether it can be used, and what is to be said where it cannot."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from wheelkiln.config.model import Config
from wheelkiln.config.remote import RemoteAddress, parse_remote
from wheelkiln.errors import ConfigError
from wheelkiln.plan.model import Notice
from wheelkiln.system.cache_server import ask_http, ask_redis, is_loopback
from wheelkiln.system.deadlines import Pending
from wheelkiln.system.host import HostFacts

__all__ = ["Ask", "ChosenRemote", "ask_server", "choose_remote", "read_remote"]

_ANSWER_SECONDS = 1.0
_MOST_SECONDS = 1.5
"""The longest that a server may hold up a run, looking up its name included: below the 2 s that we promise."""
_MOST_BYTES = 8192

Ask = Callable[[RemoteAddress], str]
"""Ask a server whether it serves; return what is wrong, nothing when it does."""


@dataclass(frozen=True, slots=True)
class ChosenRemote:
    """The remote cache of a run, None where there is none to use, and why one that is configured is not used."""

    address: RemoteAddress | None
    notices: tuple[Notice, ...] = ()


def read_remote(config: Config, host: HostFacts) -> RemoteAddress | None:
    """Return the configured address with its credentials; raise ConfigError where their file cannot be used."""
    cache = config.cache
    if not cache.remote:
        return None
    address = parse_remote(cache.remote)
    if not cache.remote_credentials_file:
        return address
    first, *rest = Path(cache.remote_credentials_file).parts
    path = host.home.joinpath(*rest) if first == "~" else host.cwd.joinpath(first, *rest)
    try:
        with path.open("rb") as file:
            text = file.read(_MOST_BYTES).decode("utf-8")
        return address.with_credentials(text)
    except OSError as error:
        problem = error.strerror or "it cannot be read"
    except UnicodeDecodeError:
        problem = "it is no text"
    except ValueError as error:
        problem = str(error)
    raise ConfigError(f"cache.remote-credentials-file: {path}: {problem}")


def choose_remote(config: Config, host: HostFacts, ask: Ask, *, offline: bool = False) -> ChosenRemote:
    """Decide whether a run uses the configured remote cache: it is a help, never a condition."""
    address = read_remote(config, host)
    if address is None:
        return ChosenRemote(None)
    network = "none" if offline else config.container.network
    if network == "none":
        return _without(address, "the container has no network", "Set container.network, or leave cache.remote out.")
    if is_loopback(address.host) and network != "host":
        return _without(
            address,
            "this machine's loopback is not the container's",
            "Name an address that containers reach, or set container.network = 'host'.",
        )
    trouble = Pending(lambda: ask(address), "it does not answer").result_by(time.monotonic() + _MOST_SECONDS)
    if trouble:
        return _without(address, trouble, "Is the server up, the address right, the login known to it?")
    return ChosenRemote(address)


def ask_server(address: RemoteAddress) -> str:
    """Ask a real server."""
    host, port, user, password = address.host, address.port, address.user, address.password
    if address.scheme == "redis":
        return ask_redis(host, port, user, password, seconds=_ANSWER_SECONDS)
    return ask_http(host, port, address.path, user, password, address.token, seconds=_ANSWER_SECONDS)


def _without(address: RemoteAddress, reason: str, hint: str) -> ChosenRemote:
    message = f"this run does without the remote cache {address.place}: {reason}"
    return ChosenRemote(None, (Notice("remote-cache-unused", message, hint),))
