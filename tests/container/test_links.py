"""The link cache with a real linker: what is found is what would have been made."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from tests.container.conftest import Tool, manifest

pytestmark = pytest.mark.any_engine(but=())

ONE = ("--python", "cp312", "--fresh")


def _build(tool: Tool, source: Path, cache: Path, **environ: str) -> tuple[dict[str, Any], str]:
    """Build once; return the statistics and the wheel's digest."""
    options = ["--base", "bootstrap", "--engine", tool.engine, "--cache-dir", str(cache), *ONE]
    ran = tool.run("build", ".", *options, cwd=source, **environ)
    assert ran.code == 0, ran.stderr
    (job,) = manifest(source / "wheelhouse")["jobs"]
    return job["statistics"], job["wheel"]["sha256"]


def _links(statistics: dict[str, Any]) -> tuple[int, int]:
    return statistics["link_hits"], statistics["link_misses"]


def test_links_with_link_time_optimisation_are_found_again(tool: Tool, project: Any, tmp_path: Path) -> None:
    source, cache = project("lto"), tmp_path / "cache"
    cold, made = _build(tool, source, cache)
    assert (cold["misses"], _links(cold), cold["uncacheable"]) == (2, (0, 1), [])

    warm, found = _build(tool, source, cache)
    assert (warm["hits"], _links(warm)) == (2, (1, 0))
    without, plain = _build(tool, source, cache, WHEELKILN_CACHE_LINKS="off")
    assert (without["hits"], _links(without)) == (2, (0, 0))
    assert found == made == plain, "a kept link must be bit for bit what the linker makes"

    core = source / "csrc/core.c"
    core.write_text(
        core.read_text(encoding="utf-8").replace("hypot(number, 2.0)", "hypot(number, 3.0)"), encoding="utf-8"
    )
    changed, other = _build(tool, source, cache)
    assert (changed["hits"], changed["misses"], _links(changed)) == (1, 1, (0, 1))
    assert other != made


def test_a_damaged_or_full_link_cache_costs_hits_and_nothing_else(tool: Tool, project: Any, tmp_path: Path) -> None:
    source, cache = project("lto"), tmp_path / "cache"
    _, made = _build(tool, source, cache)
    (kept,) = (cache / "links").rglob("*.out")
    content = kept.read_bytes()
    kept.write_bytes(content[: len(content) // 2])
    damaged, same = _build(tool, source, cache)
    assert (_links(damaged), same) == ((0, 1), made)
    assert _links(_build(tool, source, cache)[0]) == (1, 0)

    (entries,) = (cache / "links").rglob("*.json")
    entries.unlink()
    entries.mkdir()  # cannot be written, by root neither
    blocked, same = _build(tool, source, cache)
    assert same == made
    assert dict(blocked["uncacheable"]) == {"lto_link: IsADirectoryError": 1}


def _poison(cache: Path) -> None:
    """Put another output behind a kept link, as who can write the cache directory could."""
    (entries,) = (cache / "links").rglob("*.json")
    kept = json.loads(entries.read_bytes().partition(b"\n")[2])
    (output,) = (cache / "links").rglob("*.out")
    content = output.read_bytes() + b"poison"
    digest = hashlib.sha256(content).hexdigest()
    poisoned = output.parent.parent / digest[:2] / f"{digest}.out"
    poisoned.parent.mkdir(exist_ok=True)
    poisoned.write_bytes(content)
    body = json.dumps([{**kept[0], "output": digest}]).encode()
    entries.write_bytes(hashlib.sha256(body).hexdigest().encode() + b"\n" + body)


def test_a_poisoned_link_is_found_by_cache_verify(tool: Tool, project: Any, tmp_path: Path) -> None:
    source, cache = project("lto"), tmp_path / "cache"
    options = ["--base", "bootstrap", "--engine", tool.engine, "--cache-dir", str(cache), "--python", "cp312"]
    _, made = _build(tool, source, cache)
    assert tool.run("cache", "verify", ".", *options, cwd=source).code == 0
    _poison(cache)
    statistics, wrong = _build(tool, source, cache)
    assert (_links(statistics), wrong == made) == ((1, 0), False)
    found = tool.run("cache", "verify", ".", *options, cwd=source)
    assert found.code == 8, found.stderr
    assert "lto_kernel" in found.stdout + found.stderr
