"""What a run tells the journal, from its request."""

from __future__ import annotations

from contextlib import AbstractContextManager

from wheelkiln.build.editions import RunRequest
from wheelkiln.build.journal import Journal, RunRecord, recording

__all__ = ["recording_run"]


def recording_run(run: RunRequest, run_id: str) -> AbstractContextManager[RunRecord]:
    """Keep the record of a run; one that is made only to be compared leaves none."""
    return recording(
        Journal(run.cache_root) if run.first.cold_cache is None else None,
        run_id,
        command=run.first.command,
        output=run.output_dir,
        jobs=[(job, edition.project.resolve()) for edition, job in run.in_order()],
    )
