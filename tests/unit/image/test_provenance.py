from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.fakes import Answer, FakeRunner, Script
from tests.values import make_host
from wheelkiln.errors import UsageProblem
from wheelkiln.image.bake import Provenance
from wheelkiln.image.provenance import read_provenance, source_url

_HEAD = "c2b8b5701f3e0d5f8d1e7a5b6c4d3e2f1a0b9c8d"


def _git(project: Path, *, head: Answer | None = None, status: Answer | None = None) -> FakeRunner:
    script: dict[str, Script] = {
        f"git -C {project} rev-parse HEAD": head or Answer(f"{_HEAD}\n"),
        f"git -C {project} status --porcelain --untracked-files=no": status or Answer(),
    }
    return FakeRunner(script)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / ".git").mkdir()
    return tmp_path


def test_a_clean_tree_has_its_revision(project: Path) -> None:
    host = make_host(environ={"SOURCE_DATE_EPOCH": "1700000000"})
    pyproject = {"project": {"urls": {"Source": "https://host/kern"}}}
    found = read_provenance(project, pyproject, host, _git(project))
    assert found == Provenance("https://host/kern", _HEAD, 1_700_000_000)


@pytest.mark.parametrize(
    "changes",
    [
        {"status": Answer(" M pyproject.toml\n")},
        {"status": Answer(returncode=128, stderr="fatal: detected dubious ownership")},
        {"head": Answer("HEAD\n", returncode=128, stderr="fatal: ambiguous argument 'HEAD'")},
    ],
)
def test_what_no_revision_has_is_named_by_none(project: Path, changes: dict[str, Answer]) -> None:
    assert read_provenance(project, {}, make_host(), _git(project, **changes)) == Provenance()


def test_git_is_not_asked_where_there_is_no_repository(tmp_path: Path) -> None:
    assert read_provenance(tmp_path, {}, make_host(), FakeRunner()) == Provenance()


def test_an_epoch_that_is_no_number_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageProblem, match="SOURCE_DATE_EPOCH is 'now'"):
        read_provenance(tmp_path, {}, make_host(environ={"SOURCE_DATE_EPOCH": "now"}), FakeRunner())


@pytest.mark.parametrize(
    ("urls", "source"),
    [
        ({"Homepage": "https://h", "Source Code": "https://s"}, "https://s"),
        ({"source-code": "https://s"}, "https://s"),
        ({"Documentation": "https://d", "Homepage": "https://h"}, "https://h"),
        ({"Repository": "https://ci:pw@host/x.git"}, "https://***@host/x.git"),
        ({"Documentation": "https://d"}, ""),
    ],
)
def test_the_source_is_the_repository_of_the_metadata(urls: dict[str, str], source: str) -> None:
    assert source_url({"project": {"urls": urls}}) == source


@pytest.mark.parametrize("pyproject", [{}, {"project": {}}, {"project": []}, {"project": {"urls": []}}])
def test_a_project_without_addresses_has_no_source(pyproject: dict[str, Any]) -> None:
    assert source_url(pyproject) == ""
