from __future__ import annotations

import threading
from pathlib import Path

import pytest

from wheelkiln.system.locks import exclusive, is_held


def _never() -> None:
    raise AssertionError("nobody else holds the lock")


def test_a_free_lock_is_taken_without_waiting(tmp_path: Path) -> None:
    with exclusive(tmp_path / "locks", "output /x", on_wait=_never):
        assert is_held(tmp_path / "locks", "output /x")
    assert not is_held(tmp_path / "locks", "output /x")


def test_a_lock_is_released_when_its_holder_fails(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), exclusive(tmp_path, "a", on_wait=_never):
        raise ZeroDivisionError
    assert not is_held(tmp_path, "a")


def test_an_unknown_lock_is_not_held_and_is_not_made(tmp_path: Path) -> None:
    assert not is_held(tmp_path, "never taken")
    assert list(tmp_path.iterdir()) == []


def test_different_names_do_not_wait_for_each_other(tmp_path: Path) -> None:
    with exclusive(tmp_path, "a", on_wait=_never), exclusive(tmp_path, "b", on_wait=_never):
        assert is_held(tmp_path, "a")
        assert is_held(tmp_path, "b")


def test_a_name_is_never_a_path(tmp_path: Path) -> None:
    with exclusive(tmp_path / "locks", "../../evil\0/x", on_wait=_never):
        assert [path.parent.name for path in tmp_path.rglob("*.lock")] == ["locks"]


def test_the_second_waits_once_and_then_goes_on(tmp_path: Path) -> None:
    events: list[str] = []
    waiting = threading.Event()

    def second() -> None:
        def on_wait() -> None:
            events.append("waits")
            waiting.set()

        with exclusive(tmp_path, "a", on_wait=on_wait):
            events.append("second")

    thread = threading.Thread(target=second)
    with exclusive(tmp_path, "a", on_wait=_never):
        thread.start()
        assert waiting.wait(10)
        events.append("first ends")
    thread.join(10)
    assert events == ["waits", "first ends", "second"]
