from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.values import make_job
from wheelkiln.build.landing import Landing, Verdict

_PYTHONS = ("cp310", "cp311", "cp312", "cp313", "cp314")
_JOBS = {python: make_job(f"{python}-manylinux_x86_64") for python in _PYTHONS}


@st.composite
def _stories(draw: st.DrawFn) -> tuple[list[tuple[str, str]], frozenset[str], str]:
    """The steps of all jobs in an order, those that fail, and the first Python that the wheels serve."""
    steps = draw(st.permutations([(python, step) for python in _PYTHONS for step in ("ask", "end")]))
    asked: set[str] = set()
    ordered = []
    for python, _ in steps:  # whatever the order, a job asks before it ends
        ordered.append((python, "end" if python in asked else "ask"))
        asked.add(python)
    return ordered, draw(st.frozensets(st.sampled_from(_PYTHONS))), draw(st.sampled_from(_PYTHONS))


class _Run:
    """A run whose jobs all make one wheel; landed tells whose it is."""

    def __init__(self, wheel: str) -> None:
        self.landing = Landing(_JOBS.values())
        self.landed: list[str] = []
        self.ended: set[str] = set()
        self._wheel = wheel
        self._verdicts: dict[str, Verdict] = {}

    def ask(self, python: str) -> None:
        verdict = self.landing.ask(_JOBS[python], self._wheel).verdict
        self._verdicts[python] = verdict
        self.landed += [python] if verdict is Verdict.LANDS else []

    def end(self, python: str, *, failed: bool) -> None:
        if not failed and self._verdicts[python] is Verdict.WAITS:
            self.landing.hold(_JOBS[python], self._wheel)
        else:
            self._close(python)
        while (due := self.landing.next_due()) is not None:
            self.ask(due.python)
            self._close(due.python)

    def _close(self, python: str) -> None:
        self.ended.add(python)
        self.landing.end(_JOBS[python], self._wheel if python in self.landed else "")


@given(_stories())
def test_the_earliest_python_that_was_built_lands_whatever_the_order(
    story: tuple[list[tuple[str, str]], frozenset[str], str],
) -> None:
    steps, failing, first = story
    run = _Run(f"kern-1.2-{first}-abi3-manylinux_2_17_x86_64.whl")
    able = [python for python in _PYTHONS if python >= first]  # the wheel of an earlier one would have another name
    for python, step in steps:
        if python in able and step == "ask" and python not in failing:
            run.ask(python)
        elif step == "end":
            run.end(python, failed=python in failing or python not in able)
    assert run.ended == set(_PYTHONS), "nobody waits for ever"
    assert run.landed == [python for python in able if python not in failing][:1]
