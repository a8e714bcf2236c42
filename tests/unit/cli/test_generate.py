"""`wheelkiln generate image`: a context that can be built without wheelkiln."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from wheelkiln.cli.generate import command
from wheelkiln.errors import DriftError, NothingSelectedError, UsageProblem

pytestmark = pytest.mark.usefixtures("project")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    directory = tmp_path / "project"
    directory.mkdir()
    (directory / "pyproject.toml").write_text('[project]\nname = "kern"\nversion = "1.2"\n')
    (directory / "wheelkiln.toml").write_text('arch = ["x86_64"]\nlibc = ["manylinux", "musllinux"]\n')
    monkeypatch.chdir(directory)
    monkeypatch.setenv("WHEELKILN_CACHE_DIR", str(tmp_path / "cache"))
    return directory


def _generate(*arguments: str) -> Result:
    return CliRunner().invoke(command, ["image", *arguments], standalone_mode=False)


def test_the_context_of_one_image(project: Path) -> None:
    result = _generate("--only", "*-musllinux_*", "--output", "context")
    assert result.exception is None
    assert {path.name for path in (project / "context").iterdir()} == {
        *(".dockerignore", "Dockerfile", "docker-bake.json", "pins.env", "recipe.json"),
        *("features", "links", "requirements", "scripts"),
    }
    (tag,) = json.loads((project / "context/docker-bake.json").read_text())["target"]["image"]["tags"]
    assert result.stderr.splitlines()[-1] == f"tag: {tag.removeprefix('localhost/wheelkiln/')}"
    assert tag.startswith("localhost/wheelkiln/musllinux_1_2:")


def test_two_images_are_one_too_many() -> None:
    problem = _generate("--output", "context").exception
    assert isinstance(problem, UsageProblem)
    assert problem.message == "the plan needs several images (manylinux_2_28, musllinux_1_2)"
    assert "--only" in problem.hint


def test_no_image_is_one_too_few() -> None:
    assert isinstance(_generate("--only", "nothing", "--output", "context").exception, NothingSelectedError)


def test_check_compares_and_writes_nothing(project: Path) -> None:
    arguments = ("--only", "*-manylinux_*", "--output", "context")
    absent = _generate(*arguments, "--check")
    assert isinstance(absent.exception, DriftError)
    assert not (project / "context").exists()
    assert _generate(*arguments).exception is None
    assert _generate(*arguments, "--check").exception is None
    (project / "context/Dockerfile").write_text("FROM scratch\n")
    drifted = _generate(*arguments, "--check")
    assert isinstance(drifted.exception, DriftError)
    assert "-FROM scratch\n" in drifted.stdout
