"""Compile calls and records as small as they can be."""

from __future__ import annotations

from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any

from wheelkiln.cache.calls import Call, CallLog
from wheelkiln.cache.records import JobRecord

__all__ = ["HIT", "MISS", "make_call", "make_record"]

HIT = ("direct_cache_hit",)
MISS = ("cache_miss", "direct_cache_miss", "preprocessed_cache_miss")


def make_call(source: str = "a.c", **changes: Any) -> Call:
    """Make a call that missed and was stored, under keys of its own."""
    call = Call(
        source=source,
        output=f"{PurePosixPath(source).stem}.o",
        compiler="/usr/bin/gcc",
        command=("gcc", "-O2", "-c", source),
        directory="/project",
        namespace="kern-x86_64-default",
        manifest_key="m1",
        result_key="r1",
        results=MISS,
        stored=("r1", "m1"),
    )
    return replace(call, **changes)


def make_record(*calls: Call, settings: tuple[tuple[str, str], ...] = (), **changes: Any) -> JobRecord:
    record = JobRecord(
        project="kern",
        job="cp312-manylinux_x86_64",
        finished=1.0,
        built=True,
        log=CallLog("4.7.5", settings, calls),
        image="localhost/kiln:1",
        toolchain="gcc 12.2.0",
        source="d" * 64,
        epoch=1_700_000_000,
    )
    return replace(record, **changes)
