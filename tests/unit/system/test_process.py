"""The pure half of system/process.py; starting real processes is tested in tests/contract/test_process.py."""

from __future__ import annotations

import pytest

from wheelkiln.system.process import Completed, mask_secrets


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("https://user:pw@host/simple", "https://***@host/simple"),
        ("https://token@host/simple", "https://***@host/simple"),
        ("git+ssh://git@host/x.git", "git+ssh://***@host/x.git"),
        ("redis://:pw@cache:6379", "redis://***@cache:6379"),
        ("HTTPS://u:p@host", "HTTPS://***@host"),
        ("http://h/a|bearer-token=abc%20|layout=flat", "http://h/a|bearer-token=***|layout=flat"),
        ("a https://u:p@one/x b https://q:r@two/y", "a https://***@one/x b https://***@two/y"),
        ("https://user:p@ss@host/simple", "https://***@host/simple"),
        ("https://host/simple", "https://host/simple"),
        ("https://host/a@b", "https://host/a@b"),
        ("someone@example.org", "someone@example.org"),
    ],
)
def test_credentials_in_urls_are_masked(text: str, masked: str) -> None:
    assert mask_secrets(text) == masked


def test_ok_is_exit_status_zero() -> None:
    assert Completed(("x",), 0, "", "").ok
    assert not Completed(("x",), 1, "", "").ok
    assert not Completed(("x",), -9, "", "").ok


def test_the_last_line_comes_from_stderr_first() -> None:
    assert Completed(("x",), 1, "out\n", "first\nlast  \n\n").last_line == "last"
    assert Completed(("x",), 1, "out\n", "").last_line == "out"


def test_the_last_line_of_silence_is_the_exit_status() -> None:
    assert Completed(("x",), 137, "", "").last_line == "exit status 137"


def test_the_last_line_holds_no_secret() -> None:
    done = Completed(("x",), 1, "", "cannot reach https://u:pw@host/")
    assert done.last_line == "cannot reach https://***@host/"
