"""Plans that are carried out together: of several sources, and of several variants of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from wheelkiln.errors import ConfigError
from wheelkiln.plan.model import PLAN_FORMAT, ImageSpec, Notice, Plan, Shard, Skipped

__all__ = ["PlanDocument", "PlannedJob", "PlannedSource", "make_document", "refuse_collisions"]


@dataclass(frozen=True, slots=True)
class PlannedSource:
    """One source as one variant: the name and version that its wheels are published as."""

    project: str
    version: str
    variant: str


@dataclass(frozen=True, slots=True)
class PlannedJob:
    """A job as 'plan --format json' tells it: image is the reference of its image, estimate is in seconds.

    host is the configured machine that it would run on, if all answer; empty for this one.
    """

    id: str
    project: str
    version: str
    variant: str
    identifier: str
    arch: str
    image: str
    namespace: str
    emulated: bool
    estimate: float | None
    host: str = ""


@dataclass(frozen=True, slots=True)
class PlanDocument:
    """All plans of a run as one document; shards are where they were asked for."""

    format: int
    sources: tuple[PlannedSource, ...]
    jobs: tuple[PlannedJob, ...]
    images: tuple[ImageSpec, ...]
    skipped: tuple[Skipped, ...]
    notices: tuple[Notice, ...]
    shards: tuple[Shard, ...] = ()


def make_document(
    plans: Sequence[Plan], shards: tuple[Shard, ...] = (), hosts: Mapping[str, str] | None = None
) -> PlanDocument:
    """Put plans together; images and notices that several have are told once. hosts are those of jobs, by id."""
    return PlanDocument(
        format=PLAN_FORMAT,
        sources=tuple(PlannedSource(plan.project, plan.version, plan.variant) for plan in plans),
        jobs=tuple(
            PlannedJob(
                job.id,
                job.project,
                job.version,
                job.variant,
                job.identifier,
                job.arch,
                plan.references.get(job.image, job.image),
                job.namespace,
                job.emulated,
                job.estimate,
                (hosts or {}).get(job.id, ""),
            )
            for plan in plans
            for job in plan.jobs
        ),
        images=tuple(dict.fromkeys(spec for plan in plans for spec in plan.images)),
        skipped=tuple(skipped for plan in plans for skipped in plan.skipped),
        notices=tuple(dict.fromkeys(notice for plan in plans for notice in plan.notices)),
        shards=shards,
    )


def refuse_collisions(plans: Sequence[Plan]) -> None:
    """Raise ConfigError where jobs of two plans would make wheels of one name, so that the later would be lost."""
    taken: dict[tuple[str, str, str, str], str] = {}
    for plan in plans:
        for job in plan.jobs:
            key = (job.project, job.version, job.label, job.identifier)
            if taken.setdefault(key, plan.variant) != plan.variant:
                raise ConfigError(
                    f"the variants {taken[key]} and {plan.variant} would make the same wheel: both are published as "
                    f"{job.project} {job.version}".rstrip(),
                    hint="Give one of them a project-name or a version-suffix, or choose with --variant.",
                )
