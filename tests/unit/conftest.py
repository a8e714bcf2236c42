"""The unit tier starts no process: what would is made to fail, whoever asks for it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import pytest

_STARTS = {"subprocess.Popen", "os.system", "os.posix_spawn", "os.fork", "os.forkpty", "os.exec", "os.spawn"}
_guard = {"on": False}


def _refuse(event: str, arguments: tuple[Any, ...]) -> None:
    if _guard["on"] and event in _STARTS:
        pytest.fail(f"a unit test started a process ({event}): {arguments!r:.200}")


sys.addaudithook(_refuse)


@pytest.fixture(autouse=True)
def _no_processes() -> Iterator[None]:
    _guard["on"] = True
    yield
    _guard["on"] = False
