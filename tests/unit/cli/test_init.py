"""What `wheelkiln init` writes, where, and what it refuses."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from wheelkiln.cli.init import command
from wheelkiln.config.load import load_config
from wheelkiln.errors import UsageProblem

PYPROJECT = '[project]\nname = "acme"\nversion = "1"\nrequires-python = ">=3.12"\n'


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "pyproject.toml").write_text(PYPROJECT)
    return tmp_path


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(command, [str(argument) for argument in arguments])


def test_writes_a_file_that_loads_and_says_what_is_next(project: Path) -> None:
    result = run(project)
    loaded = load_config(project, {})
    assert loaded.path == project / "wheelkiln.toml"
    assert loaded.config.python == ("cp312", "cp313")
    assert result.stdout == ""
    assert result.stderr.startswith(f"wrote {project / 'wheelkiln.toml'} for acme (cp312, cp313 on pypa); next: ")
    assert result.stderr.endswith(f"wheelkiln plan {project}\n")


def test_appends_to_pyproject(project: Path) -> None:
    assert run(project, "--pyproject", "--base", "bootstrap").exit_code == 0
    assert (project / "pyproject.toml").read_text().startswith(PYPROJECT)
    assert load_config(project, {}).config.image.base == "bootstrap"
    assert not (project / "wheelkiln.toml").exists()


@pytest.mark.parametrize("flags", [(), ("--pyproject",)])
def test_print_writes_nothing(project: Path, flags: tuple[str, ...]) -> None:
    result = run(project, "--print", *flags)
    assert 'python = ["cp312", "cp313"]' in result.stdout
    assert [path.name for path in project.iterdir()] == ["pyproject.toml"]
    assert (project / "pyproject.toml").read_text() == PYPROJECT


@pytest.mark.parametrize("first", [(), ("--pyproject",)])
@pytest.mark.parametrize("second", [(), ("--pyproject",)])
def test_never_replaces_a_configuration_unasked(project: Path, first: tuple[str, ...], second: tuple[str, ...]) -> None:
    run(project, *first)
    before = {path.name: path.read_bytes() for path in project.iterdir()}
    result = run(project, *second)
    assert isinstance(result.exception, UsageProblem)
    assert "configured already" in result.exception.message
    assert {path.name: path.read_bytes() for path in project.iterdir()} == before


def test_an_empty_table_counts_as_a_configuration(project: Path) -> None:
    (project / "pyproject.toml").write_text(PYPROJECT + "[tool.wheelkiln]\n")
    assert isinstance(run(project).exception, UsageProblem)


@pytest.mark.parametrize("flags", [(), ("--pyproject",)])
def test_force_replaces_it_in_its_place(project: Path, flags: tuple[str, ...]) -> None:
    run(project, *flags)
    assert run(project, "--force", "--base", "bootstrap", *flags).exit_code == 0
    assert load_config(project, {}).config.image.base == "bootstrap"


@pytest.mark.parametrize(("first", "second"), [((), ("--pyproject",)), (("--pyproject",), ())])
def test_force_never_makes_a_second_configuration(
    project: Path, first: tuple[str, ...], second: tuple[str, ...]
) -> None:
    run(project, *first)
    result = run(project, "--force", *second)
    assert isinstance(result.exception, UsageProblem)
    assert "a second one beside it" in result.exception.message
    load_config(project, {})


def test_refuses_what_is_no_project(tmp_path: Path) -> None:
    result = run(tmp_path)
    assert isinstance(result.exception, UsageProblem)
    assert "not a Python project" in result.exception.message


def test_a_legacy_project_needs_no_pyproject(tmp_path: Path) -> None:
    (tmp_path / "setup.py").write_text("from setuptools import setup\nsetup(python_requires='>=3.13')\n")
    assert run(tmp_path).exit_code == 0
    assert load_config(tmp_path, {}).config.python == ("cp313",)
