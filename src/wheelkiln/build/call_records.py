"""After a job: read what ccache logged, and keep it for 'cache doctor' and the gate."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from wheelkiln.build.cibuildwheel_config import Invocation
from wheelkiln.build.outcome import Outcome, Status
from wheelkiln.build.request import BuildRequest, Examination
from wheelkiln.cache.calls import CallLog, parse_call_log
from wheelkiln.cache.records import JobRecord, keep_record, read_store_counts
from wheelkiln.cache.settings import (
    CALLS_LOG,
    CCACHE_MOUNT,
    INPUTS_MOUNT,
    CacheMount,
    cache_mounts,
    call_log_environment,
    input_log_environment,
)
from wheelkiln.image.memory import ImageMemory
from wheelkiln.plan.model import Job

__all__ = ["keep_calls", "sources_compiled_around", "with_call_log"]

_AROUND = re.compile(
    r"(?<!\S)(?P<path>/[^\s:;'\"]*/)(?:[\w.-]+-)?(?:gcc|g\+\+|cc|c\+\+|clang|clang\+\+)(?:-[\d.]+)?"
    r"(?=\s(?:.*\s)?-c\s)(?P<rest>.*)"
)
_SOURCE = re.compile(r"(?<!\S)(?P<source>[^\s'\"]+\.(?:c|cc|cpp|cxx|c\+\+|C|m|mm|S))(?![^\s'\"])")
_OURS = "/opt/wheelkiln/"
_MOST_BYPASSED = 50


def with_call_log(invocation: Invocation, examination: Examination | None = None) -> Invocation:
    """Let a build's ccache write the log that keep_calls reads; it reaches no wheel, so it is in no job's key.

    An examined build has a compile cache of its own, and its ccache writes down everything that it hashes.
    """
    environment = {**invocation.environment, **call_log_environment()}
    if examination is None:
        return replace(invocation, environment=environment)
    mounts = (
        *(mount for mount in invocation.mounts if mount.target != CCACHE_MOUNT),
        CacheMount(examination.store, CCACHE_MOUNT),
        CacheMount(examination.inputs, INPUTS_MOUNT),
    )
    return replace(invocation, environment={**environment, **input_log_environment()}, mounts=mounts)


def keep_calls(request: BuildRequest, job: Job, job_dir: Path, lines: Iterable[str], outcome: Outcome) -> None:
    """Keep a job's calls as its latest record, and remove the log, which is long and shows ccache's settings.

    A build that ended before it compiled anything says nothing, and leaves the earlier record in its place. What
    cannot be kept is no reason to lose a wheel.
    """
    raw = job_dir / "mount" / CALLS_LOG
    log = _read_log(raw)
    raw.unlink(missing_ok=True)
    built = outcome.status in (Status.BUILT, Status.REJECTED)
    if not built and not log.calls:
        return
    reference = request.plan.references[job.image]
    toolchain = ImageMemory(request.cache_root).toolchain(reference)
    mounts = cache_mounts(request.config, request.cache_root, job_dir)
    environment = request.environments.get(job.id)
    store = next((mount.source for mount in mounts if mount.target == CCACHE_MOUNT), None)
    record = JobRecord(
        project=request.source.facts.name,
        job=job.name,
        finished=round(time.time(), 3),
        built=built,
        log=log,
        image=reference,
        toolchain=f"{toolchain.compiler} {toolchain.version}" if toolchain else "",
        source=request.source.digest,
        epoch=request.source.epoch,
        requirements=tuple(pin.requirement for pin in environment.locked.pins) if environment else (),
        bypassed=sources_compiled_around(lines),
        **({"store": read_store_counts(store)} if store else {}),
    )
    with suppress(OSError):
        apart = request.examination.records if request.examination else request.cold_cache
        keep_record(apart or request.cache_root, record)


def sources_compiled_around(lines: Iterable[str]) -> tuple[str, ...]:
    """Return the sources that a build's output shows compiled by a compiler that was called by its absolute path.

    Such a call does not go through the links before the compilers, so ccache never hears of it.
    """
    found: dict[str, None] = {}
    for line in lines:
        call = _AROUND.search(line)
        if call is None or call["path"].startswith(_OURS) or "ccache" in line[: call.end("path")]:
            continue
        source = _SOURCE.search(call["rest"])
        found[source["source"] if source else call["rest"].strip()] = None
    return tuple(found)[:_MOST_BYPASSED]


def _read_log(path: Path) -> CallLog:
    with suppress(OSError), path.open(encoding="utf-8", errors="replace") as lines:
        return parse_call_log(lines)
    return CallLog()
