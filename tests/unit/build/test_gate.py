from __future__ import annotations

from pathlib import Path

import pytest

from tests.values import make_config, make_job
from wheelkiln.build.gate import Restored, cache_is_empty, judge_hits
from wheelkiln.build.outcome import Gate, GateVerdict, Outcome, Status
from wheelkiln.build.request import JobInputs
from wheelkiln.cache.statistics import CompileStatistics
from wheelkiln.plan.model import Job

_CP311, _CP312 = make_job("cp311-manylinux_x86_64"), make_job("cp312-manylinux_x86_64")
_SAME = JobInputs("setting", "source")


def _built(job: Job = _CP312, hits: int = 9, misses: int = 1) -> Outcome:
    return Outcome(job, Status.BUILT, statistics=CompileStatistics(hits=hits, misses=misses))


def _judge(
    *outcomes: Outcome,
    rate: float = 0.9,
    on: str = "unchanged",
    empty: bool = False,
    last: JobInputs | None = _SAME,
) -> Gate | None:
    cache = make_config({"cache": {"min-hit-rate": rate, "gate-on": on}}).cache
    known = {job.id: last for job in (_CP311, _CP312)} if last else {}
    return judge_hits(cache, outcomes, Restored(empty, known), {_CP311.id: _SAME, _CP312.id: _SAME})


def test_without_a_rate_there_is_no_gate() -> None:
    assert _judge(_built(hits=0), rate=0.0) is None


def test_a_rate_that_is_reached_passes() -> None:
    gate = _judge(_built())
    assert gate == Gate(GateVerdict.PASSED, 0.9, 9, 10, (_CP312.id,))
    assert gate.hit_rate == 0.9


def test_a_rate_that_is_missed_fails() -> None:
    gate = _judge(_built(_CP311, 10, 0), _built(_CP312, 0, 10))
    assert gate == Gate(GateVerdict.FAILED, 0.9, 10, 20, (_CP311.id, _CP312.id))


@pytest.mark.parametrize(
    ("on", "empty", "last", "reason"),
    [
        ("unchanged", True, _SAME, "the compile cache was empty"),
        ("unchanged", False, None, "no build with this cache directory is known"),
        ("unchanged", False, JobInputs("other", "source"), "image, configuration or tools are not those"),
        ("unchanged", False, JobInputs("setting", "other"), "the source is not that of the last build"),
        ("changed-source", False, JobInputs("other", "other"), "image, configuration or tools are not those"),
        ("changed-source", True, _SAME, "the compile cache was empty"),
        ("changed-source", False, JobInputs("setting", "other"), ""),
        ("always", True, None, ""),
        ("always", False, JobInputs("other", "other"), ""),
    ],
)
def test_when_misses_are_no_fault_of_the_cache(on: str, empty: bool, last: JobInputs | None, reason: str) -> None:
    gate = _judge(_built(hits=0), on=on, empty=empty, last=last)
    assert gate is not None
    assert gate.verdict is (GateVerdict.OFF if reason else GateVerdict.FAILED)
    assert [told.partition(": ")[0] for told in gate.reasons] == ([_CP312.id] if reason else [])
    assert reason in "".join(gate.reasons)


def test_jobs_that_compiled_nothing_are_named_and_not_counted() -> None:
    gate = _judge(
        Outcome(_CP311, Status.REUSED), _built(_CP312, 9, 1), Outcome(_CP312, Status.BUILT), _built(_CP312, 0, 0)
    )
    assert gate == Gate(
        GateVerdict.PASSED,
        0.9,
        9,
        10,
        (_CP312.id,),
        (
            f"{_CP311.id}: not built by this run",
            f"{_CP312.id}, {_CP312.id}: nothing was compiled",
        ),
    )


def test_an_empty_cache(tmp_path: Path) -> None:
    assert cache_is_empty(tmp_path / "none")
    (tmp_path / "ccache.conf").write_text("")
    (tmp_path / "0/1").mkdir(parents=True)
    for name in ("0/stats", "0/1/stats", "0/CACHEDIR.TAG"):
        (tmp_path / name).write_text("")
    assert cache_is_empty(tmp_path)
    (tmp_path / "0/1/48l7pd9nso8k8759qh7c0smr44l53bmR").write_text("")
    assert not cache_is_empty(tmp_path)
