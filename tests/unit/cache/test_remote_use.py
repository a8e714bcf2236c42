from __future__ import annotations

import os
from pathlib import Path

import pytest

from wheelkiln.cache.remote_use import RemoteUse, read_new_text, use_of

_LOCAL = "# a.c\ndirect_cache_hit\nlocal_storage_hit\n"
_HIT = "# b.c\ndirect_cache_hit\nlocal_storage_miss\nremote_storage_hit\nremote_storage_read_hit\n"
_MISS = "# c.c\ncache_miss\nremote_storage_miss\nremote_storage_read_miss\nremote_storage_write\n"
_ERROR = "# d.c\ncache_miss\nremote_storage_error\nremote_storage_miss\n"
_TIMEOUT = "# e.c\ncache_miss\nremote_storage_timeout\n"


def test_calls_are_counted_by_what_the_remote_did() -> None:
    assert use_of(_LOCAL + _HIT + _MISS + _ERROR + _HIT) == RemoteUse(hits=2, misses=1, failures=1)


@pytest.mark.parametrize(
    ("log", "in_a_row", "given_up"),
    [
        (_ERROR, 1, False),
        (_ERROR + _HIT + _TIMEOUT, 1, False),
        (_ERROR + _LOCAL + _TIMEOUT, 2, True),
        (_ERROR + _TIMEOUT + _HIT, 0, True),
    ],
)
def test_two_failures_in_a_row_are_enough(log: str, in_a_row: int, given_up: bool) -> None:
    use = use_of(log)
    assert (use.failed_in_a_row, use.given_up) == (in_a_row, given_up)


def test_a_log_is_counted_in_parts_as_it_is_whole() -> None:
    assert use_of(_HIT + _ERROR) + use_of(_TIMEOUT) == use_of(_HIT + _ERROR + _TIMEOUT)


def test_only_what_is_new_is_read(tmp_path: Path) -> None:
    log = tmp_path / "log"
    assert read_new_text(log, 0) == ("", 0)
    log.write_text(_HIT + "# half")
    text, end = read_new_text(log, 0)
    assert (text, end) == (_HIT, len(_HIT))
    log.write_text(_HIT + _MISS)
    assert read_new_text(log, end) == (_MISS, len(_HIT + _MISS))


def test_what_is_no_plain_file_is_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("/dev/zero")
    assert read_new_text(tmp_path / "pipe", 0) == ("", 0)
    assert read_new_text(tmp_path / "link", 0) == ("", 0)
    assert read_new_text(tmp_path, 0) == ("", 0)
