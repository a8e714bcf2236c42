"""How long a run will take from now, from what its jobs took before."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

__all__ = ["estimate_remaining"]


def estimate_remaining(
    waiting: Sequence[float | None],
    running: Sequence[tuple[float | None, float]],
    ended: Sequence[float],
    slots: int,
) -> float | None:
    """Return the seconds until all jobs have ended; None where nothing is known of any.

    waiting has what each job took before, running also the seconds since its start, ended what the jobs of this run
    took; slots is how many run side by side. A job of which nothing is known counts as the mean of those that are.
    """
    known = [seconds for seconds in (*waiting, *(expected for expected, _ in running)) if seconds is not None]
    known += ended
    if not known:
        return None
    mean = fmean(known)
    rests = [max(0.0, (mean if expected is None else expected) - elapsed) for expected, elapsed in running]
    work = sum(mean if seconds is None else seconds for seconds in waiting) + sum(rests)
    return max([work / max(1, slots), *rests])
