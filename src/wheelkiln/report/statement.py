"""Provenance of a wheel: an in-toto statement (v1) with SLSA provenance (v1), unsigned.

docs/reference/provenance.md says what each field holds; BUILD_TYPE names that page's version.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from wheelkiln.cache.lock import Pin
from wheelkiln.report.builder import Builder, Made
from wheelkiln.report.manifest import Manifest, ManifestImage, ManifestJob, ManifestSource
from wheelkiln.source.origin import OriginKind, SourceOrigin
from wheelkiln.verify.purl import image_purl, package_of, pypi_purl
from wheelkiln.verify.record import Record

__all__ = [
    "BUILD_TYPE",
    "PREDICATE_TYPE",
    "WheelOrigin",
    "contradictions",
    "make_predicate",
    "make_statement",
    "origin_of",
]

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "https://slsa.dev/provenance/v1"
BUILD_TYPE = "urn:wheelkiln:build-type:wheel:v1"
_HEX = 64


@dataclass(frozen=True, slots=True)
class WheelOrigin:
    """What a manifest says of one wheel, whose digest has been seen to be that of the file.

    image is None where the manifest does not know it, record where the wheel carries none.
    """

    name: str
    sha256: str
    job: ManifestJob
    source: ManifestSource
    image: ManifestImage | None
    requirements: tuple[Pin, ...]
    tools: Mapping[str, str]
    architecture: str
    record: Record | None = None

    @property
    def made(self) -> Made | None:
        return self.job.made


def origin_of(manifest: Manifest, job: ManifestJob, record: Record | None = None) -> WheelOrigin:
    """Gather what a manifest says of a job's wheel; the job has one. record is what that wheel carries."""
    assert job.wheel is not None
    told = (job.project, job.version, job.variant)
    pins = record.build.requirements if record else map(Pin, job.requirements)
    return WheelOrigin(
        name=job.wheel.name,
        sha256=job.wheel.sha256,
        job=job,
        source=next(it for it in manifest.sources if (it.project, it.version, it.variant) == told),
        image=next((image for image in manifest.images if image.reference == job.image), None),
        requirements=tuple(Pin(pin.requirement, pin.hashes) for pin in pins),
        tools={**manifest.tools, **(record.tools if record else {})},
        architecture=manifest.architecture,
        record=record,
    )


def contradictions(origin: WheelOrigin) -> Iterator[str]:
    """Say where a wheel's record tells another story than the manifest."""
    record, source = origin.record, origin.source
    if record is None:
        return
    digest = record.edition.digest if record.edition else record.source.digest
    pairs = {
        "project": (record.project, source.project),
        "version": (record.version, source.version),
        "variant": (record.variant, source.variant),
        "digest of the source": (digest, source.digest),
    }
    for what, (recorded, told) in pairs.items():
        if recorded != told:
            yield f"its record says {recorded!r} is its {what}, the manifest says {told!r}"


def make_statement(origin: WheelOrigin, builder: Builder) -> str:
    """Return the text of the statement; it has one subject, as PyPI asks for (PEP 740)."""
    statement = {
        "_type": STATEMENT_TYPE,
        "subject": [{"name": origin.name, "digest": {"sha256": origin.sha256}}],
        "predicateType": PREDICATE_TYPE,
        "predicate": make_predicate(origin, builder),
    }
    return json.dumps(statement, indent=2, ensure_ascii=False) + "\n"


def make_predicate(origin: WheelOrigin, builder: Builder) -> dict[str, Any]:
    """Return SLSA's part; builder is who makes the statement, and counts where the wheel's own is not known."""
    job, source = origin.job, origin.source
    return {
        "buildDefinition": {
            "buildType": BUILD_TYPE,
            "externalParameters": {
                "source": {"project": source.project, "version": source.version, "digest": source.digest},
                "variant": job.variant,
                "identifier": job.identifier,
                "configuration": source.configuration,
                **(_settings(origin.record) if origin.record else {}),
            },
            "internalParameters": {
                "sourceDateEpoch": source.epoch,
                "reused": origin.made is None,
                "tools": dict(sorted(origin.tools.items())),
                "architecture": origin.architecture,
                "emulated": job.emulated,
                **({"toolchain": origin.image.toolchain} if origin.image and origin.image.toolchain else {}),
            },
            "resolvedDependencies": list(_dependencies(origin)),
        },
        "runDetails": _run_details(origin, builder),
    }


def _settings(record: Record) -> dict[str, Any]:
    """Tell the settings themselves; of variables that may be secret the names."""
    build = record.build
    return {
        "frontend": build.frontend,
        "cibuildwheel": build.configuration,
        "variables": build.variables,
        "withheld": sorted({*build.withheld, *build.passed}),
    }


def _run_details(origin: WheelOrigin, builder: Builder) -> dict[str, Any]:
    """A reused wheel was built before, by a run that nobody noted: no invocation and no time are claimed for it."""
    made = origin.made
    version = origin.tools.get("wheelkiln", "")
    known = {"id": made.builder if made else builder.id, **({"version": {"wheelkiln": version}} if version else {})}
    if made is None:
        return {"builder": known}
    metadata = {
        **({"invocationId": made.invocation} if made.invocation else {}),
        "startedOn": _time(made.started),
        "finishedOn": _time(made.finished),
    }
    return {"builder": known, "metadata": metadata}


def _dependencies(origin: WheelOrigin) -> Iterator[dict[str, Any]]:
    made = origin.made
    yield _of_source(origin.source, origin.record)
    if made and made.repository and made.revision:
        yield {"name": "workflow", "uri": made.repository, "digest": {"gitCommit": made.revision}}
    if origin.image:
        yield from _of_image(origin.image, origin.record)
    for pin in origin.requirements:
        yield from _of_pin(pin)


def _of_source(source: ManifestSource, record: Record | None) -> dict[str, Any]:
    """Say where the source can be had, before an edition's changes; without a record only what it is."""
    told = record.source if record else SourceOrigin(OriginKind.SDIST, source.project, source.version, source.digest)
    uri = f"urn:wheelkiln:source:{told.digest}"
    if told.kind is OriginKind.INDEX:
        uri = pypi_purl(told.project, told.version)
    elif told.kind is OriginKind.GIT and told.url:
        uri = f"git+{told.url.removeprefix('git+')}{f'@{told.commit}' if told.commit else ''}"
    digest = {"gitCommit": told.commit, "sha256": told.sha256}
    known = {name: value for name, value in digest.items() if value}
    return {
        "name": "source",
        "uri": uri,
        **({"digest": known} if known else {}),
        "annotations": {"project": told.project, "version": told.version, "digest": told.digest},
    }


def _of_image(image: ManifestImage, record: Record | None) -> Iterator[dict[str, Any]]:
    """The digest is the engine's, and a base that was pinned is a dependency of its own.

    The digests of recipe and content are the same on every engine that has such an image.
    """
    digest = image.digest.removeprefix("sha256:")
    yield {
        "name": "image",
        "uri": image_purl(image.reference, image.digest),
        **({"digest": {"sha256": digest}} if len(digest) == _HEX else {}),
        **({"annotations": {"recipe": record.image.recipe, "content": record.image.content}} if record else {}),
    }
    place, _, base = image.base.partition("@")
    if base.startswith("sha256:"):
        yield {"name": "base image", "uri": image_purl(place, base), "digest": {"sha256": base.removeprefix("sha256:")}}


def _of_pin(pin: Pin) -> Iterator[dict[str, Any]]:
    """A digest is told where a pin has one; of several, one was installed, and nobody says which."""
    package = package_of(pin.requirement)
    if package is None:
        return
    name, _, purl = package
    yield {"name": name, "uri": purl, **_digests(pin.hashes)}


def _digests(hashes: Sequence[str]) -> dict[str, Any]:
    digests = [digest.removeprefix("sha256:") for digest in hashes if digest.startswith("sha256:")]
    if not digests:
        return {}
    return {"digest": {"sha256": digests[0]}} if len(digests) == 1 else {"annotations": {"oneOfSha256": digests}}


def _time(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
