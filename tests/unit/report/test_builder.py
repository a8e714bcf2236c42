from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from wheelkiln.report.builder import LOCAL_BUILDER, Builder, Made, read_builder, read_made

_GITHUB = {
    "GITHUB_ACTIONS": "true",
    "GITHUB_SERVER_URL": "https://github.example",
    "GITHUB_REPOSITORY": "acme/kern",
    "GITHUB_WORKFLOW_REF": "acme/kern/.github/workflows/wheels.yml@refs/tags/v1.2",
    "GITHUB_WORKFLOW_SHA": "a" * 40,
    "GITHUB_SHA": "b" * 40,
    "GITHUB_RUN_ID": "77",
    "GITHUB_RUN_ATTEMPT": "2",
}
_GITLAB = {
    "GITLAB_CI": "true",
    "CI_PROJECT_URL": "https://gitlab.example/acme/kern",
    "CI_RUNNER_ID": "12",
    "CI_JOB_URL": "https://gitlab.example/acme/kern/-/jobs/5",
    "CI_COMMIT_SHA": "c" * 40,
    "CI_COMMIT_REF_NAME": "v1.2",
}


def test_githubs_workflow() -> None:
    assert read_builder(_GITHUB) == Builder(
        "https://github.example/acme/kern/.github/workflows/wheels.yml@refs/tags/v1.2",
        "https://github.example/acme/kern/actions/runs/77/attempts/2",
        "git+https://github.example/acme/kern@refs/tags/v1.2",
        "a" * 40,
    )


def test_the_commit_is_the_checkouts_where_that_of_the_workflow_is_not_told() -> None:
    assert read_builder({**_GITHUB, "GITHUB_WORKFLOW_SHA": ""}).revision == "b" * 40


def test_gitlabs_runner() -> None:
    assert read_builder(_GITLAB) == Builder(
        "https://gitlab.example/acme/kern/-/runners/12",
        "https://gitlab.example/acme/kern/-/jobs/5",
        "git+https://gitlab.example/acme/kern@v1.2",
        "c" * 40,
    )


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"CI": "true"},
        {**_GITHUB, "GITHUB_ACTIONS": ""},
        {**_GITHUB, "GITHUB_WORKFLOW_REF": ""},
        {**_GITLAB, "CI_PROJECT_URL": ""},
    ],
)
def test_a_machine_that_says_nothing_of_itself(environ: dict[str, str]) -> None:
    assert read_builder(environ) == Builder(LOCAL_BUILDER, "", "", "")


def test_a_login_in_the_projects_address_is_not_told() -> None:
    builder = read_builder({**_GITLAB, "CI_PROJECT_URL": "https://bot:secret@gitlab.example/acme/kern"})
    assert "secret" not in repr(builder)


def test_a_run_began_its_seconds_before_its_end() -> None:
    made = Made.by(Builder("urn:x", "urn:run", "git+x", "1"), finished=1000.9, seconds=30.5)
    assert made == Made("urn:x", "urn:run", "git+x", "1", 970, 1000)


def test_the_runs_of_an_earlier_manifest(tmp_path: Path) -> None:
    made, path = Made("urn:x", "", "", "", 1, 2), tmp_path / "manifest.json"
    jobs: list[Any] = [{"wheel": {"sha256": "a"}, "made": asdict(made)}, {"wheel": {"sha256": "b"}}, {"wheel": None}]
    jobs += [{"wheel": {"sha256": "c"}, "made": {**asdict(made), "started": "1"}}]
    path.write_text(json.dumps({"jobs": jobs}))
    assert read_made(path) == {"a": made}


@pytest.mark.parametrize(
    "text", [None, "", "[]", "{}", '{"jobs": [{}]}', '{"jobs": [{"wheel": {}, "made": {"x": 1}}]}']
)
def test_what_is_no_manifest_knows_no_runs(tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "manifest.json"
    if text is not None:
        path.write_text(text)
    assert read_made(path) == {}
