"""Reading a manifest that may have been written by anybody: what is accepted can be relied on."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from typing import Any

from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from packaging.version import InvalidVersion, Version

from wheelkiln.build.outcome import Status
from wheelkiln.errors import VerificationError
from wheelkiln.plan.shards import MOST_SHARDS
from wheelkiln.report.manifest import MANIFEST_FORMAT, Manifest, ManifestJob
from wheelkiln.verify.variant_label import split_label

__all__ = ["MOST_BYTES", "parse_manifest"]

MOST_BYTES = 256 << 20
"""More than a manifest of 10,000 jobs has."""
_IDENTIFIER = re.compile(r"cp3[0-9]{1,3}t?-(manylinux|musllinux)_\w{1,20}", re.ASCII)
_DIGEST = re.compile(r"[0-9a-f]{64}")
_MOST_FAULTS = 10


def parse_manifest(text: str, *, where: str) -> Manifest:
    """Read a manifest; raise VerificationError where it is none, or holds what cannot be."""
    from pydantic import TypeAdapter, ValidationError

    try:
        table = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise VerificationError(f"{where} is not JSON: {error}") from error
    _check_format(table, where)
    try:
        manifest = TypeAdapter(Manifest).validate_json(text, strict=True)
    except ValidationError as error:
        faults = [f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors()]
        raise _not_valid(where, faults) from error
    faults = list(_faults(manifest))
    if faults:
        raise _not_valid(where, faults)
    return manifest


def _check_format(table: Any, where: str) -> None:
    if not isinstance(table, dict) or not isinstance(table.get("format"), int):
        raise VerificationError(f"{where} is not a manifest of wheelkiln")
    if table["format"] != MANIFEST_FORMAT:
        other = "a newer" if table["format"] > MANIFEST_FORMAT else "an older"
        raise VerificationError(f"{where} was written by {other} wheelkiln", hint="Use one wheelkiln for all.")


def _not_valid(where: str, faults: list[str]) -> VerificationError:
    told = [f"  {fault}" for fault in faults[:_MOST_FAULTS]]
    more = [f"  and {len(faults) - _MOST_FAULTS} more"] if len(faults) > _MOST_FAULTS else []
    return VerificationError("\n".join([f"{where} is not a valid manifest:", *told, *more]))


def _faults(manifest: Manifest) -> Iterator[str]:
    for source in manifest.sources:
        if canonicalize_name(source.project) != source.project:
            yield f"sources: {source.project!r} is not a normalised name"
        if not _is_version(source.version):
            yield f"sources: {source.version!r} is not a version"
    for shard in manifest.shards:
        if not 1 <= shard.number <= shard.count <= MOST_SHARDS or not _DIGEST.fullmatch(shard.plan):
            yield f"shards: there is no shard {shard.number}/{shard.count} of {shard.plan!r}"
    sources = {(source.project, source.version, source.variant) for source in manifest.sources}
    seen = set()
    for job in manifest.jobs:
        if job.id in seen:
            yield f"jobs: {job.id!r} is there twice"
        seen.add(job.id)
        if (job.project, job.version, job.variant) not in sources:
            yield f"jobs: {job.id!r} is of none of the sources"
        yield from (f"jobs: {job.id!r}: {fault}" for fault in _faults_of_job(job))
    if not math.isfinite(manifest.seconds):
        yield "seconds: not a number"


def _faults_of_job(job: ManifestJob) -> Iterator[str]:
    if not _IDENTIFIER.fullmatch(job.identifier):
        yield f"{job.identifier!r} is not a build identifier"
    if not all(map(math.isfinite, [job.seconds, *(stage.seconds for stage in job.stages)])):
        yield "its seconds are no number"
    if job.made and not job.made.is_sound:
        yield "the run that built it is none that can be"
    if job.covered_by and not _is_wheel_name(job.covered_by):
        yield f"{job.covered_by!r} is not a wheel's file name"
    if (job.wheel is not None) != (job.status in (Status.BUILT, Status.REUSED)):
        yield f"it is {job.status}, and {'has no' if job.wheel is None else 'has a'} wheel"
    if job.wheel is None:
        return
    if not _is_wheel_name(job.wheel.name):
        yield f"{job.wheel.name!r} is not a wheel's file name"
    if not _DIGEST.fullmatch(job.wheel.sha256):
        yield f"{job.wheel.sha256!r} is not a SHA-256"


def _is_version(text: str) -> bool:
    try:
        Version(text)
    except InvalidVersion:
        return False
    return True


def _is_wheel_name(name: str) -> bool:
    """Tell whether a name is a wheel's, and that of a file in the directory where it is looked for."""
    try:
        parse_wheel_filename(split_label(name)[0])
    except (InvalidWheelFilename, ValueError):
        return False
    return not set(name) & set("/\\\0") and name.isprintable()
