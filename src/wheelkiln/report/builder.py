"""Who builds, by the variables of the CI system: the builder of SLSA, and the run that it is doing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wheelkiln.system.process import mask_secrets

__all__ = ["LOCAL_BUILDER", "Builder", "Made", "read_builder", "read_made"]

LOCAL_BUILDER = "urn:wheelkiln:builder:local"
"""The builder of a machine that says nothing of itself: nobody else has a reason to trust it."""
_LAST_SECOND = 253_402_300_799
"""Of the year 9999, which is the last that a time of SLSA can have."""


@dataclass(frozen=True, slots=True)
class Builder:
    """id and invocation are URIs, the second empty where the run has none.

    repository is that of the CI configuration that runs, with its ref, and revision its commit; both empty where they
    are not known.
    """

    id: str = LOCAL_BUILDER
    invocation: str = ""
    repository: str = ""
    revision: str = ""


@dataclass(frozen=True, slots=True)
class Made:
    """The run that built a wheel; started and finished are of the whole run, in seconds since 1970."""

    builder: str
    invocation: str
    repository: str
    revision: str
    started: int
    finished: int

    @property
    def is_sound(self) -> bool:
        """Tell whether it holds what it should: it may have been read from anywhere."""
        texts: tuple[Any, ...] = (self.builder, self.invocation, self.repository, self.revision)
        times: tuple[Any, ...] = (0, self.started, self.finished, _LAST_SECOND)
        return (
            all(isinstance(text, str) and text.isprintable() for text in texts)
            and all(type(time) is int for time in times)
            and list(times) == sorted(times)
        )

    @classmethod
    def by(cls, builder: Builder, *, finished: float, seconds: float) -> Made:
        """Tell what a builder has just done, in so many seconds."""
        started = int(finished - seconds)
        return cls(builder.id, builder.invocation, builder.repository, builder.revision, started, int(finished))


def read_made(manifest: Path) -> dict[str, Made]:
    """Return which runs built the wheels of an earlier manifest, by the wheels' digests; nothing where it is none."""
    try:
        jobs = json.loads(manifest.read_text(encoding="utf-8"))["jobs"]
        found = {job["wheel"]["sha256"]: Made(**job["made"]) for job in jobs if job["wheel"] and job.get("made")}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}
    return {digest: made for digest, made in found.items() if made.is_sound}


def read_builder(environ: Mapping[str, str]) -> Builder:
    """Tell the builder: GitHub's workflow, GitLab's runner, else this machine.

    The sources are GitHub's "Store information in variables" and GitLab's "Predefined CI/CD variables"; the forms of
    the ids are those of the provenance that both systems make themselves.
    """
    if environ.get("GITHUB_ACTIONS") == "true" and environ.get("GITHUB_WORKFLOW_REF"):
        return _github(environ)
    if environ.get("GITLAB_CI") == "true" and environ.get("CI_PROJECT_URL"):
        return _gitlab(environ)
    return Builder()


def _github(environ: Mapping[str, str]) -> Builder:
    server = environ.get("GITHUB_SERVER_URL", "https://github.com")
    workflow, repository = environ["GITHUB_WORKFLOW_REF"], environ.get("GITHUB_REPOSITORY", "")
    run, attempt = environ.get("GITHUB_RUN_ID", ""), environ.get("GITHUB_RUN_ATTEMPT", "1")
    has_run, (_, _, ref) = bool(repository and run), workflow.partition("@")
    return Builder(
        id=f"{server}/{workflow}",
        invocation=f"{server}/{repository}/actions/runs/{run}/attempts/{attempt}" if has_run else "",
        repository=f"git+{server}/{repository}@{ref}" if repository else "",
        revision=environ.get("GITHUB_WORKFLOW_SHA") or environ.get("GITHUB_SHA", ""),
    )


def _gitlab(environ: Mapping[str, str]) -> Builder:
    project = mask_secrets(environ["CI_PROJECT_URL"])
    ref = environ.get("CI_COMMIT_REF_NAME", "")
    return Builder(
        id=f"{project}/-/runners/{environ.get('CI_RUNNER_ID', '')}",
        invocation=environ.get("CI_JOB_URL", ""),
        repository=f"git+{project}@{ref}" if ref else f"git+{project}",
        revision=environ.get("CI_COMMIT_SHA", ""),
    )
