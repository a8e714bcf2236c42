"""Wheels that another shard makes: where a stable ABI shows itself only in the wheel, one shard alone lets it land."""

from __future__ import annotations

from wheelkiln.plan.model import Job, Plan, Skipped, SkipReason
from wheelkiln.verify.tags import serves

__all__ = ["is_made_elsewhere", "order_of_python"]


def is_made_elsewhere(plan: Plan, job: Job, wheel_name: str) -> bool:
    """Tell whether a wheel of a job serves an earlier Python too, which another shard builds.

    A run of the whole plan lets such a wheel land once, and the other Pythons count as covered. So do shards: the one
    with the first Python that it serves has the wheel, and no two of them have a file of one name.
    """
    return any(
        skip.reason is SkipReason.OTHER_SHARD and _is_before(skip, job) and serves(wheel_name, skip.identifier)
        for skip in plan.skipped
    )


def _is_before(skip: Skipped, job: Job) -> bool:
    python, _, platform = skip.identifier.partition("-")
    return platform == job.platform and order_of_python(python) < order_of_python(job.python)


def order_of_python(python: str) -> tuple[int, str]:
    """Return what Pythons are put in order by."""
    return int(python.removeprefix("cp3").rstrip("t")), python
