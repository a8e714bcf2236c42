"""What an image says of itself from inside, and how two of them differ."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.fakes import Answer, FakeRunner
from tests.values import make_engine
from wheelkiln.errors import EnvironmentProblem
from wheelkiln.image.content import ImageContent, explain_difference, parse_content, read_content

_PRINTED = """== recipe
aabb

== inputs
{"name":"bootstrap","toolchain":"gcc"}

== toolchain
gcc 14.2.0 x86-64-v3

== tools
ccache 4.11
compiler gcc (Debian 14.2.0-19) 14.2.0

== programs
0123  /opt/wheelkiln/bin/wheelkiln-repair

== packages
gcc=14.2.0-19
libc6:amd64=2.41-12
"""
_CONTENT = ImageContent(
    recipe="aabb",
    inputs={"name": "bootstrap", "toolchain": "gcc"},
    toolchain="gcc 14.2.0 x86-64-v3",
    tools={"ccache": "4.11", "compiler": "gcc (Debian 14.2.0-19) 14.2.0"},
    programs={"wheelkiln-repair": "0123"},
    packages=("gcc=14.2.0-19", "libc6:amd64=2.41-12"),
)


def test_what_the_image_prints_is_read() -> None:
    assert parse_content(_PRINTED) == _CONTENT


def test_a_machine_that_has_nothing_of_ours_is_told_as_nothing() -> None:
    assert parse_content("== recipe\n\n== inputs\n\n== packages\nzlib=1\n") == ImageContent(packages=("zlib=1",))


def test_the_recipe_is_not_part_of_the_digest_and_all_that_reaches_wheels_is() -> None:
    assert replace(_CONTENT, recipe="cc", inputs={}).digest == _CONTENT.digest
    others = [
        replace(_CONTENT, toolchain="gcc 13"),
        replace(_CONTENT, tools={"ccache": "4.12"}),
        replace(_CONTENT, programs={}),
        replace(_CONTENT, packages=("gcc=15",)),
    ]
    assert len({_CONTENT.digest, *(other.digest for other in others)}) == 5


def test_an_image_is_asked_once(tmp_path: Path) -> None:
    runner = FakeRunner({"docker run": Answer(_PRINTED)})
    asked = [read_content(make_engine(runner), "localhost/x:1", "sha256:1", tmp_path) for _ in range(2)]
    assert asked == [_CONTENT, _CONTENT]
    assert len(runner.calls) == 1
    assert "--network=none" in runner.calls[0].argv


def test_an_image_that_does_not_run_is_named(tmp_path: Path) -> None:
    runner = FakeRunner({"docker run": Answer(stderr="no such image", returncode=125)})
    with pytest.raises(EnvironmentProblem, match=r"docker cannot run the image localhost/x:1: no such image"):
        read_content(make_engine(runner), "localhost/x:1", "sha256:1", tmp_path)


def test_differences_are_told_by_name() -> None:
    newer = replace(_CONTENT, toolchain="gcc 15", packages=("gcc=15", "mold=2"))
    assert explain_difference(_CONTENT, newer) == (
        "compiler: gcc 14.2.0 x86-64-v3 -> gcc 15",
        "package gcc: 14.2.0-19 -> 15",
        "package libc6:amd64: 2.41-12 -> absent",
        "package mold: absent -> 2",
    )
    assert explain_difference(_CONTENT, _CONTENT) == ()
