"""The guard of this tier works: otherwise nothing would notice a unit test that starts processes."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from wheelkiln.system.process import ProcessRunner


def test_a_process_fails_the_test() -> None:
    with pytest.raises(pytest.fail.Exception, match=r"started a process \(subprocess.Popen\)"):
        subprocess.run(["true"], check=False)


def test_our_own_runner_is_no_way_around(tmp_path: Path) -> None:
    with pytest.raises(pytest.fail.Exception):
        ProcessRunner().capture(["true"], cwd=tmp_path)
