"""bench/reproducibility.py: what it makes of the wheels that it finds. Nothing is built."""

from __future__ import annotations

from pathlib import Path

from conditions import CONDITIONS
from reproducibility import Built, is_alike, render

_NAME = "k-1-py3-none-any.whl"


def _built(tmp_path: Path, number: int, content: str | None) -> Built:
    if content is None:
        return Built(CONDITIONS[number], {}, 1.0, "error: broken")
    wheel = tmp_path / f"{number}.whl"
    wheel.write_text(content)
    return Built(CONDITIONS[number], {_NAME: wheel}, 1.0)


def test_equal_wheels_are_alike(tmp_path: Path) -> None:
    builts = [_built(tmp_path, 0, "a"), _built(tmp_path, 1, "a")]
    assert is_alike(builts)
    assert render("k", builts).count(" same |") == 2


def test_different_or_missing_wheels_are_not(tmp_path: Path) -> None:
    for content, told in (("b", "DIFFERS"), (None, "error: broken")):
        builts = [_built(tmp_path, 0, "a"), _built(tmp_path, 1, content)]
        assert not is_alike(builts)
        assert told in render("k", builts).splitlines()[-1]
    assert not is_alike([_built(tmp_path, 0, None)])


def test_conditions_that_share_a_cache_come_after_the_one_that_fills_it() -> None:
    names = [condition.name for condition in CONDITIONS]
    assert len(set(names)) == len(names)
    assert "--fresh" not in CONDITIONS[0].options
    assert all("--fresh" in entry.options for entry in CONDITIONS[1:] if entry.cache == CONDITIONS[0].cache)
