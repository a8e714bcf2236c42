"""Several manifests as one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace

from wheelkiln.build.outcome import GateVerdict, Status
from wheelkiln.cache.sharing import Sharing
from wheelkiln.plan.model import Notice, Skipped, SkipReason
from wheelkiln.report.agreement import Part, check_alike, check_covered, check_wheels, explain_missing, find_missing
from wheelkiln.report.manifest import Manifest, ManifestCache, ManifestImage, ManifestJob, ManifestShard

__all__ = ["join_manifests", "order_of_job"]

_GOOD = (Status.BUILT, Status.REUSED, Status.COVERED)
_BEST_FIRST = (*_GOOD, *(status for status in Status if status not in _GOOD))


def join_manifests(parts: Sequence[Part], *, allow_missing: bool) -> tuple[Manifest, tuple[Notice, ...]]:
    """Return the manifest of all parts, whatever their order, and what the user should know about it.

    Raise VerificationError where they do not belong together, have different wheels for one thing, or are not all
    shards; allow_missing lets shards be missing.
    """
    parts = sorted(parts, key=_order_of_part)
    check_alike(parts)
    check_wheels(parts)
    jobs = _join_jobs(parts)
    missing = find_missing(parts)
    if missing and not allow_missing:
        raise explain_missing(parts, missing)
    if not missing:
        check_covered(jobs)
    manifests = [part.manifest for part in parts]
    joined = replace(
        manifests[0],
        sources=tuple(dict.fromkeys(source for manifest in manifests for source in manifest.sources)),
        architecture=_one_text(manifest.architecture for manifest in manifests),
        tools=_join_tools(manifests),
        images=_join_images(manifests),
        jobs=jobs,
        skipped=_join_skipped(manifests, {job.id for job in jobs}),
        cache=ManifestCache(
            mode=_same_or((manifest.cache.mode for manifest in manifests), "read-write"),
            remote=_same_or((manifest.cache.remote for manifest in manifests), ""),
            gate=None,
        ),
        seconds=max(manifest.seconds for manifest in manifests),
        sharing=Sharing(),
        shards=tuple(sorted({shard for manifest in manifests for shard in manifest.shards}, key=_order_of_shard)),
    )
    return joined, tuple(_notices(parts, missing))


def _order_of_part(part: Part) -> tuple[list[tuple[str, int]], str]:
    return [_order_of_shard(shard) for shard in part.manifest.shards], str(part.place)


def _order_of_shard(shard: ManifestShard) -> tuple[str, int]:
    return shard.plan, shard.number


def _join_jobs(parts: Sequence[Part]) -> tuple[ManifestJob, ...]:
    """Take each job once, as it ended best: one that failed may have been built by a later run of its shard."""
    found: dict[str, ManifestJob] = {}
    for job in (job for part in parts for job in part.manifest.jobs):
        known = found.get(job.id)
        if known is None or _BEST_FIRST.index(job.status) < _BEST_FIRST.index(known.status):
            found[job.id] = job
    return tuple(sorted(found.values(), key=order_of_job))


def order_of_job(job: ManifestJob) -> tuple[str, str, str, int, str]:
    """As in a plan: by platform, then by Python."""
    source, _, _ = job.id.rpartition("/")
    python, _, platform = job.identifier.partition("-")
    return source, job.variant, platform, int(python.removeprefix("cp3").rstrip("t")), python


def _join_skipped(manifests: Iterable[Manifest], job_ids: Collection[str]) -> tuple[Skipped, ...]:
    """Keep what no part built; a reason of its own says more than that another shard was to build it."""
    found: dict[str, Skipped] = {}
    for skip in (skip for manifest in manifests for skip in manifest.skipped):
        if skip.id not in job_ids and (skip.id not in found or found[skip.id].reason is SkipReason.OTHER_SHARD):
            found[skip.id] = skip
    return tuple(found.values())


def _join_tools(manifests: Iterable[Manifest]) -> dict[str, str]:
    """Name each version of an engine that was used."""
    found: dict[str, list[str]] = defaultdict(list)
    for manifest in manifests:
        for name, version in manifest.tools.items():
            found[name].append(version)
    return {name: _one_text(versions) for name, versions in found.items()}


def _join_images(manifests: Iterable[Manifest]) -> tuple[ManifestImage, ...]:
    found: list[ManifestImage] = []
    for image in (image for manifest in manifests for image in manifest.images):
        found += [image] if image not in found else []
    return tuple(found)


def _one_text(texts: Iterable[str]) -> str:
    """List different texts; those that are lists already are taken apart, so that merging again changes nothing."""
    return ", ".join(sorted({part for text in texts for part in text.split(", ")}))


def _same_or(texts: Iterable[str], otherwise: str) -> str:
    found = set(texts)
    return found.pop() if len(found) == 1 else otherwise


def _notices(parts: Sequence[Part], missing: Sequence[str]) -> Iterator[Notice]:
    if missing:
        yield Notice("missing-shards", f"not there: {', '.join(missing)}")
    for part in parts:
        gate = part.manifest.cache.gate
        if gate is not None and gate.verdict is GateVerdict.FAILED:
            yield Notice("cache-gate", f"the cache gate of {part.place} failed: {gate.hits} of {gate.calls} calls hit")
    contents: dict[str, set[str]] = defaultdict(set)
    for image in (image for part in parts for image in part.manifest.images):
        contents[image.reference].add(image.digest)
    for reference, digests in contents.items():
        if len(digests) > 1:
            yield Notice(
                "image-contents",
                f"{reference} was built {len(digests)} times, on different machines: its packages may differ",
                "'wheelkiln image push' and image.repository give all machines the same one.",
            )
