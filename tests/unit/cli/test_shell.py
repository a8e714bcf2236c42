"""Choosing a kept state; what is done with it is tested in tests/unit/build/test_shell.py."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from wheelkiln.build.shell import choose_state
from wheelkiln.build.states import list_states
from wheelkiln.cli.shell import command
from wheelkiln.errors import UsageProblem

_CP311, _CP312 = "cp311-manylinux_x86_64", "cp312-manylinux_x86_64"


def _keep(root: Path, project: str, job: str) -> None:
    place = root / "states" / f"{project}-{job}"
    place.mkdir(parents=True)
    table = {
        "format": 1,
        "project": project,
        "version": "1",
        "directory": str(root.parent / project),
        "job": job,
        "identifier": job,
        "engine": "docker",
        "image": "i",
        "create_args": [],
        "passed": [],
        "stage": "compile",
        "command": [],
        "size": 1,
        "time": 1.0,
        "run": "r",
    }
    (place / "state.json").write_text(json.dumps(table))


def _open(tmp_path: Path, *arguments: str) -> None:
    given = [*arguments, "--cache-dir", str(tmp_path / "cache")]
    CliRunner().invoke(command, given, catch_exceptions=False, standalone_mode=False)


def _project(tmp_path: Path, name: str) -> str:
    place = tmp_path / name
    place.mkdir()
    (place / "pyproject.toml").write_text(f'[project]\nname = "{name}"\nversion = "1"\n')
    return str(place)


@pytest.mark.parametrize("job", [_CP312, "cp312-*", f"kern-1/{_CP312}"])
def test_one_is_found_by_its_id_or_a_pattern(tmp_path: Path, job: str) -> None:
    _keep(tmp_path / "cache", "kern", _CP312)
    _keep(tmp_path / "cache", "kern", _CP311)
    state = choose_state(list_states(tmp_path / "cache"), job, tmp_path / "kern")
    assert (state.project, state.job) == ("kern", _CP312)


@pytest.mark.parametrize(
    ("job", "words"),
    [
        ("cp310-*", r"no state of cp310-\* is kept; kept are:\n  cp31\d-manylinux_x86_64 of kern 1\n"),
        ("cp31*", r"cp31\* is not one kept state, but several:"),
    ],
)
def test_what_is_not_one_is_told(tmp_path: Path, job: str, words: str) -> None:
    for name in (_CP311, _CP312):
        _keep(tmp_path / "cache", "kern", name)
    with pytest.raises(UsageProblem, match=words):
        _open(tmp_path, job, _project(tmp_path, "kern"))


def test_nothing_is_kept(tmp_path: Path) -> None:
    with pytest.raises(UsageProblem, match=f"no state of {_CP312} is kept") as caught:
        _open(tmp_path, _CP312, _project(tmp_path, "kern"), "--", "true")
    assert "container.keep-failed" in caught.value.hint


def test_another_projects_job_of_the_same_name_is_not_taken(tmp_path: Path) -> None:
    _keep(tmp_path / "cache", "kern", _CP312)
    _keep(tmp_path / "cache", "other", _CP312)
    states = list_states(tmp_path / "cache")
    with pytest.raises(UsageProblem, match="several"):
        choose_state(states, _CP312, tmp_path)
    assert choose_state(states, _CP312, tmp_path / "other").project == "other"
