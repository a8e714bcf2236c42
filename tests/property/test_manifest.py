"""A manifest of anybody's is read, or named as wrong; what is read joins with itself."""

from __future__ import annotations

import copy
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.values import make_inputs, make_request
from wheelkiln.build.editions import RunRequest
from wheelkiln.build.outcome import Outcome, RunResult, StageSeconds, Status, WheelFile
from wheelkiln.cache.statistics import CompileStatistics
from wheelkiln.errors import VerificationError
from wheelkiln.report.agreement import Part
from wheelkiln.report.joining import join_manifests
from wheelkiln.report.manifest import Manifest, ManifestShard, make_manifest, write_manifest_text
from wheelkiln.report.manifest_file import parse_manifest

_REQUEST = make_request(make_inputs({"python": ["cp311", "cp312", "cp399"]}))
_WHEEL = WheelFile("kern-1.2-cp311-cp311-manylinux_2_17_x86_64.whl", "a" * 64, 2048)
_BUILT = Outcome(
    _REQUEST.plan.jobs[0],
    Status.BUILT,
    2.0,
    _WHEEL,
    stages=(StageSeconds("compile", 1.0),),
    statistics=CompileStatistics(hits=1, uncacheable=(("x", 1),)),
)
_FAILED = Outcome(_REQUEST.plan.jobs[1], Status.FAILED, message="no")
_RESULT = RunResult((_BUILT, _FAILED), (), 3.0)
_SHARDS = (ManifestShard(1, 1, "b" * 64, tuple(job.id for job in _REQUEST.plan.jobs)),)
_TABLE = json.loads(
    write_manifest_text(make_manifest(RunRequest((_REQUEST,)), _RESULT, version="0.1.0", shards=_SHARDS))
)

_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=12)
    | st.sampled_from(["../x", "a/b.whl"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=6), inner, max_size=2),
    max_leaves=4,
)


def _paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place inside of a table, the table itself left out."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [found for key, entry in inner for found in ((*path, key), *_paths(entry, (*path, key)))]


def _read(text: str) -> Manifest | None:
    """Return what was read, None where it was refused with the file's name."""
    try:
        return parse_manifest(text, where="m.json")
    except VerificationError as error:
        return None if error.message.startswith("m.json ") else pytest.fail(error.message)


@given(st.sampled_from(_paths(_TABLE)), _VALUES)
def test_any_value_at_any_place_is_accepted_or_named_as_wrong(path: tuple[Any, ...], value: Any) -> None:
    table = copy.deepcopy(_TABLE)
    holder = table
    for key in path[:-1]:
        holder = holder[key]
    holder[path[-1]] = value
    manifest = _read(json.dumps(table))
    if manifest is not None:
        names = [job.wheel.name for job in manifest.jobs if job.wheel]
        assert all(Path("/out", name).parent == Path("/out") for name in names)
        json.dumps(asdict(manifest), allow_nan=False)


@given(st.text(max_size=40))
def test_any_text_is_no_crash(text: str) -> None:
    assert _read(text) is None


def test_a_manifest_joined_with_itself_is_itself() -> None:
    manifest = parse_manifest(json.dumps(_TABLE), where="m.json")
    joined, notices = join_manifests([Part(Path("/a"), manifest), Part(Path("/b"), manifest)], allow_missing=False)
    assert joined == manifest
    assert notices == ()
