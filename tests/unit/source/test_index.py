"""Fetching from the one kind of index that needs no network: local directories."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest

from tests.archives import write_sdist, write_wheel
from wheelkiln.errors import EnvironmentProblem, UsageProblem
from wheelkiln.source.index import fetch_sdist
from wheelkiln.source.spec import IndexSource
from wheelkiln.system.pip_settings import PipSettings


@pytest.fixture
def files(tmp_path: Path) -> Path:
    directory = tmp_path / "files with blanks"
    directory.mkdir()
    for version in ("1.0", "1.2", "1.10", "2.0rc1"):
        write_sdist(directory / f"kern-{version}.tar.gz", {"PKG-INFO": version}, root=f"kern-{version}")
    write_wheel(directory, "kern-3.0-cp312-cp312-manylinux_2_17_x86_64.whl")
    write_wheel(directory, "only_wheels-1.0-py3-none-any.whl")
    return directory


def _fetch(name: str, version: str, settings: PipSettings, to: Path) -> Path:
    to.mkdir(exist_ok=True)
    return fetch_sdist(IndexSource(name, version), settings, None, to)


def _local(directory: Path) -> PipSettings:
    return PipSettings(find_links=(str(directory), "/absent/place"), no_index=True)


@pytest.mark.parametrize("version", ["1.2", "2.0rc1", "1.2.0"])
def test_an_exact_release_is_fetched(files: Path, tmp_path: Path, version: str) -> None:
    path = _fetch("kern", version, _local(files), tmp_path / "out")
    assert path.parent == tmp_path / "out"
    assert path.name == f"kern-{version.removesuffix('.0')}.tar.gz"
    with tarfile.open(path) as archive:
        assert archive.getnames() == [f"kern-{version.removesuffix('.0')}/PKG-INFO"]


def test_the_users_own_file_stays_where_it_is(files: Path, tmp_path: Path) -> None:
    path = _fetch("kern", "1.2", _local(files), tmp_path / "out")
    path.unlink()
    assert (files / "kern-1.2.tar.gz").is_file()


def test_a_file_url_serves_as_well(files: Path, tmp_path: Path) -> None:
    settings = PipSettings(find_links=(files.as_uri(),), no_index=True)
    assert _fetch("kern", "1.2", settings, tmp_path / "out").is_file()


def test_an_absent_release_names_the_newest_ones(files: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageProblem, match=r"the package index has no sdist of kern==9.9") as caught:
        _fetch("kern", "9.9", _local(files), tmp_path / "out")
    assert caught.value.hint == "It has sdists of: 2.0rc1, 1.10, 1.2, 1.0."


@pytest.mark.parametrize("name", ["only-wheels", "nothing"])
def test_a_project_without_sdists(files: Path, tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageProblem, match=f"the package index has no sdist of '{name}'"):
        _fetch(name, "1.0", _local(files), tmp_path / "out")


def test_an_index_that_cannot_be_reached_is_not_an_absent_project(tmp_path: Path) -> None:
    settings = PipSettings(index_url="http://user:hunter2@127.0.0.1:1/simple")
    with pytest.raises(EnvironmentProblem, match=r"the package index could not be reached for kern==1.2") as caught:
        _fetch("kern", "1.2", settings, tmp_path / "out")
    assert "hunter2" not in str(caught.value)
