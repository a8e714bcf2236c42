"""What the schedule needs to know of each job: how its compilers run side by side, its memory, what it may find."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from wheelkiln.build.editions import RunRequest
from wheelkiln.build.request import BuildRequest
from wheelkiln.build.reuse import Shelf
from wheelkiln.build.schedule import Need, Parallelism, Schedule
from wheelkiln.cache.records import read_latest_record
from wheelkiln.cache.settings import ignored_options, parse_size
from wheelkiln.cache.sharing import count_sharing
from wheelkiln.plan.backends import known_backend
from wheelkiln.plan.model import Job
from wheelkiln.plan.placement import group_of, keeps_pythons_apart

__all__ = ["budget_of", "kind_of", "make_schedule", "needs_of", "parallelism_of", "sharing_pays"]

_NINJA = Version("1.13")
"""The first that asks a jobserver (ninja: release notes)."""
_WORTH_WAITING = 0.25
"""Share of a job's compilations from which on another of its kind waits for it rather than repeat them."""


def budget_of(run: RunRequest) -> int:
    """Return the cores that all jobs of this machine may use together."""
    return max(run.host.cpus, _limit_of(run) or 1)


def make_schedule(shelf: Shelf, tools: Mapping[str, Mapping[str, str]], *, served: bool) -> Schedule:
    """Make the schedule of a run's jobs. tools are those of images, by reference; served as in parallelism_of."""
    run = shelf.run
    maximum = run.config.max_memory
    return Schedule(
        jobs=tuple(job for _, job in run.in_order()),
        cores=run.host.cpus,
        limit=_limit_of(run),
        memory=run.host.memory if maximum == "auto" else parse_size(maximum),
        covering={skipped.id: skipped.covered_by for skipped in run.skipped if skipped.covered_by},
        needs=needs_of(shelf, tools, served=served),
    )


def needs_of(shelf: Shelf, tools: Mapping[str, Mapping[str, str]], *, served: bool) -> dict[str, Need]:
    """Return what is known of each job, by its id."""
    kinds: dict[Hashable, list[Job]] = defaultdict(list)
    for edition, job in shelf.run.in_order():
        kinds[kind_of(edition, job)].append(job)
    peaks = {name: shelf.ledger.peaks(name) for name in {job.project for job in shelf.run.jobs}}
    needs: dict[str, Need] = {}
    pays: dict[str, bool] = {}  # what is true of one kind of a project's jobs is taken to be true of the others
    for kind, members in kinds.items():
        known = [(shelf.known[job.id], job) for job in members]
        ways = [
            parallelism_of(request, job, tools.get(_image(request, job), {}), served=served) for request, job in known
        ]
        project = members[0].project
        if len(members) > 1 and project not in pays:
            pays[project] = sharing_pays(known[0][0], members)
        for job, way in zip(members, ways, strict=True):
            peak = peaks.get(project, {}).get(job.name)
            needs[job.id] = Need(way, peak, shelf.was_built(job), kind, pays.get(project, False))
    return needs


def _image(request: BuildRequest, job: Job) -> str:
    return request.plan.references[job.image]


def _limit_of(run: RunRequest) -> int | None:
    place = run.first.place
    if place is not None and not place.private:
        return 1  # all jobs are at the same paths
    return None if run.config.jobs == "auto" else run.config.jobs


def parallelism_of(request: BuildRequest, job: Job, tools: Mapping[str, str], *, served: bool) -> Parallelism:
    """Tell how a job's compilers can be kept to a number of cores.

    tools are the image's, with versions; served says that the job's container can be given a jobserver. setuptools
    compiles one file at a time, and a setup.py may call a Makefile that cannot run in parallel, so neither it nor an
    unknown backend is shown the jobserver.
    """
    backend = known_backend(request.source.facts)
    if backend.runs_ninja:
        if served and "make" in tools and _ninja_of(request, job, tools) >= _NINJA:
            return Parallelism.SERVED
        return Parallelism.TOLD if backend.takes_number else Parallelism.WHOLE
    return Parallelism.SERIAL if backend.serial else Parallelism.TOLD


def kind_of(request: BuildRequest, job: Job) -> Hashable:
    """Jobs of one kind are of one group and have the very same image: what one compiles, the others may find."""
    apart = keeps_pythons_apart(request.config, request.source.facts)
    return _image(request, job), group_of(job, pythons_apart=apart)


def sharing_pays(request: BuildRequest, jobs: Sequence[Job]) -> bool:
    """Tell whether jobs of one kind shared enough when they were last built; without a record of two it is assumed."""
    records = (read_latest_record(request.cache_root, job.project, job.name) for job in jobs)
    found = [record for record in records if record is not None][:2]
    if len(found) < 2 or not found[1].compilations:  # noqa: PLR2004 - a pair
        return True
    sharing = count_sharing(found, ignored_options(request.config))
    return sharing.shared / len(found[1].compilations) >= _WORTH_WAITING


def _ninja_of(request: BuildRequest, job: Job, tools: Mapping[str, str]) -> Version:
    """The version that stands first on PATH: that of the build environment, else the image's."""
    known = request.environments.get(job.id)
    pins = (pin.requirement.partition("==") for pin in known.locked.pins) if known else ()
    pinned = next((version for name, _, version in pins if canonicalize_name(name) == "ninja"), "")
    try:
        return Version(pinned.split(";")[0].strip() or tools.get("ninja", "0"))
    except InvalidVersion:
        return Version("0")
