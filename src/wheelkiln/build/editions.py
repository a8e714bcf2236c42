"""A run's editions: each is one source as one variant, with a request of its own; what they share is told once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from wheelkiln.build.request import BuildRequest
from wheelkiln.config.model import Config
from wheelkiln.plan.model import Job, Plan, Skipped, SkipReason
from wheelkiln.system.engine import ContainerEngine
from wheelkiln.system.host import HostFacts

__all__ = ["RunRequest", "jobs_in_order"]


@dataclass(frozen=True, slots=True)
class RunRequest:
    """All that is built together. Engine, host, directories and the settings of the run are the first edition's."""

    editions: tuple[BuildRequest, ...]

    @property
    def first(self) -> BuildRequest:
        return self.editions[0]

    @property
    def engine(self) -> ContainerEngine:
        return self.first.engine

    @property
    def host(self) -> HostFacts:
        return self.first.host

    @property
    def config(self) -> Config:
        return self.first.config

    @property
    def cache_root(self) -> Path:
        return self.first.cache_root

    @property
    def output_dir(self) -> Path:
        return self.first.output_dir

    @property
    def jobs(self) -> tuple[Job, ...]:
        """The jobs that are expected to be built."""
        return tuple(job for edition in self.editions for job in edition.plan.jobs)

    @property
    def skipped(self) -> tuple[Skipped, ...]:
        return tuple(skipped for edition in self.editions for skipped in edition.plan.skipped)

    def in_order(self) -> Iterator[tuple[BuildRequest, Job]]:
        """Yield the jobs with their requests, those that a stable-ABI wheel is expected to serve among them."""
        for edition in self.editions:
            for job in jobs_in_order(edition.plan):
                yield edition, job

    def with_output(self, output_dir: Path) -> RunRequest:
        return RunRequest(tuple(replace(edition, output_dir=output_dir) for edition in self.editions))

    def with_course(self, *, fail_fast: bool, command: str) -> RunRequest:
        """Say what a failure does to the run, and which command line asked for it."""
        editions = (replace(edition, fail_fast=fail_fast, command=command) for edition in self.editions)
        return RunRequest(tuple(editions))


def jobs_in_order(plan: Plan) -> Iterator[Job]:
    """Yield the jobs, each followed by those that its stable-ABI wheel is expected to serve.

    Those are only built when the wheel turns out not to serve them: the wheel that is built has the last word.
    """
    for job in plan.jobs:
        yield job
        for skipped in plan.skipped:
            if skipped.covered_by == job.id:
                yield _job_for(skipped, job)


def _job_for(skipped: Skipped, like: Job) -> Job:
    assert skipped.reason is SkipReason.STABLE_ABI
    return replace(like, id=skipped.id, identifier=skipped.identifier, estimate=None)
