"""What emulation costs: measured in builds that were made, and told before more are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from wheelkiln.plan.model import Job, Notice
from wheelkiln.system.host import HostFacts

__all__ = ["TimedBuild", "emulation_notices", "measure_slowdowns"]


@dataclass(frozen=True, slots=True)
class TimedBuild:
    """A build that compiled everything: what was built, for which architecture, in how many seconds.

    subject is the same for builds that differ in their architecture alone.
    """

    subject: str
    arch: str
    seconds: float
    emulated: bool


def measure_slowdowns(builds: Iterable[TimedBuild]) -> dict[str, float]:
    """Return by architecture how many times as long as native builds emulated ones took, in the middle of all known.

    Compared is what has the same subject: the same code compiles for another architecture in about the same time.
    """
    native: dict[str, list[float]] = {}
    emulated: dict[tuple[str, str], list[float]] = {}
    for build in builds:
        if build.emulated:
            emulated.setdefault((build.arch, build.subject), []).append(build.seconds)
        else:
            native.setdefault(build.subject, []).append(build.seconds)
    ratios: dict[str, list[float]] = {}
    for (arch, subject), seconds in emulated.items():
        if native.get(subject):
            ratios.setdefault(arch, []).append(median(seconds) / max(0.001, median(native[subject])))
    return {arch: round(median(found), 1) for arch, found in ratios.items()}


def emulation_notices(jobs: Sequence[Job], host: HostFacts, slowdowns: Mapping[str, float]) -> Iterator[Notice]:
    """Announce what is emulated on this machine, with its cost."""
    for arch in sorted({job.arch for job in jobs if job.emulated and job.arch in host.emulated}):
        count = sum(job.arch == arch for job in jobs)
        measured = slowdowns.get(arch)
        cost = (
            f"about {measured:g} times as long as native ones, as measured in earlier builds here"
            if measured
            else "several times as long as native ones"
        )
        yield Notice(
            "emulated",
            f"{arch} is emulated on this machine ({host.machine}): {count} job{'s' * (count != 1)} will take {cost}",
            "A machine of that architecture, as [tool.wheelkiln.hosts.NAME], builds natively.",
        )
