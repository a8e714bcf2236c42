from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.fakes import Answer, FakeRunner
from tests.values import make_engine
from wheelkiln.build.prune import Pruned, Scope
from wheelkiln.build.state_prune import prune_kept_states
from wheelkiln.build.states import list_states

_DAY = 86_400.0
_NOW = 100 * _DAY


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A cache with a state of yesterday and one of a month ago."""
    for project, age, size in (("kern", 1, 100), ("other", 30, 20)):
        place = tmp_path / "states" / project
        place.mkdir(parents=True)
        words = dict.fromkeys(("version", "directory", "job", "identifier", "stage", "run"), "x")
        lists: dict[str, list[str]] = {name: [] for name in ("create_args", "passed", "command")}
        table = {"format": 1, "project": project, "engine": "docker", "image": f"state:{project}", "size": size}
        (place / "state.json").write_text(json.dumps(table | words | lists | {"time": _NOW - age * _DAY}))
    return tmp_path


@pytest.mark.parametrize(
    ("scope", "gone"),
    [
        (Scope(), ["other"]),
        (Scope(older_than=_DAY / 2), ["kern", "other"]),
        (Scope(project="kern"), ["kern"]),
        (Scope(everything=True), ["kern", "other"]),
    ],
    ids=["old", "age", "project", "all"],
)
def test_what_the_scope_names_goes_with_its_image(root: Path, scope: Scope, gone: list[str]) -> None:
    runner = FakeRunner({"docker image rm": Answer()})
    size = sum({"kern": 100, "other": 20}[name] for name in gone)
    pruned = prune_kept_states(root, scope, lambda: make_engine(runner), now=_NOW)
    assert pruned == (Pruned("failed jobs' containers", size, len(gone)),)
    assert sorted(runner.lines) == [f"docker image rm --force state:{name}" for name in gone]
    assert sorted({"kern", "other"} - {state.project for state in list_states(root)}) == gone


def test_a_dry_run_only_tells(root: Path) -> None:
    def refuse() -> None:
        raise AssertionError

    pruned = prune_kept_states(root, Scope(everything=True, dry_run=True), refuse, now=_NOW)
    assert pruned == (Pruned("failed jobs' containers", 120, 2),)
    assert len(list_states(root)) == 2


def test_without_their_engine_they_stay(root: Path) -> None:
    (pruned,) = prune_kept_states(root, Scope(everything=True), lambda: None, now=_NOW)
    assert (pruned.files, pruned.kept) == (0, "their engine does not answer")
    assert len(list_states(root)) == 2


def test_where_nothing_is_chosen_no_engine_is_asked(tmp_path: Path) -> None:
    def refuse() -> None:
        raise AssertionError

    assert prune_kept_states(tmp_path, Scope(everything=True), refuse, now=_NOW) == ()
