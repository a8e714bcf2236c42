"""The whole log of a failed job in a CI system's log, folded away."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator, Mapping

from wheelkiln.build.outcome import Outcome
from wheelkiln.build.stages import plain_text

__all__ = ["folded_log"]

_CLEAR = "\x1b[0K"


def folded_log(outcome: Outcome, environ: Mapping[str, str]) -> Iterator[str]:
    """Yield the lines of a failed job's log for GitHub Actions or GitLab CI; nothing elsewhere.

    GitHub takes lines of any program for commands, so it is told to stop that until it sees a word that the log cannot
    know (workflow commands: stop-commands). GitLab's commands are escape sequences, which the lines are freed of.
    """
    if outcome.good or outcome.log is None:
        return
    title = f"log of {outcome.job.id}"
    if environ.get("GITHUB_ACTIONS"):
        word = secrets.token_hex(16)
        yield from (f"::group::{title}", f"::stop-commands::{word}", *_lines(outcome), f"::{word}::", "::endgroup::")
    elif environ.get("GITLAB_CI"):
        name = "".join(char if char.isalnum() else "_" for char in title)
        now = int(time.time())
        yield f"{_CLEAR}section_start:{now}:{name}[collapsed=true]\r{_CLEAR}{title}"
        yield from _lines(outcome)
        yield f"{_CLEAR}section_end:{now}:{name}\r{_CLEAR}"


def _lines(outcome: Outcome) -> Iterator[str]:
    assert outcome.log is not None
    try:
        text = outcome.log.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return
    yield from map(plain_text, text.splitlines())
