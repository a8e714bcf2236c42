from __future__ import annotations

import os
import signal
from pathlib import Path

from wheelkiln.system.orphans import RUN_VARIABLE, kill_orphans


def _process(proc: Path, pid: int, environ: bytes) -> None:
    (proc / str(pid)).mkdir(parents=True)
    (proc / str(pid) / "environ").write_bytes(environ)


def test_processes_of_dead_runs_are_killed_and_no_others(tmp_path: Path) -> None:
    mark = RUN_VARIABLE.encode()
    _process(tmp_path, 10, b"PATH=/bin\0" + mark + b"=dead-1\0")
    _process(tmp_path, 11, mark + b"=alive-1\0")
    _process(tmp_path, 12, b"PATH=/bin\0X" + mark + b"=dead-1\0")
    _process(tmp_path, os.getpid(), mark + b"=dead-1\0")
    (tmp_path / "13").mkdir()
    (tmp_path / "self").mkdir()
    killed: list[tuple[int, int]] = []
    count = kill_orphans(lambda run: run.startswith("dead"), tmp_path, lambda pid, number: killed.append((pid, number)))
    assert killed == [(10, signal.SIGKILL)]
    assert count == 1


def test_one_that_ends_meanwhile_is_no_trouble(tmp_path: Path) -> None:
    def gone(*_: int) -> None:
        raise ProcessLookupError

    _process(tmp_path, 10, f"{RUN_VARIABLE}=dead\0".encode())
    assert kill_orphans(lambda _: True, tmp_path, gone) == 0
