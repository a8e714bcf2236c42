from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.values import make_config, make_host
from wheelkiln.cache.remote import Ask, ChosenRemote, choose_remote, read_remote
from wheelkiln.config.remote import RemoteAddress, parse_remote
from wheelkiln.errors import ConfigError


def _choose(remote: str, ask: Ask, **container: str) -> ChosenRemote:
    config = make_config({"cache": {"remote": remote}, "container": container})
    return choose_remote(config, make_host(), ask)


def _never(_: RemoteAddress) -> str:
    raise AssertionError("asked")


def _answers(_: RemoteAddress) -> str:
    return ""


def test_without_a_remote_nobody_is_asked() -> None:
    assert _choose("", _never) == ChosenRemote(None)


def test_a_server_that_serves_is_used() -> None:
    assert _choose("redis://h", _answers) == ChosenRemote(parse_remote("redis://h"))


def test_one_that_does_not_is_left_out_with_its_reason() -> None:
    chosen = _choose("redis://h", lambda _: "it refuses the login (WRONGPASS)")
    assert chosen.address is None
    (notice,) = chosen.notices
    assert notice.message == ("this run does without the remote cache redis://h:6379: it refuses the login (WRONGPASS)")


def test_one_that_keeps_silent_is_waited_for_less_than_two_seconds() -> None:
    started = time.monotonic()

    def sleep(_: RemoteAddress) -> str:
        time.sleep(5)
        return ""

    chosen = _choose("redis://h", sleep)
    assert time.monotonic() - started < 2
    assert "it does not answer" in chosen.notices[0].message


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.1.2.3", "[::1]"])
def test_loopback_is_reached_on_the_hosts_network_alone(host: str) -> None:
    chosen = _choose(f"redis://{host}", _never)
    assert chosen.address is None
    assert "container.network = 'host'" in chosen.notices[0].hint
    assert _choose(f"redis://{host}", _answers, network="host").address is not None


def test_without_a_network_nobody_is_asked() -> None:
    assert "no network" in _choose("redis://h", _never, network="none").notices[0].message


def test_credentials_are_read_from_their_file(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("ci:hunter2\n")
    table = {"cache": {"remote": "redis://h", "remote-credentials-file": "~/secret"}}
    address = read_remote(make_config(table), make_host(home=tmp_path))
    assert address is not None
    assert (address.user, address.password) == ("ci", "hunter2")


@pytest.mark.parametrize(
    ("content", "problem"),
    [(None, "No such file"), (b"\xff\xfe", "it is no text"), (b"a\nb", "expected one line")],
)
def test_a_credentials_file_that_cannot_be_used_is_named(tmp_path: Path, content: bytes | None, problem: str) -> None:
    if content is not None:
        (tmp_path / "secret").write_bytes(content)
    table = {"cache": {"remote": "redis://h", "remote-credentials-file": str(tmp_path / "secret")}}
    with pytest.raises(ConfigError, match=problem):
        read_remote(make_config(table), make_host())
