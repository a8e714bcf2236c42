"""Building only what is not good yet: a plan narrowed to the jobs that earlier runs left unfinished."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from wheelkiln.build.journal import is_unfinished, own_id
from wheelkiln.plan.model import Job, Plan, Skipped, SkipReason

__all__ = ["narrow_to_unfinished"]


def narrow_to_unfinished(plan: Plan, last_states: Mapping[str, str]) -> Plan:
    """Leave out the jobs that ended well, and those that no run has meant to do; last_states are by own job id.

    A job that a stable-ABI wheel was expected to serve stays with the one that makes that wheel.
    """
    unfinished = {job_id for job_id, state in last_states.items() if is_unfinished(state)}
    covering = {skipped.covered_by for skipped in plan.skipped if own_id(skipped.id) in unfinished}
    jobs = tuple(job for job in plan.jobs if own_id(job.id) in unfinished or job.id in covering)
    left_out = tuple(_leave_out(job, last_states) for job in plan.jobs if job not in jobs)
    used = {job.image for job in jobs}
    return replace(
        plan,
        jobs=jobs,
        images=tuple(image for image in plan.images if used & set(map(image.name_for, image.architectures))),
        skipped=(*plan.skipped, *left_out),
        references={name: reference for name, reference in plan.references.items() if name in used},
    )


def _leave_out(job: Job, last_states: Mapping[str, str]) -> Skipped:
    known = own_id(job.id) in last_states
    why = "its last build into this directory was good" if known else "no run into this directory has tried it"
    return Skipped(job.id, job.identifier, SkipReason.NOTHING_TO_RETRY, f"--retry-failed: {why}")
