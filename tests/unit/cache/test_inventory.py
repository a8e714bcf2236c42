from __future__ import annotations

import os
from pathlib import Path

from tests.values import make_config
from wheelkiln.cache.inventory import disk_usage, list_caches, measure_caches


def _file(path: Path, size: int = 10_000) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(os.urandom(size))
    return path


def test_sizes_are_what_the_disk_gives(tmp_path: Path) -> None:
    _file(tmp_path / "a/b/c", 10_000)
    _file(tmp_path / "d", 1)
    size, files = disk_usage(tmp_path / "a", tmp_path / "d")
    assert files == 2
    assert 10_001 <= size < 40_000


def test_a_file_with_two_names_counts_once(tmp_path: Path) -> None:
    _file(tmp_path / "a/one")
    (tmp_path / "a/two").hardlink_to(tmp_path / "a/one")
    (tmp_path / "a/three").symlink_to(tmp_path)
    assert disk_usage(tmp_path / "a")[1] == 2


def test_what_is_not_there_has_no_size(tmp_path: Path) -> None:
    assert disk_usage(tmp_path / "none") == (0, 0)
    assert measure_caches(make_config(), tmp_path / "none") == ()


def test_each_cache_is_measured_with_its_limit(tmp_path: Path) -> None:
    config = make_config({"cache": {"max-size": "2G", "wheels-max-size": "1Gi"}})
    _file(tmp_path / "ccache/0/1/x")
    _file(tmp_path / "ccache-root/0/1/x")
    _file(tmp_path / "wheels/ab/abc/k.whl")
    _file(tmp_path / "ledger.sqlite")
    found = {size.cache.name: (size.files, size.cache.limit_bytes) for size in measure_caches(config, tmp_path)}
    assert found == {"compile": (2, 2 * 10**9), "wheels": (1, 1 << 30), "history": (1, None)}


def test_no_place_belongs_to_two_caches() -> None:
    places = [place for cache in list_caches(make_config()) for place in cache.places]
    assert len(places) == len(set(places))
