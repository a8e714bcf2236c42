from __future__ import annotations

import json
from dataclasses import replace

from wheelkiln.image.lookup import ImageView
from wheelkiln.report.images import render_views, views_as_json
from wheelkiln.system.image_store import LocalImage

_WANTED = "localhost/wheelkiln/manylinux_2_28_x86_64:0123456789abcdef"
_OLD = "localhost/wheelkiln/manylinux_2_28_x86_64:aaaaaaaaaaaaaaaa"
_IMAGE = LocalImage(
    reference=_WANTED,
    id="sha256:1",
    arch="x86_64",
    labels={
        "io.wheelkiln.toolchain": "gcc 14.2.1 avx512bf16 amx-bf16",
        "io.wheelkiln.versions": "ccache 4.13.6; libc 2.28",
        "org.opencontainers.image.base.name": "quay.io/pypa/manylinux_2_28_x86_64",
        "org.opencontainers.image.base.digest": "",
        "org.opencontainers.image.title": "wheelkiln manylinux_2_28",
        "org.example.team": "wheels",
    },
    size=3 << 20,
    created="2026-07-01T10:00:00Z",
)
_VIEW = ImageView(
    "manylinux_2_28_x86_64", _WANTED, _IMAGE, (("image.packages", 1 << 10), ("the pinned ccache", 2 << 20)), 1 << 30
)
_ABSENT = ImageView("manylinux_2_28_aarch64", f"{_WANTED}b", None)


def test_an_image_is_told_from_its_base_up() -> None:
    assert list(render_views([_VIEW])) == [
        f"manylinux_2_28_x86_64: {_WANTED}",
        "  created    2026-07-01T10:00:00Z",
        "  base       quay.io/pypa/manylinux_2_28_x86_64, 1.0 GiB",
        "  ours       2.0 MiB over the base, unpacked:",
        "             2.0 MiB  the pinned ccache",
        "             1.0 KiB  image.packages",
        "  toolchain  gcc 14.2.1, accepts: avx512bf16 amx-bf16",
        "             ccache 4.13.6",
        "             libc 2.28",
        "  label      base.name = quay.io/pypa/manylinux_2_28_x86_64",
        "  label      title = wheelkiln manylinux_2_28",
    ]


def test_the_time_of_the_source_comes_before_that_of_the_engine() -> None:
    labels = {**_IMAGE.labels, "org.opencontainers.image.created": "2023-11-14T22:13:20Z"}
    lines = list(render_views([replace(_VIEW, image=replace(_IMAGE, labels=labels))]))
    assert lines[1] == "  created    2023-11-14T22:13:20Z"


def test_an_absent_image_is_told_with_the_way_to_it() -> None:
    assert list(render_views([_ABSENT])) == [
        f"manylinux_2_28_aarch64: {_WANTED}b",
        "  not there yet: 'wheelkiln image build' makes it, as does the first 'wheelkiln build'",
    ]


def test_a_changed_recipe_says_what_would_change() -> None:
    view = replace(_VIEW, image=replace(_IMAGE, reference=_OLD), changes=("toolchain: gcc -> clang",))
    assert list(render_views([view]))[:3] == [
        f"manylinux_2_28_x86_64: {_WANTED}",
        f"  not there yet; last used was {_OLD}",
        "    would change: toolchain: gcc -> clang",
    ]


def test_an_image_without_labels_is_told_without_them() -> None:
    lines = list(render_views([replace(_VIEW, image=replace(_IMAGE, labels={}), layers=())]))
    assert lines == [
        f"manylinux_2_28_x86_64: {_WANTED}",
        "  created    2026-07-01T10:00:00Z",
        "  base       ?, 1.0 GiB",
        "  ours       0 Bytes over the base, unpacked:",
    ]


def test_images_are_parted_by_an_empty_line() -> None:
    lines = list(render_views([_ABSENT, _ABSENT]))
    assert [index for index, line in enumerate(lines) if not line] == [2]
    assert list(render_views([])) == []


def test_programs_get_the_same() -> None:
    old = replace(_VIEW, image=replace(_IMAGE, reference=_OLD), changes=("a: 1 -> 2",))
    current, absent, changed = json.loads(json.dumps(views_as_json([_VIEW, _ABSENT, old])))
    assert current == {
        "name": "manylinux_2_28_x86_64",
        "wanted": _WANTED,
        "present": True,
        "reference": _WANTED,
        "digest": "sha256:1",
        "architecture": "x86_64",
        "base_size": 1 << 30,
        "own_size": (2 << 20) + (1 << 10),
        "layers": [
            {"purpose": "image.packages", "size": 1 << 10},
            {"purpose": "the pinned ccache", "size": 2 << 20},
        ],
        "labels": dict(_IMAGE.labels),
        "changes": [],
    }
    assert (absent["present"], absent["reference"], absent["digest"], absent["labels"]) == (False, None, None, {})
    assert (changed["present"], changed["reference"], changed["changes"]) == (False, _OLD, ["a: 1 -> 2"])
