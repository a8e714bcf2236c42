"""Whether manifests belong together: one source, one way of building, all shards, no two wheels for one thing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from wheelkiln.build.outcome import Status
from wheelkiln.config.variants import DEFAULT_VARIANT
from wheelkiln.errors import VerificationError
from wheelkiln.plan.model import SkipReason
from wheelkiln.report.manifest import Manifest, ManifestJob, ManifestSource

__all__ = ["Part", "check_alike", "check_covered", "check_wheels", "explain_missing", "find_missing"]

_CUT_APART = (
    "Their machines planned different jobs. Make one plan with 'wheelkiln plan --shards N --format json', and give it "
    "to each with 'wheelkiln build --plan FILE --shard K/N'."
)


_LEFT_OUT = SkipReason.NOTHING_TO_RETRY
_WITHOUT_RETRY = (
    "'build --retry-failed' left them out, and what it found is not of this source any more: run 'build' without it."
)


@dataclass(frozen=True, slots=True)
class Part:
    """A manifest and the directory that it lies in, with its wheels."""

    place: Path
    manifest: Manifest


def check_alike(parts: Sequence[Part]) -> None:
    """Raise VerificationError where parts were not built from the same source in the same way, with all that differs.

    An engine's version and an image's content may differ between machines; the image's recipe may not. Parts may have
    different variants, but not one variant of different sources.
    """
    said: dict[str, dict[str, list[Path]]] = defaultdict(lambda: defaultdict(list))
    for part in parts:
        for name, value in _common(part.manifest):
            said[name][value].append(part.place)
    told = []
    for name, values in said.items():
        if len(values) > 1:
            told.append(f"  {name}:")
            told += [f"    {value or '(none)'} in {_places(places)}" for value, places in values.items()]
    if told:
        raise VerificationError(
            "\n".join(["these directories do not belong together; they differ in", *told]),
            hint="Build all shards from the same source, configuration and wheelkiln.",
        )


def _common(manifest: Manifest) -> Iterator[tuple[str, str]]:
    """Yield what all parts that have it must have alike."""
    variants: dict[str, list[ManifestSource]] = defaultdict(list)
    for source in sorted(manifest.sources, key=lambda source: (source.project, source.version)):
        variants[source.variant].append(source)
    for variant, sources in variants.items():
        of = "" if variant == DEFAULT_VARIANT else f" of the variant {variant}"
        yield f"project and version{of}", _all(f"{source.project} {source.version}" for source in sources)
        yield f"source (digest){of}", _all(source.digest for source in sources)
        yield f"SOURCE_DATE_EPOCH{of}", _all(str(source.epoch) for source in sources)
        yield f"configuration (digest){of}", _all(source.configuration for source in sources)
    for tool in ("wheelkiln", "cibuildwheel"):
        yield tool, manifest.tools.get(tool, "")
    images = {(job.project, job.version, job.variant, job.identifier.partition("-")[2]): job for job in manifest.jobs}
    for (project, version, variant, platform), job in images.items():
        yield f"image of {platform} for {project} {version} ({variant})", job.image


def _all(texts: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(texts))


def find_missing(parts: Sequence[Part]) -> tuple[str, ...]:
    """Return the shards that are not there, as ``2/3``, and the jobs that nobody says anything of.

    Those are jobs of a shard that is there, and jobs that --retry-failed left out.
    """
    shards = [f"{number}/{count}" for _, count, numbers in _cuts(parts) for number in numbers]
    built = {job.id for part in parts for job in part.manifest.jobs}
    wanted = {skip.id: skip.id for part in parts for skip in part.manifest.skipped if skip.reason is _LEFT_OUT}
    wanted |= {
        job: f"{job} of {shard.number}/{shard.count}"
        for part in parts
        for shard in part.manifest.shards
        for job in shard.jobs
    }
    return (*shards, *(told for job, told in wanted.items() if job not in built))


def explain_missing(parts: Iterable[Part], missing: Sequence[str]) -> VerificationError:
    """Say which shards are missing, and why that may be."""
    cuts = len(_cuts(parts))
    several = f" of {cuts} plans" if cuts > 1 else ""
    hint = "Run the 'build --shard' of what is missing again." if cuts else _WITHOUT_RETRY
    hint = f"{hint} --allow-missing merges what is there."
    return VerificationError(
        f"not all {'shards' if cuts else 'jobs'} are there{several}: {', '.join(missing)}",
        hint=f"{_CUT_APART} {hint}" if cuts > 1 else hint,
    )


def _cuts(parts: Iterable[Part]) -> list[tuple[str, int, list[int]]]:
    """Return each cut that shards are of, with its count and the numbers that nobody has."""
    present: dict[tuple[str, int], set[int]] = defaultdict(set)
    for part in parts:
        for shard in part.manifest.shards:
            present[shard.plan, shard.count].add(shard.number)
    return [
        (plan, count, sorted(set(range(1, count + 1)) - numbers)) for (plan, count), numbers in sorted(present.items())
    ]


def check_wheels(parts: Sequence[Part]) -> None:
    """Raise VerificationError where two parts have different files of one name, or for one job."""
    files: dict[str, dict[str, Path]] = defaultdict(dict)
    jobs: dict[str, dict[str, Path]] = defaultdict(dict)
    for part in parts:
        for job in part.manifest.jobs:
            if job.wheel is not None:
                files[job.wheel.name].setdefault(job.wheel.sha256, part.place)
                jobs[job.id].setdefault(job.wheel.name, part.place)
    told = [f"  {name}: {_both(found)}" for name, found in files.items() if len(found) > 1]
    told += [f"  {job_id}: {_both(found)}" for job_id, found in jobs.items() if len(found) > 1]
    if told:
        raise VerificationError(
            "\n".join(["different wheels stand for the same thing:", *told]),
            hint="Merge the directories of one run only. A stable ABI that pyproject.toml, setup.cfg and setup.py do "
            "not declare, and builds that are not repeatable, can cause this, too.",
        )


def check_covered(jobs: Sequence[ManifestJob]) -> None:
    """Raise VerificationError where a Python was left to another shard's stable-ABI wheel, and that one is not there.

    Where a job failed it may be that one's, and is told as failed.
    """
    wheels = {job.wheel.name for job in jobs if job.wheel}
    told = [
        f"  {job.id}: {job.covered_by}" for job in jobs if job.status is Status.COVERED and job.covered_by not in wheels
    ]
    if told and all(job.status in (Status.BUILT, Status.REUSED, Status.COVERED) for job in jobs):
        raise VerificationError("\n".join(["jobs are served by wheels that no directory has:", *told]))


def _both(found: Mapping[str, Path]) -> str:
    return ", ".join(f"{what} in {place}" for what, place in found.items())


def _places(places: Sequence[Path]) -> str:
    shown = ", ".join(map(str, places[:3]))
    return f"{shown} and {len(places) - 3} more" if len(places) > 3 else shown  # noqa: PLR2004 - enough to find it
