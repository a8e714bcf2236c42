from __future__ import annotations

from tests.values import make_job
from wheelkiln.build.course import Course
from wheelkiln.build.outcome import Outcome, Status

_ONE, _TWO, _THREE = (make_job(f"cp31{number}-manylinux_x86_64") for number in (1, 2, 3))


def _course(*, fail_fast: bool) -> tuple[Course, list[str]]:
    stopped: list[str] = []
    return Course(lambda: stopped.append("now"), fail_fast=fail_fast), stopped


def test_a_failure_changes_nothing_by_default() -> None:
    course, stopped = _course(fail_fast=False)
    failed = Outcome(_ONE, Status.FAILED)
    assert course.judge(failed, [_TWO]) is failed
    assert (course.is_over, course.cancelled(_THREE), stopped) == (False, None, [])


def test_the_first_failure_stops_what_runs_once() -> None:
    course, stopped = _course(fail_fast=True)
    assert course.judge(Outcome(_ONE, Status.BUILT), [_TWO]).good
    assert course.cancelled(_THREE) is None
    first = Outcome(_ONE, Status.REJECTED)
    assert course.judge(first, [_TWO]) is first
    cancelled = course.judge(Outcome(_TWO, Status.FAILED, seconds=3.0, message="killed"), [])
    assert (cancelled.status, cancelled.seconds) == (Status.CANCELLED, 3.0)
    assert cancelled.message == "stopped, because cp311-manylinux_x86_64 failed"
    waiting = course.cancelled(_THREE)
    assert waiting is not None
    assert waiting.message == "not started, because cp311-manylinux_x86_64 failed"
    assert stopped == ["now"]


def test_what_had_ended_before_the_stop_is_told_as_it_ended() -> None:
    course, stopped = _course(fail_fast=True)
    course.judge(Outcome(_ONE, Status.FAILED), [_TWO])
    built = Outcome(_TWO, Status.BUILT)
    assert course.judge(built, []) is built
    failed = Outcome(_THREE, Status.FAILED)
    assert course.judge(failed, []) is failed, "it did not run when the others were stopped"
    assert stopped == ["now"]
