"""The manifest: what was built from what, as JSON beside the wheels."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from types import MappingProxyType
from typing import Any

from wheelkiln.build.cold import ColdComparison, Verdict
from wheelkiln.build.configuration import digest_configuration
from wheelkiln.build.editions import RunRequest
from wheelkiln.build.outcome import Gate, Outcome, RunResult, StageSeconds, Status, WheelFile
from wheelkiln.build.request import BuildRequest
from wheelkiln.cache.remote_use import RemoteUse
from wheelkiln.cache.sharing import Sharing
from wheelkiln.cache.statistics import CompileStatistics
from wheelkiln.plan.model import Skipped
from wheelkiln.report.builder import Made
from wheelkiln.verify.findings import Finding
from wheelkiln.verify.record import Record

__all__ = [
    "MANIFEST_FORMAT",
    "MANIFEST_NAME",
    "ColdRebuild",
    "Manifest",
    "ManifestJob",
    "ManifestShard",
    "ManifestSource",
    "make_manifest",
    "manifest_schema",
    "note_cold_rebuild",
    "write_manifest_text",
]

MANIFEST_FORMAT = 2
MANIFEST_NAME = "wheelkiln-manifest.json"


@dataclass(frozen=True, slots=True)
class ManifestSource:
    """One source as one variant: the name and version that its wheels are published as.

    digest covers the sdist's names, modes and contents; epoch is SOURCE_DATE_EPOCH in seconds; size in bytes.
    configuration is a digest of the settings that reach wheels.
    """

    project: str
    version: str
    variant: str
    digest: str
    epoch: int
    size: int
    configuration: str = ""


@dataclass(frozen=True, slots=True)
class ManifestImage:
    """reference names one of a manifest's images; variants may have several of a name.

    toolchain is the compiler, its version and the CPU features that it was seen to accept.
    """

    name: str
    reference: str
    digest: str
    base: str
    toolchain: str
    tools: dict[str, str]


@dataclass(frozen=True, slots=True)
class ColdRebuild:
    """What 'cache verify' found; members are those that differ, causes codes, time is in seconds since 1970."""

    verdict: Verdict
    sha256: str
    members: tuple[str, ...]
    time: int
    causes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ManifestJob:
    """image is the reference of the image. seconds and the stages' seconds are of the run that wrote the manifest.

    statistics count compiler calls.
    requirements are those of the build environment, with their versions; empty where no build was needed. from_store
    tells whether a reused wheel came from the wheel store. memory is the container's peak in bytes. attempts is more
    than one where the container engine failed for a moment and the job was tried again. record is what the wheel itself
    carries. findings are warnings about the wheel, of the run that built it. made is None where nobody noted which run
    built the wheel.
    """

    id: str
    identifier: str
    project: str
    version: str
    variant: str
    image: str
    status: Status
    wheel: WheelFile | None
    seconds: float
    stages: tuple[StageSeconds, ...]
    statistics: CompileStatistics | None
    covered_by: str
    message: str
    remote: RemoteUse | None = None
    requirements: tuple[str, ...] = ()
    from_store: bool = False
    cold_rebuild: ColdRebuild | None = None
    memory: int | None = None
    host: str = ""
    emulated: bool = False
    attempts: int = 1
    record: dict[str, Any] | None = None
    findings: tuple[Finding, ...] = ()
    made: Made | None = None


@dataclass(frozen=True, slots=True)
class ManifestCache:
    """How the run used the caches; remote is the remote cache's address without its secrets, empty without one."""

    mode: str
    remote: str
    gate: Gate | None


@dataclass(frozen=True, slots=True)
class ManifestShard:
    """One of count shards, counted from 1: jobs are all that it is to build, by their ids.

    plan is a digest of which job is in which shard.
    """

    number: int
    count: int
    plan: str
    jobs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ManifestHost:
    """A configured machine that answered: its architecture, and the version of its docker."""

    name: str
    architecture: str
    docker: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """shards are those that it has the jobs of, empty where a run was not parted."""

    format: int
    sources: tuple[ManifestSource, ...]
    architecture: str
    tools: dict[str, str]
    images: tuple[ManifestImage, ...]
    jobs: tuple[ManifestJob, ...]
    skipped: tuple[Skipped, ...]
    cache: ManifestCache
    seconds: float
    sharing: Sharing = field(default_factory=Sharing)
    shards: tuple[ManifestShard, ...] = ()
    hosts: tuple[ManifestHost, ...] = ()
    emulators: dict[str, str] = field(default_factory=dict)


def make_manifest(
    run: RunRequest,
    result: RunResult,
    *,
    version: str,
    shards: tuple[ManifestShard, ...] = (),
    records: Mapping[str, Record] = MappingProxyType({}),
    made: Made | None = None,
    earlier: Mapping[str, Made] | None = None,
) -> Manifest:
    """Describe a run; version is wheelkiln's, records are those of the wheels by their names.

    made is what the wheels are marked with that the run built. earlier has the runs that built wheels of the output
    directory before, by the wheels' digests.
    """
    bases = {
        edition.plan.references[spec.name_for(base.arch)]: base.reference or "bootstrap"
        for edition in run.editions
        for spec in edition.plan.images
        for base in spec.bases
        if spec.name_for(base.arch) in edition.plan.references
    }
    images = tuple(
        ManifestImage(
            image.name, image.reference, image.digest, bases[image.reference], image.toolchain, dict(image.tools)
        )
        for image in result.images
    )
    ran = {outcome.job.id for outcome in result.outcomes}
    references = {job.id: edition.plan.references[job.image] for edition, job in run.in_order()}
    return Manifest(
        format=MANIFEST_FORMAT,
        sources=tuple(_make_source(edition) for edition in run.editions),
        architecture=run.host.machine,
        tools={
            "wheelkiln": version,
            "cibuildwheel": run.first.cibuildwheel_version,
            run.engine.name.value: run.engine.version,
        },
        images=images,
        jobs=tuple(
            _make_job(outcome, references[outcome.job.id], records, _find_made(outcome, made, earlier or {}))
            for outcome in result.outcomes
        ),
        skipped=tuple(skipped for skipped in run.skipped if skipped.id not in ran),
        cache=ManifestCache(
            mode=run.config.cache.mode,
            remote=result.remote,
            gate=result.gate,
        ),
        seconds=result.seconds,
        sharing=result.sharing,
        shards=shards,
        hosts=tuple(ManifestHost(host.name, host.machine, host.engine.version) for host in run.first.hosts),
        emulators=dict(result.emulators),
    )


def write_manifest_text(manifest: Manifest) -> str:
    """Serialise a manifest."""
    return json.dumps(asdict(manifest), indent=2, ensure_ascii=False) + "\n"


def note_cold_rebuild(text: str, result: ColdComparison, time: int) -> str | None:
    """Return a manifest with the result at its wheel; None where it has no such wheel, or is none."""
    try:
        manifest = json.loads(text)
        jobs = [job for job in manifest["jobs"] if job["wheel"] and job["wheel"]["sha256"] == result.cached.sha256]
    except (ValueError, KeyError, TypeError):
        return None
    causes = tuple(cause.cause.value for cause in result.comparison.causes) if result.comparison else ()
    noted = asdict(ColdRebuild(result.verdict, result.cold.sha256, result.members, time, causes))
    for job in jobs:
        job["cold_rebuild"] = noted
    return json.dumps(manifest, indent=2, ensure_ascii=False) + "\n" if jobs else None


def manifest_schema() -> dict[str, Any]:
    """Return the manifest's JSON schema."""
    from pydantic import TypeAdapter

    return TypeAdapter(Manifest).json_schema()


def _make_source(edition: BuildRequest) -> ManifestSource:
    facts, source = edition.source.facts, edition.source
    return ManifestSource(
        project=facts.name,
        version=facts.version,
        variant=edition.plan.variant,
        digest=source.digest,
        epoch=source.epoch,
        size=source.size,
        configuration=digest_configuration(edition),
    )


def _find_made(outcome: Outcome, made: Made | None, earlier: Mapping[str, Made]) -> Made | None:
    """A wheel from the wheel store may be of any run, and no manifest here knew it."""
    if outcome.status is Status.BUILT:
        return made
    return earlier.get(outcome.wheel.sha256) if outcome.wheel else None


def _make_job(outcome: Outcome, image: str, records: Mapping[str, Record], made: Made | None) -> ManifestJob:
    record = records.get(outcome.wheel.name) if outcome.wheel else None
    return ManifestJob(
        id=outcome.job.id,
        identifier=outcome.job.identifier,
        project=outcome.job.project,
        version=outcome.job.version,
        variant=outcome.job.variant,
        image=image,
        status=outcome.status,
        wheel=outcome.wheel,
        seconds=outcome.seconds,
        stages=outcome.stages,
        statistics=outcome.statistics,
        covered_by=outcome.covered_by,
        message=outcome.message,
        requirements=outcome.requirements,
        from_store=outcome.from_store,
        remote=outcome.remote,
        memory=outcome.memory,
        host=outcome.host,
        findings=outcome.findings,
        emulated=outcome.emulated,
        attempts=outcome.attempts,
        record=asdict(record) if record else None,
        made=made,
    )
