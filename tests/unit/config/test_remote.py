from __future__ import annotations

import pytest

from wheelkiln.config.load import parse_config
from wheelkiln.config.remote import RemoteAddress, parse_remote
from wheelkiln.errors import ConfigError

_ENDS = "|connect-timeout=300|operation-timeout=1000"


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("redis://cache.example", RemoteAddress("redis", "cache.example", 6379, "")),
        ("redis://cache.example:7000/3", RemoteAddress("redis", "cache.example", 7000, "/3")),
        ("redis://[2001:db8::1]:7000", RemoteAddress("redis", "2001:db8::1", 7000, "")),
        ("redis://pw@h", RemoteAddress("redis", "h", 6379, "", "", "pw")),
        ("redis://:pw@h", RemoteAddress("redis", "h", 6379, "", "", "pw")),
        ("redis://ci:p%40w@h", RemoteAddress("redis", "h", 6379, "", "ci", "p@w")),
        ("http://h/ccache", RemoteAddress("http", "h", 80, "/ccache")),
        ("http://u:p@h:8080/", RemoteAddress("http", "h", 8080, "/", "u", "p")),
        ("http://h|layout=flat", RemoteAddress("http", "h", 80, "", attributes=(("layout", "flat"),))),
        ("http://h|bearer-token=a%7Cb", RemoteAddress("http", "h", 80, "", attributes=(("bearer-token", "a|b"),))),
        ("redis://h|read-only", RemoteAddress("redis", "h", 6379, "", attributes=(("read-only", "true"),))),
    ],
)
def test_addresses(text: str, address: RemoteAddress) -> None:
    assert parse_remote(text) == address


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("cache.example:6379", "expected an address such as"),
        ("ftp://h", "expected an address such as"),
        ("file:///srv/cache", "expected an address such as"),
        ("redis://", "expected an address such as"),
        ("redis://h:port", "expected an address such as"),
        ("redis://h x", "expected an address such as"),
        ("redis://h\n", "expected an address such as"),
        ("http://cache-*.example", "expected an address such as"),
        ("http://h/?a=b", "expected an address such as"),
        ("http://h/$HOME", "expected an address such as"),
        ("https://h", "speaks no TLS"),
        ("rediss://h", "speaks no TLS"),
        ("redis://h/name", "number of a database"),
        ("http://token@h", "USER:PASSWORD"),
        ("redis://h|layout=flat", "an attribute of a redis address"),
        ("http://h|helper=/bin/sh", "an attribute of a http address"),
        ("http://h|layout=deep", "layout is one of"),
        ("http://h|connect-timeout=fast", "number of milliseconds"),
    ],
)
def test_what_is_no_address(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse_remote(text)


@pytest.mark.parametrize(
    ("text", "storage"),
    [
        ("redis://h", f"redis://h:6379{_ENDS}"),
        ("redis://:p%40%24w@h/1", f"redis://p%40%24w@h:6379/1{_ENDS}"),
        ("redis://a%3Ab@h", f"redis://default:a%3Ab@h:6379{_ENDS}"),
        ("redis://[::1]", f"redis://[::1]:6379{_ENDS}"),
        ("redis://h|connect-timeout=50", "redis://h:6379|connect-timeout=50|operation-timeout=1000"),
        ("http://h|bearer-token=a%7Cb", "http://h:80|bearer-token=a%7Cb" + _ENDS),
    ],
)
def test_what_ccache_is_told(text: str, storage: str) -> None:
    assert parse_remote(text).storage(read_only=False) == storage


def test_a_read_only_job_only_reads() -> None:
    assert parse_remote("redis://h|read-only=false").storage(read_only=True) == f"redis://h:6379{_ENDS}|read-only=true"


@pytest.mark.parametrize(
    ("text", "credentials", "start"),
    [
        ("redis://h", "pw\n", "redis://pw@h:6379|"),
        ("redis://h", "ci:p:w\n", "redis://ci:p%3Aw@h:6379|"),
        ("redis://old@h", "", "redis://old@h:6379|"),
        ("http://h", "u:p w", "http://u:p%20w@h:80|"),
        ("http://h", "Bearer abc", "http://h:80|bearer-token=abc|"),
        ("http://h|bearer-token=old", "bearer new", "http://h:80|bearer-token=new|"),
    ],
)
def test_credentials_of_a_file(text: str, credentials: str, start: str) -> None:
    assert parse_remote(text).with_credentials(credentials).storage(read_only=False).startswith(start)


@pytest.mark.parametrize(("text", "credentials"), [("http://h", "hunter2"), ("redis://h", "two\nlines-hunter2")])
def test_credentials_that_are_none_are_not_quoted(text: str, credentials: str) -> None:
    with pytest.raises(ValueError, match="expected") as caught:
        parse_remote(text).with_credentials(credentials)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "public", "place"),
    [
        ("redis://u:hunter2@h/1", "redis://***@h:6379/1", "redis://h:6379"),
        ("http://h/a|bearer-token=hunter2|layout=flat", "http://h:80/a|bearer-token=***|layout=flat", "http://h:80"),
    ],
)
def test_what_may_be_shown(text: str, public: str, place: str) -> None:
    address = parse_remote(text)
    assert (address.public, address.place, address.has_secret) == (public, place, True)
    assert "hunter2" not in repr(address)


def test_a_password_in_a_file_is_refused_and_not_quoted() -> None:
    with pytest.raises(ConfigError, match=r"cache\.remote has a password or token") as caught:
        parse_config({"cache": {"remote": "redis://:hunter2@h"}})
    assert caught.value.exit_code == 3
    assert "WHEELKILN_CACHE_REMOTE" in caught.value.hint
    assert "hunter2" not in str(caught.value)


def test_a_password_in_the_variable_is_kept_out_of_sight() -> None:
    config = parse_config(
        {"cache": {"remote": "redis://h"}}, environ={"WHEELKILN_CACHE_REMOTE": "redis://:hunter2@h"}
    ).config
    assert config.cache.remote == "redis://:hunter2@h"
    assert "hunter2" not in repr(config)
    assert config.model_dump(mode="json")["cache"]["remote"] == "redis://***@h:6379"


def test_an_address_that_cannot_be_read_is_not_quoted() -> None:
    with pytest.raises(ConfigError) as caught:
        parse_config({}, environ={"WHEELKILN_CACHE_REMOTE": "redis:/u:hunter2@h"})
    assert "cache.remote: expected an address such as" in str(caught.value)
    assert "(from WHEELKILN_CACHE_REMOTE)" in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_an_empty_variable_turns_the_remote_off() -> None:
    table = {"cache": {"remote": "redis://h"}}
    assert parse_config(table, environ={"WHEELKILN_CACHE_REMOTE": ""}).config.cache.remote == ""


def test_a_line_break_at_the_end_of_the_variable_is_left_out() -> None:
    assert parse_config({}, environ={"WHEELKILN_CACHE_REMOTE": "redis://h\n"}).config.cache.remote == "redis://h"


def test_a_rate_and_a_mode_by_variable() -> None:
    environ = {"WHEELKILN_CACHE_MIN_HIT_RATE": "0.9", "WHEELKILN_CACHE_MODE": "read-only"}
    cache = parse_config({}, environ=environ).config.cache
    assert (cache.min_hit_rate, cache.read_only) == (0.9, True)


@pytest.mark.parametrize("rate", [-0.1, 1.5, 90, "nan", "much"])
def test_what_is_no_rate(rate: float | str) -> None:
    with pytest.raises(ConfigError, match=r"cache\.min-hit-rate"):
        parse_config({"cache": {"min-hit-rate": rate}})
