"""One Python's compilations serving another's: they do, and the wheels do not depend on who was first."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.container.conftest import Tool, manifest

pytestmark = pytest.mark.any_engine(but=())


def _build(tool: Tool, source: Path, cache: Path, python: str, share: str) -> tuple[int, str]:
    """Build for one Python with a cache of the test's own; return the hits and the wheel's digest."""
    options = ["--base", "bootstrap", "--engine", tool.engine, "--cache-dir", str(cache), "--python", python, "--fresh"]
    ran = tool.run("build", ".", *options, cwd=source, WHEELKILN_CACHE_SHARE_BETWEEN_PYTHONS=share)
    assert ran.code == 0, ran.stderr
    (job,) = manifest(source / "wheelhouse")["jobs"]
    assert job["statistics"]["hits"] + job["statistics"]["misses"] == 2
    return job["statistics"]["hits"], job["wheel"]["sha256"]


def test_flags_of_warnings_keep_nothing_apart_and_change_nothing(tool: Tool, project: Any, tmp_path: Path) -> None:
    source = project("lto")
    apart = [_build(tool, source, tmp_path / "off", python, "off") for python in ("cp310", "cp311")]
    shared = [_build(tool, source, tmp_path / "on", python, "warnings") for python in ("cp310", "cp311")]
    assert [hits for hits, _ in apart] == [0, 0]
    assert [hits for hits, _ in shared] == [0, 1]
    assert [digest for _, digest in apart] == [digest for _, digest in shared]


@pytest.mark.parametrize("share", ["warnings", "flags"])
def test_the_wheels_do_not_depend_on_which_python_came_first(
    tool: Tool, project: Any, tmp_path: Path, share: str
) -> None:
    source, pythons = project("lto"), ("cp311", "cp312")
    forwards = {python: _build(tool, source, tmp_path / "forwards", python, share) for python in pythons}
    backwards = {python: _build(tool, source, tmp_path / "backwards", python, share) for python in reversed(pythons)}
    shareable = 1 if share == "flags" else 0
    assert (forwards["cp312"][0], backwards["cp311"][0]) == (shareable, shareable)
    assert {python: digest for python, (_, digest) in forwards.items()} == {
        python: digest for python, (_, digest) in backwards.items()
    }
