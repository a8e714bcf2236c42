"""Kept calls of the cython command, with the real one: what is found is what would have been made."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.container.conftest import Tool, manifest

pytestmark = pytest.mark.any_engine(but=())

ONE = ("--python", "cp312", "--fresh")


def _build(tool: Tool, source: Path, cache: Path, *options: str, **environ: str) -> tuple[int, int, str]:
    """Build once; return the hits and misses of Cython, and the wheel's digest."""
    own = ["--base", "bootstrap", "--engine", tool.engine, "--cache-dir", str(cache), *ONE, *options]
    ran = tool.run("build", ".", *own, cwd=source, **environ)
    assert ran.code == 0, ran.stderr
    (job,) = manifest(source / "wheelhouse")["jobs"]
    statistics = job["statistics"]
    assert statistics["uncacheable"] == []
    return statistics["cython_hits"], statistics["cython_misses"], job["wheel"]["sha256"]


def test_calls_of_cython_are_found_again(tool: Tool, project: Any, tmp_path: Path) -> None:
    source, cache = project("cython"), tmp_path / "cache"
    *cold, made = _build(tool, source, cache)
    assert cold == [0, 1]
    assert _build(tool, source, cache) == (1, 0, made), "a kept C file must be what Cython makes"
    assert _build(tool, source, cache, WHEELKILN_CACHE_CYTHON="false") == (0, 0, made)

    header = source / "src/shapes.pxd"
    header.write_text(header.read_text(encoding="utf-8").replace("double", "float"), encoding="utf-8")
    assert _build(tool, source, cache, "--cache-read-only")[:2] == (0, 1)
    *changed, other = _build(tool, source, cache)
    assert (changed, other == made) == ([0, 1], False)
    assert _build(tool, source, cache, "--cache-read-only") == (1, 0, other)
