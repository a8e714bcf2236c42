from __future__ import annotations

import os
import time
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from wheelkiln.build.leftovers import remove_leftovers_of_dead_runs
from wheelkiln.cache.presence import run_lock
from wheelkiln.system.locks import exclusive, scratch_directory

_OLD = time.time() - 3600


def _clean(root: Path, run_id: str = "me") -> None:
    remove_leftovers_of_dead_runs(root, run_id)


def _hold(root: Path, run_id: str) -> AbstractContextManager[None]:
    (root / "runs" / run_id).mkdir(parents=True, exist_ok=True)
    return exclusive(root / "locks", run_lock(run_id), on_wait=lambda: None)


def _make(path: Path, *, old: bool = False) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    if old:
        os.utime(path, (_OLD, _OLD))
    return path


def _die(parent: Path, prefix: str) -> Path:
    """Leave a scratch directory as a killed run does: with its lock file, which nobody holds."""
    parent.mkdir(parents=True, exist_ok=True)
    with scratch_directory(parent, prefix) as place:
        names = [path.name for path in place.iterdir()]
    left = parent / f"{prefix}left"
    left.mkdir()
    for name in names:
        (left / name).touch()
    return left


@pytest.mark.parametrize(
    ("parent", "prefix"), [("tmp", "source-"), ("tmp", "image-"), ("resolver", "asking-"), ("sdists", "fetching-")]
)
def test_scratch_directories_of_the_dead_go_and_those_of_the_living_stay(
    tmp_path: Path, parent: str, prefix: str
) -> None:
    dead = _die(tmp_path / parent, prefix)
    with scratch_directory(tmp_path / parent, prefix) as living:
        _clean(tmp_path)
        assert not dead.exists()
        assert living.is_dir()


def test_a_cache_of_the_same_place_is_no_scratch(tmp_path: Path) -> None:
    kept = _make(tmp_path / "resolver/archive-v0/x")
    _clean(tmp_path)
    assert kept.exists()


def test_half_made_environments_of_the_dead_go(tmp_path: Path) -> None:
    dead = tmp_path / "environments/0a-r-dead.part"
    living = tmp_path / "environments/0b-r-alive.part"
    made = tmp_path / "environments/0c"
    for place in (dead, living, made):
        place.mkdir(parents=True)
    with _hold(tmp_path, "r-alive"):
        _clean(tmp_path)
    assert [place.exists() for place in (dead, living, made)] == [False, True, True]


def test_files_that_were_being_written_go_at_once_when_nobody_else_is_at_work(tmp_path: Path) -> None:
    part = _make(tmp_path / "wheels/0a/0abc/.wheelkiln-x.part")
    wheel = _make(tmp_path / "wheels/0a/0abc/k.whl")
    with _hold(tmp_path, "me"), _hold(tmp_path, "other"):
        _clean(tmp_path)
        assert part.exists()
    with _hold(tmp_path, "me"):
        _clean(tmp_path)
    assert not part.exists()
    assert wheel.exists()


@pytest.mark.parametrize("place", ["images/known", "trees/a/b", "pip"])
def test_where_others_than_runs_write_only_old_ones_go(tmp_path: Path, place: str) -> None:
    old = _make(tmp_path / place / ".wheelkiln-old.part", old=True)
    new = _make(tmp_path / place / ".wheelkiln-new.part")
    _clean(tmp_path)
    assert (old.exists(), new.exists()) == (False, True)
