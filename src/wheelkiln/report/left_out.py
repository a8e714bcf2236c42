"""What --retry-failed leaves out of a run, and is as it was: it stays in the manifest of its directory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from wheelkiln.build.outcome import Status, WheelFile
from wheelkiln.plan.model import SkipReason
from wheelkiln.report.joining import order_of_job
from wheelkiln.report.manifest import Manifest, ManifestJob

__all__ = ["keep_left_out"]

_REASONS = (SkipReason.NOTHING_TO_RETRY, SkipReason.STABLE_ABI)
"""The second is that of Pythons that the wheel of a job serves that was left out."""
_TOOLS = ("wheelkiln", "cibuildwheel")


def keep_left_out(manifest: Manifest, before: Manifest, lies_there: Callable[[WheelFile], bool]) -> Manifest:
    """Add the jobs that were left out, from the manifest that the directory had before.

    They are kept where their source and configuration, the tools and the image's recipe are the same, and the wheel
    lies there unchanged. What is not kept stays skipped, and 'merge' will miss it.
    """
    if any(manifest.tools.get(tool) != before.tools.get(tool) for tool in _TOOLS):
        return manifest
    left_out = {skip.id for skip in manifest.skipped if skip.reason in _REASONS}
    same = {(it.project, it.version, it.variant) for it in before.sources if it in manifest.sources}
    images = {_place(job): job.image for job in manifest.jobs}
    able = [
        job
        for job in before.jobs
        if job.id in left_out
        and (job.project, job.version, job.variant) in same
        and images.get(_place(job), job.image) == job.image
    ]
    kept = [_as_reused(job) for job in able if job.wheel and lies_there(job.wheel)]
    wheels = {job.wheel.name for job in (*manifest.jobs, *kept) if job.wheel}
    kept += [_as_reused(job) for job in able if job.status is Status.COVERED and job.covered_by in wheels]
    if not kept:
        return manifest
    ids, references = {job.id for job in kept}, {job.image for job in kept}
    more = tuple(it for it in before.images if it.reference in references and it not in manifest.images)
    return replace(
        manifest,
        jobs=tuple(sorted((*manifest.jobs, *kept), key=order_of_job)),
        skipped=tuple(skip for skip in manifest.skipped if skip.id not in ids),
        images=(*manifest.images, *more),
    )


def _place(job: ManifestJob) -> tuple[str, str, str, str]:
    return job.project, job.version, job.variant, job.identifier.partition("-")[2]


def _as_reused(job: ManifestJob) -> ManifestJob:
    """As it would be told by a run that found it finished."""
    status = Status.REUSED if job.wheel else job.status
    return replace(job, status=status, seconds=0.0, stages=(), statistics=None, remote=None, memory=None, attempts=1)
