"""A plan of 10,000 jobs is made in two seconds and 300 MiB: bench/plan_size.py measures it with more care."""

from __future__ import annotations

import json
from pathlib import Path

from plan_size import JOBS, run_plan, variants_for, write_project


def test_ten_thousand_jobs(tmp_path: Path) -> None:
    sources = write_project(tmp_path, variants_for(JOBS))
    planned = run_plan(tmp_path, [*sources, "--shards", "20"])
    document = json.loads(planned.output)
    assert len(document["jobs"]) >= JOBS
    assert sum(len(shard["jobs"]) for shard in document["shards"]) == len(document["jobs"])
    assert planned.cpu < 2, "processor time, so that a busy machine does not count"
    assert planned.peak < 300
