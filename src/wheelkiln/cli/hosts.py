"""The configured machines of a command: asked before a run, foretold by a plan."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from wheelkiln.cli.console import print_notices
from wheelkiln.cli.editions import Edition
from wheelkiln.plan.model import Notice
from wheelkiln.plan.placement import keeps_pythons_apart, make_workers, preview
from wheelkiln.system.engine import EngineName

if TYPE_CHECKING:
    from wheelkiln.build.editions import RunRequest
    from wheelkiln.cli.options import ProjectOptions

__all__ = ["preview_hosts", "with_hosts"]


def preview_hosts(editions: Sequence[Edition]) -> dict[str, str]:
    """Return the configured machine that each job would run on, by its id, as far as can be told without asking."""
    first = editions[0].located
    if not first.loaded.config.hosts:
        return {}
    apart = {
        job.id
        for edition in editions
        if keeps_pythons_apart(edition.inputs.config, edition.inputs.facts)
        for job in edition.plan.jobs
    }
    jobs = (job for edition in editions for job in edition.plan.jobs)
    return preview(jobs, make_workers(first.loaded.config, first.host), apart)


def _unused(run: RunRequest) -> Iterator[Notice]:
    if run.config.hosts:
        names = ", ".join(sorted(run.config.hosts))
        yield Notice(
            "hosts-unused",
            f"the hosts {names} are not used: images go from docker to docker, and the engine is {run.engine.name}",
            "Choose --engine docker.",
        )


def with_hosts(run: RunRequest, options: ProjectOptions) -> RunRequest:
    """Ask the configured machines, and give those that answer to the run; the others are notices."""
    from wheelkiln.build.hosts import find_hosts

    if run.engine.name is not EngineName.DOCKER:
        print_notices(_unused(run))
        return run
    architectures = {job.arch for _, job in run.in_order()}
    hosts, notices = find_hosts(run.config, run.host, options.runner, architectures)
    print_notices(notices)
    return replace(run, editions=tuple(replace(edition, hosts=hosts) for edition in run.editions))
