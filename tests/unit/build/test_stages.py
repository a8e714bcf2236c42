from __future__ import annotations

import pytest

from tests.fakes import FakeClock
from wheelkiln.build.outcome import StageSeconds
from wheelkiln.build.stages import StageClock, plain_text, stage_of


@pytest.mark.parametrize(
    ("line", "stage"),
    [
        ("Starting container image localhost/x:1...", "start"),
        ("Copying project into container...", "copy"),
        ("Setting up build environment...", "setup"),
        ("Running before_build...", "before-build"),
        ("Building wheel...", "frontend"),
        ("* Creating isolated environment: venv+uv...", "environment"),
        ("* Installing packages in isolated environment:", "environment"),
        ("* Building wheel...", "compile"),
        ("Repairing wheel...", "repair"),
        ("Testing wheel...", "test"),
        ("Copying wheels back to host...", "collect"),
        ("  Building wheel...", None),
        ("gcc -c a.c", None),
        ("", None),
    ],
)
def test_a_line_that_begins_a_stage(line: str, stage: str | None) -> None:
    assert stage_of(line) == stage


@pytest.mark.parametrize(
    ("line", "plain"),
    [
        ("\x1b[1m\x1b[34mBuilding wheel...\x1b[0m", "Building wheel..."),
        ("a\tb\x07\x00\r", "a\tb"),
        ("ünï \u202e", "ünï "),
        ("\x1b]0;title\x07x", "]0;titlex"),
    ],
)
def test_a_line_loses_colours_and_control_characters(line: str, plain: str) -> None:
    assert plain_text(line) == plain


def test_the_seconds_of_stages_add_up_in_their_order() -> None:
    time = FakeClock()
    clock = StageClock(time)
    for stage, at in (("start", 0.0), ("compile", 2.0), ("repair", 12.5), ("compile", 13.0)):
        time.now = 100 + at
        clock.begin(stage)
    time.now = 114.25
    assert clock.finish() == (StageSeconds("start", 2.0), StageSeconds("compile", 11.75), StageSeconds("repair", 0.5))


def test_a_clock_that_never_began_has_no_stages() -> None:
    assert StageClock(FakeClock()).finish() == ()


def test_finishing_twice_adds_nothing() -> None:
    time = FakeClock()
    clock = StageClock(time)
    clock.begin("a")
    time.now += 1
    clock.finish()
    time.now += 1
    assert clock.finish() == (StageSeconds("a", 1.0),)
